"""Seeded inputs and weights. numpy's RandomState gives the same numbers in every version; all values are float32 numbers."""
import numpy as np
import torch
import torch.nn.functional as F


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
    """Weights as He's, scales about 1, shifts about 0 and running statistics that differ from those of a fresh net."""
    with torch.no_grad():
        for name, tensor in net.state_dict().items():
            if name.endswith("running_var"):
                tensor.copy_(uniform(random, 0.5, 2.0, *tensor.shape))
            elif name.endswith("running_mean"):
                tensor.copy_(0.3 * normal(random, *tensor.shape))
            elif tensor.dim() == 4:
                fan_in = tensor[0].numel()
                tensor.copy_((2 / fan_in) ** 0.5 * normal(random, *tensor.shape))
            elif name.endswith("weight"):
                tensor.copy_(uniform(random, 0.6, 1.5, *tensor.shape))
            else:
                tensor.copy_(0.2 * normal(random, *tensor.shape))
    return net
