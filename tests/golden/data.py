"""Seeded inputs and weights. numpy's RandomState gives the same numbers in every version; all values are float32 numbers."""
import numpy as np
import torch
import torch.nn.functional as F

import nets


def normal(random, *shape):
    return torch.from_numpy(random.standard_normal(shape).astype(np.float32))


def uniform(random, low, high, *shape):
    return torch.from_numpy(random.uniform(low, high, shape).astype(np.float32))


def smooth(random, n, channels, size):
    """Random images in (-1, 1): coarse noise, interpolated, and some fine noise."""
    coarse = F.interpolate(normal(random, n, channels, size // 8, size // 8), size=(size, size), mode="bicubic", align_corners=False)
    return torch.tanh(0.6 * coarse + 0.1 * normal(random, n, channels, size, size))


def slices_with_holes(random, n, size):
    """x, y, mask: targets, inputs with a rectangular hole, 1 in the hole. The hole is filled with a dim texture, not with a
    constant, so that no pool or ReLU ties inside it."""
    x, mask = smooth(random, n, 1, size), torch.zeros(n, 1, size, size)
    for k in range(n):
        top, left = random.randint(size // 8, size // 2, 2)
        mask[k, :, top : top + size // 5 + k, left : left + size // 6] = 1
    fill = (0.1 * smooth(random, n, 1, size) - 0.85)
    return x, torch.where(mask > 0, fill, x), mask


def randomise(net, random):
    """Weights as He's, scales and batch norm's shifts about 1.

    Shifts about 0 would make these narrow, deep nets chaotic: rounding errors would grow a thousandfold from input to output.
    """
    with torch.no_grad():
        for name, tensor in net.named_parameters():
            if tensor.dim() == 4:
                fan_in = tensor[0].numel()
                tensor.copy_((2 / fan_in) ** 0.5 * normal(random, *tensor.shape))
            elif name.endswith("weight"):
                tensor.copy_(uniform(random, 0.6, 1.5, *tensor.shape))
            elif ".bn" in name:
                tensor.copy_(1 + 0.5 * normal(random, *tensor.shape))
            else:
                tensor.copy_(0.2 * normal(random, *tensor.shape))
    return net


def random_gan(random, *widths, **options):
    """Networks whose running statistics are those of one random batch, so that inference gives images, not saturation."""
    gan = randomise(nets.Gan(*widths, **options), random)
    y, image = smooth(random, 4, 1, 96), smooth(random, 4, 1, 96)
    norms = [m for m in gan.modules() if isinstance(m, nets.BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    with torch.no_grad():
        for net in gan.generator:
            net.head.weight.mul_(0.25)
        for norm in norms:
            norm.momentum = 1.0
        gan.double().train()
        gan.generator(y.double())
        gan.disc_global(y.double(), image.double())
        gan.disc_patch(y.double(), image.double())
    for norm, momentum in zip(norms, momenta):
        norm.momentum = momentum
    return gan.float()
