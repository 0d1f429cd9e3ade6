#!/usr/bin/env python3
"""Checks that ipamedgan and the peers compute the same: the generator's output, and the metrics of three training steps.

    agreement.py --ipamedgan build/bin/ipamedgan [--modes eager,compiled,...] [--size 256] [--width 32] ...

ipamedgan imports random weights, trains for two steps and exports what came out, which the peer loads. Both inpaint the same
stack (`inpaint --composite none`), and both train from these weights on one batch with one mask, so that order and masks
leave no choice: the terms in metrics.csv must be the peer's. On CUDA ipamedgan computes in bf16. Prints one JSON object; exits with 1 where something does not
agree, with 77 where a package is missing.
"""

import csv
import json
import pathlib
import subprocess
import sys
import tempfile

try:
    import h5py
    import numpy as np
    import torch

    import networks
    import peer
    import serve
    from store import load_safetensors, relative_distance, save_safetensors
except ImportError as error:
    print(f"skipped: {error}", file=sys.stderr)
    sys.exit(77)

METRICS = ("d_global", "d_patch", "adversarial", "l1", "perceptual", "style", "total", "grad_norm_g")
BEGIN, STEPS = 2, 3
MOMENTUM = 0.1  # of running statistics, so that those of two steps are the data's
# Distances are relative, from PyTorch in double. Allowed in float32: a few times the distance of PyTorch's own float32, since
# rounding errors grow on their way through the cascade, and never less than this. Adam's first step is about the sign of each
# gradient, also where that is rounding error: from the second step on another order of sums shows.
TIMES_FLOAT32 = 10
AT_LEAST = {"output": 1e-5, "step 1": 1e-4, "step 2": 2e-2, "step 3": 2e-2}
BF16 = 0.2


def call(*command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"agreement: {' '.join(map(str, command))}: {done.stderr.strip()}")


def write_stack(path, images):
    with h5py.File(path, "w") as file:
        file["images"] = images[:, 0].numpy()
        file.attrs["intensity_range"] = [-1.0, 1.0]


def write_vgg(path, vgg):
    """As Keras publishes it."""
    with h5py.File(path, "w") as file:
        for name in vgg.names:
            layer, module = "block" + name.removeprefix("conv").replace("_", "_conv"), getattr(vgg, name)
            file[f"{layer}/{layer}_W_1:0"] = module.weight.permute(2, 3, 1, 0).contiguous().numpy()
            file[f"{layer}/{layer}_b_1:0"] = module.bias.numpy()


def ours(work, arguments, images, mask):
    """-> weights by name, the generator's output, metrics of each step."""
    write_stack(work / "slices.h5", images)
    write_stack(work / "corrupted.h5", networks.batch(images, mask)[0])
    write_vgg(work / "vgg.h5", networks.vgg(arguments.style_layers))
    with h5py.File(work / "masks.h5", "w") as file:
        file["masks"] = mask.to(torch.uint8).numpy()[None]
    settings = {
        "loss.style_layers": arguments.style_layers,
        "net.width": arguments.width,
        "net.disc_width": arguments.disc_width,
        "net.bn_momentum": MOMENTUM,
        "data.size": arguments.size,
        "data.masks": work / "masks.h5",
        "train.batch": len(images),
    }
    # Not from our seed: shifts about 0 make narrow nets chaotic (tests/golden/data.py).
    gan = networks.data.random_gan(np.random.RandomState(0), arguments.width, arguments.disc_width)
    save_safetensors(work / "random.safetensors", gan.state_dict())
    options = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    where = ["--device", arguments.device, "--threads", arguments.threads]
    train = ["train", "--train", work / "slices.h5", "--vgg", work / "vgg.h5", *where, "--quiet"]
    program = arguments.ipamedgan
    call(program, "import", "--weights", work / "random.safetensors", "--run", work / "begun", *options)
    call(program, *train, "--run", work / "begun", "--steps", BEGIN)
    call(program, "export", "--model", work / "begun", "--out", work / "w.safetensors")
    call(
        program,
        "inpaint",
        "--model",
        work / "begun",
        "--in",
        work / "corrupted.h5",
        "--out",
        work / "out.h5",
        "--composite",
        "none",
        *where,
    )
    call(program, "import", "--weights", work / "w.safetensors", "--run", work / "run", *options)
    call(program, *train, "--run", work / "run", "--steps", STEPS)
    with h5py.File(work / "out.h5") as file:
        output = torch.from_numpy(file["images"][()])[:, None].double()
    with open(work / "run/metrics.csv", newline="") as file:
        metrics = [{name: float(row[name]) for name in METRICS} for row in csv.DictReader(file)]
    return load_safetensors(work / "w.safetensors"), output, metrics


class Peer:
    """PyTorch, or ONNX Runtime, from the same weights: what -> value, as ours() returns it."""

    def __init__(self, arguments, weights, images, mask):
        self.arguments, self.weights = arguments, weights
        self.batch = [t.to(arguments.device) for t in networks.batch(images, mask)]

    def gan(self, mode, dtype):
        gan = networks.nets.Gan(self.arguments.width, self.arguments.disc_width, momentum=MOMENTUM)
        gan.load_state_dict(self.weights)
        return peer.prepared(gan, mode, self.arguments, MOMENTUM).to(dtype)

    def results(self, mode, dtype=torch.float32):
        y, x, holes = (t.to(dtype) for t in self.batch)
        output = metrics = None
        if self.arguments.task != "step":
            output = self.output(mode, self.gan("eager" if mode == "onnxruntime" else mode, dtype).generator, y).double().cpu()
        if self.arguments.task != "inference" and mode in peer.MODES:
            vgg = networks.vgg(self.arguments.style_layers).to(self.arguments.device, dtype)
            step = peer.training_step(self.gan(mode, dtype), vgg, mode, self.arguments.device)
            metrics = [{name: value.item() for name, value in step(y, x, holes).items()} for _ in range(STEPS)]
        return output, metrics

    def output(self, mode, generator, y):
        if mode != "onnxruntime":
            return peer.inference(generator, mode, self.arguments.device)(y)
        import export_onnx
        import onnxruntime_peer

        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "generator.onnx"
            export_onnx.export(generator, y, path)
            return torch.from_numpy(onnxruntime_peer.session(path, self.arguments.threads).run(None, {"y": y.numpy()})[0])


def distances(results, exact):
    """-> {"output": distance, "step 1": {metric: distance}, ...}, those that are there."""
    found = {}
    if results[0] is not None and exact[0] is not None:
        found["output"] = {"image": relative_distance(results[0], exact[0])}
    for k, (got, want) in enumerate(zip(results[1] or [], exact[1] or []), 1):
        found[f"step {k}"] = {name: abs(got[name] - want[name]) / abs(want[name]) for name in METRICS}
    return found


def in_bf16(program, arguments):
    return "bf16" in program or (program == "ipamedgan" and arguments.device == "cuda")


def main():
    options = serve.parser(__doc__)
    serve.add_device(options)
    options.add_argument("--ipamedgan", type=pathlib.Path, required=True)
    options.add_argument("--modes", default="eager", help="those of peer.py, and onnxruntime, with commas")
    options.add_argument("--style-layers", type=int, default=networks.STYLE_LAYERS, help="of VGG-19")
    options.add_argument("--task", choices=["inference", "step"], help="only this")
    arguments = options.parse_args()
    if arguments.device == "cuda" and not torch.cuda.is_available():
        sys.exit(f"agreement: error: PyTorch {torch.__version__} sees no CUDA device here")
    torch.set_num_threads(arguments.threads)
    images, mask = networks.slices(arguments.batch, arguments.size)
    with tempfile.TemporaryDirectory() as folder:
        weights, *results = ours(pathlib.Path(folder), arguments, images, mask)
    torch_peer = Peer(arguments, weights, images, mask)
    exact = torch_peer.results("eager", torch.float64)
    float32 = distances(torch_peer.results("eager"), exact)
    found = {"ipamedgan": distances(results, exact), "eager": float32}
    for mode in arguments.modes.split(","):
        if mode not in found:
            found[mode] = distances(torch_peer.results(mode), exact)
    report, agrees = {}, True
    for program, of_program in found.items():
        for what, by_name in of_program.items():
            allowed = {
                name: BF16 if in_bf16(program, arguments) else max(TIMES_FLOAT32 * float32[what][name], AT_LEAST[what])
                for name in by_name
            }
            worst = max(by_name, key=lambda name: by_name[name] / allowed[name])
            line = {
                "worst": worst,
                "distance": by_name[worst],
                "allowed": allowed[worst],
                "agrees": by_name[worst] <= allowed[worst],
            }
            report.setdefault(program, {})[what] = line
            agrees &= line["agrees"]
    print(json.dumps(report, indent=1))
    sys.exit(not agrees)


if __name__ == "__main__":
    main()
