"""Golden files: safetensors, all float32, computed in double beside PyTorch's own float32 for the tolerance."""
import json
import math
import struct

import numpy as np
import torch

MOST = 512            # gradients of more elements are thinned to at most this many
LEAST_ERROR = 2.0 ** -23


def save_safetensors(path, tensors):
    """tensors: name -> tensor; stored as float32 in the order given."""
    header, blobs, offset = {}, [], 0
    for name, tensor in tensors.items():
        blob = tensor.detach().to(torch.float32).contiguous().numpy().astype("<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [offset, offset + len(blob)]}
        blobs.append(blob)
        offset += len(blob)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def load_safetensors(path):
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        data = file.read()
    header.pop("__metadata__", None)
    arrays = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        arrays[name] = torch.from_numpy(np.frombuffer(data[begin:end], "<f4").reshape(entry["shape"]).copy())
    return arrays


def thin(tensor):
    """A tensor of more than MOST elements as every stride-th of its elements in memory order, stride being the smallest number
    >= elements / MOST that has no divisor in common with the number of elements (so no index of a kernel is left out)."""
    count = tensor.numel()
    if count <= MOST:
        return tensor
    stride = -(-count // MOST)
    while math.gcd(stride, count) != 1:
        stride += 1
    return tensor.reshape(-1)[::stride]


def relative_distance(value, exact):
    norm = exact.norm().item()
    distance = (value.double() - exact).norm().item()
    return distance / norm if norm > 0 else distance


def write_golden(path, case, more_errors=dict):
    """case(dtype) -> (inputs, results), each name -> tensor, the same names and inputs for every dtype.

    Stored: the inputs; the results in double; float32_error/NAME for each result, how far PyTorch's float32 lies from double,
    as a relative norm, never below LEAST_ERROR; and more_errors().
    """
    inputs, exact = case(torch.float64)
    _, single = case(torch.float32)
    for name, tensor in inputs.items():
        assert torch.equal(tensor.double(), tensor.float().double()), f"{name} is not a float32 number"
    errors = {}
    for name, tensor in exact.items():
        assert torch.isfinite(tensor).all(), name
        errors[f"float32_error/{name}"] = torch.tensor(max(relative_distance(single[name], tensor), LEAST_ERROR))
    save_safetensors(path, {**inputs, **exact, **errors, **more_errors()})
    worst = max(errors, key=errors.get)
    print(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB, worst {worst} {errors[worst].item():.1e}")
