"""Keeps the golden files' inputs off kinks.

A ReLU input whose sign, or a pool whose winner, differs between float32 and double makes gradients jump by far more than
rounding does, so that no tolerance could be both tight and honest. settle() therefore moves shifts by a little, until no
activation has an input near 0, and margin() measures what is left.
"""
import copy

import torch
from torch import nn

KINKS = (nn.ReLU, nn.LeakyReLU, nn.MaxPool2d)


class Recorder:
    """Collects, for every activation and pool run inside the with statement, the distance of its inputs from a kink."""

    def __init__(self, *nets):
        self.modules = [m for net in nets for m in net.modules() if isinstance(m, KINKS)]
        self.distances = []

    def __enter__(self):
        self.handles = [m.register_forward_pre_hook(self.record) for m in self.modules]
        return self

    def __exit__(self, *unused):
        for handle in self.handles:
            handle.remove()

    def record(self, module, inputs):
        x = inputs[0].detach()
        if isinstance(module, nn.MaxPool2d):
            n, c, h, w = x.shape
            windows = x.reshape(n, c, h // 2, 2, w // 2, 2).transpose(3, 4).reshape(-1, 4)
            best = windows.topk(2).values
            x = best[:, 0] - best[:, 1]
        self.add(x)

    def add(self, distance):
        self.distances.append(distance.detach().double().reshape(-1))


def margin(exact, single):
    """The least distance from a kink in units of the layer's rms rounding error. Exact ties in both (equal inputs of a pool
    behind a ReLU) carry no gradient and do not count."""
    least = float("inf")
    for x, y in zip(exact.distances, single.distances):
        free = (x != 0) | (y != 0)
        rms = (x - y).square().mean().sqrt()
        if free.any() and rms > 0:
            least = min(least, (x[free].abs().min() / rms).item())
    return least


def widest_gap(values, reach):
    """The middle of the widest gap between values inside [-reach, reach]."""
    inside = values[values.abs() < reach].sort().values
    edges = torch.cat([inside.new_tensor([-reach]), inside, inside.new_tensor([reach])])
    k = edges.diff().argmax()
    return (edges[k] + edges[k + 1]) / 2


def settle(net, *inputs, reach=0.02):
    """Moves the shifts of net's activations (by at most reach times the channel's deviation) such that, in a train-mode forward
    of inputs, 0 lies amid a gap of every channel's values. Layer by layer, since each layer sees the layers before it."""
    work = copy.deepcopy(net).double().train()

    def hook_for(shift):
        def hook(module, arguments):
            x = arguments[0].detach()
            channels = x.transpose(0, 1).flatten(1)
            move = torch.stack([widest_gap(v, reach * v.std().item()) for v in channels])
            before = shift.detach().clone()
            with torch.no_grad():
                shift.copy_((shift - move).float())
            return (x + (shift.detach() - before).view(1, -1, 1, 1),)

        return hook

    for module in work.modules():
        if hasattr(module, "shift") and isinstance(module.activation, KINKS):
            module.activation.register_forward_pre_hook(hook_for(module.shift()))
    with torch.no_grad():
        work(*[x.double() for x in inputs])
        for mine, settled in zip(net.parameters(), work.parameters()):
            mine.copy_(settled)
    return net
