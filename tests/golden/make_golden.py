#!/usr/bin/env python3
"""Writes the golden files beside this script. --find-seeds N: tries N seeds of the inputs and prints the safest."""
import argparse
import pathlib

import torch

import golden_nets
import golden_ops
import golden_step
import nets
from store import save_safetensors, write_golden

HERE = pathlib.Path(__file__).resolve().parent
FILES = {**golden_ops.FILES, **golden_nets.FILES, **golden_step.FILES}


def find_seeds(count, only):
    for name, file in FILES.items():
        if hasattr(file, "margin") and only in name:
            margins = [file.margin(seed) for seed in range(count)]
            best = max(range(count), key=margins.__getitem__)
            print(f"{name}: seed {best}, margin {margins[best]:.1f}; chosen {file.seed}, margin {file.margin(file.seed):.1f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=pathlib.Path, default=HERE)
    parser.add_argument("--only", default="", help="part of a file's name")
    parser.add_argument("--find-seeds", type=int, default=0, metavar="N")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.find_seeds:
        return find_seeds(arguments.find_seeds, arguments.only)
    nets.check_counts()
    print(f"PyTorch {torch.__version__}; parameter counts as published")
    if arguments.only in "weights":
        save_safetensors(arguments.out / "weights.safetensors", golden_nets.toy_gan().state_dict())
    for name, file in FILES.items():
        if arguments.only in name:
            write_golden(arguments.out / f"{name}.safetensors", file.case, getattr(file, "bf16_errors", dict))


if __name__ == "__main__":
    main()
