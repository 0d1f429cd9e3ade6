#!/usr/bin/env python3
"""Writes the generator as ONNX, and an input beside it: export_onnx.py PATH.onnx [options of peer.py] writes PATH.npy too."""

import logging
import pathlib

import numpy as np
import torch

import networks
from serve import parser


def export(generator, y, path):
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it misses torchvision, which nothing here uses
    torch.onnx.export(generator.eval(), (y,), str(path), input_names=["y"], output_names=["image"], verbose=False)


def main():
    options = parser(__doc__)
    options.add_argument("path", type=pathlib.Path)
    arguments = options.parse_args()
    torch.manual_seed(0)
    y = networks.batch(*networks.slices(arguments.batch, arguments.size))[0]
    export(networks.nets.Cascade(arguments.width), y, arguments.path)
    np.save(arguments.path.with_suffix(".npy"), y.numpy())


if __name__ == "__main__":
    main()
