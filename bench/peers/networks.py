"""What the peers run: the networks and the training step of tests/golden, the PyTorch reference of our tests, on seeded
batches; and VGG-19 with random weights, which cost what the true ones cost."""

import pathlib
import sys

import numpy as np
import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests/golden"))
import data  # noqa: E402
import nets  # noqa: E402
import step  # noqa: E402,F401

STYLE_LAYERS = 6


def vgg(layers=STYLE_LAYERS, seed=2):
    """Frozen, He's normal distribution."""
    net, random = nets.Vgg19(layers), np.random.RandomState(seed)
    with torch.no_grad():
        for parameter in net.parameters():
            scale = (2 / parameter[0].numel()) ** 0.5 if parameter.dim() == 4 else 1.0
            parameter.copy_(scale * data.normal(random, *parameter.shape))
    return net.requires_grad_(False)


def slices(count, size, seed=0):
    """-> images (count, 1, size, size) in [-1, 1], and the one mask of all of them (size, size), 1 in the hole."""
    mask = torch.zeros(size, size)
    mask[size // 4 : size // 2, size // 3 : 7 * size // 12] = 1
    return data.smooth(np.random.RandomState(seed), count, 1, size).clamp(-1, 1), mask


def batch(images, mask):
    """-> y, x, mask of a step: black in the hole, as `data.hole` = 0 says."""
    holes = mask.expand_as(images)
    return torch.where(holes > 0, -torch.ones_like(images), images), images, holes
