"""Mixed precision in PyTorch, on the CPU but cast as a GPU's autocast casts, and how far its results lie from double."""
import collections
import contextlib
from unittest import mock

import numpy as np
import torch
import torch.nn.functional as F

import losses
import nets
from store import LEAST_ERROR, relative_distance

RUNS = 5

conv_transpose2d, gram, vgg_forward = F.conv_transpose2d, losses.gram, nets.Vgg19.forward


def to_bf16_and_back(x):
    """Its gradient too."""
    return x.to(torch.bfloat16).float()


def conv_transpose2d_in_bf16(x, weight, bias, *options):
    """bf16 operands and result, sums in float32, as the other convolutions; PyTorch 1.13 leaves this one in float32 on a CPU."""
    with torch.autocast("cpu", enabled=False):
        return conv_transpose2d(*map(to_bf16_and_back, (x, weight, bias)), *options).to(torch.bfloat16)


def of_float32(loss):
    return lambda *tensors: loss(*(t.float() for t in tensors))


@contextlib.contextmanager
def mixed_precision():
    """torch.autocast, whose cache of bf16 weights is off since Adam changes some between two forwards."""
    casts = (
        (F, "conv_transpose2d", conv_transpose2d_in_bf16),
        (losses, "mean_l1", of_float32(losses.mean_l1)),
        (losses, "hole_l1", of_float32(losses.hole_l1)),
        (losses, "gram", lambda features: gram(features).float()),
        (nets.Vgg19, "forward", lambda vgg, image: vgg_forward(vgg, image.float())),
    )
    with contextlib.ExitStack() as stack:
        stack.enter_context(torch.autocast("cpu", dtype=torch.bfloat16, cache_enabled=False))
        for where, name, cast in casts:
            stack.enter_context(mock.patch.object(where, name, cast))
        yield


def rounded_at_random(tensor, random):
    """To one of the two neighbours in bf16, the nearer the likelier."""
    bits = tensor.numpy().view(np.uint32) + random.randint(0, 1 << 16, tensor.shape).astype(np.uint32)
    return torch.from_numpy((bits & np.uint32(0xFFFF0000)).view(np.float32))


def roundings(inputs):
    """RUNS versions of the inputs: as they are, then rounded at random, which makes all later roundings fall differently."""
    yield inputs
    for seed in range(1, RUNS):
        random = np.random.RandomState(seed)
        yield {name: rounded_at_random(t, random) for name, t in inputs.items()}


def with_joined(results):
    """And all/TERM/NETWORK, all gradients of a network in one."""
    joined = collections.defaultdict(list)
    for name, tensor in results.items():
        if name.startswith("grad/"):
            _, term, weight = name.split("/")
            joined[f"all/{term}/{weight.split('.')[0]}"].append(tensor.reshape(-1))
    return {**results, **{name: torch.cat(parts) for name, parts in joined.items()}}


def bf16_errors(run, inputs):
    """run(inputs, dtype) -> results, name -> tensor. -> bf16_error/NAME: the largest error of RUNS roundings."""
    exact, errors = with_joined(run(inputs, torch.float64)), collections.defaultdict(float)
    for version in roundings(inputs):
        with mixed_precision():
            rounded = with_joined(run(version, torch.float32))
        for name, tensor in exact.items():
            error = relative_distance(rounded[name], tensor)
            assert np.isfinite(error), name
            errors[f"bf16_error/{name}"] = max(errors[f"bf16_error/{name}"], error, LEAST_ERROR)
    return {name: torch.tensor(error) for name, error in errors.items()}
