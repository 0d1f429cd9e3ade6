#!/usr/bin/env python3
"""Saves a random generator and discriminators as a weight file, and the generator's inference output for a random input.

    export_reference.py --width 8 --disc-width 8 --out W.safetensors --input in.npy --output out.npy

in.npy: float32 (N, size, size) in [-1, 1]; out.npy the same shape. Exits with 77 (skipped) where PyTorch is absent.
"""
import argparse
import sys

try:
    import numpy as np
    import torch
except ImportError as error:
    print(f"skipped: {error}", file=sys.stderr)
    sys.exit(77)

import data
from store import save_safetensors


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--width", type=int, default=8)
    parser.add_argument("--disc-width", type=int, default=8)
    parser.add_argument("--residual", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--size", type=int, default=96, help="side of the images, a multiple of 16")
    parser.add_argument("--images", type=int, default=2)
    parser.add_argument("--out", required=True, help="weight file to write")
    parser.add_argument("--input", help=".npy to write")
    parser.add_argument("--output", help=".npy to write")
    arguments = parser.parse_args()

    random = np.random.RandomState(arguments.seed)
    gan = data.random_gan(random, arguments.width, arguments.disc_width, arguments.residual).eval()
    images = data.smooth(random, arguments.images, 1, arguments.size)
    with torch.no_grad():
        output = gan.generator.double()(images.double()).float()
    save_safetensors(arguments.out, gan.float().state_dict())
    if arguments.input:
        np.save(arguments.input, images[:, 0].numpy())
    if arguments.output:
        np.save(arguments.output, output[:, 0].numpy())


if __name__ == "__main__":
    main()
