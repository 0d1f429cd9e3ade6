#!/usr/bin/env python3
"""One peer in a process of its own: PyTorch or ONNX Runtime doing the work of bench_step.

    peer.py inference|step MODE [--threads 2] [--batch 4] [--size 256] [--width 32] [--disc-width 64]

Prints `ready` when it is warm; then runs once for every line on standard input and prints the seconds, until its end
(bench_step --serve does the same).
"""
import argparse
import pathlib
import sys
import tempfile
import time

import torch

import networks

# How the forward passes run. Every peer at its best: channels_last, which oneDNN wants; fused Adam; compiled inference with
# its weights frozen.
PYTORCH = {
    "eager": {},
    "compiled": {"compiled": True},
    "bf16": {"bf16": True},
    "bf16-compiled": {"bf16": True, "compiled": True},
}
MODES = {"inference": [*PYTORCH, "onnxruntime"], "step": [*PYTORCH]}


def wrapped(function, bf16=False, compiled=False):
    if bf16:
        function = torch.autocast("cpu", dtype=torch.bfloat16)(function)
    return torch.compile(function) if compiled else function


def training_step(gan, vgg, mode):
    """-> step(y, x, mask), which returns the metrics."""
    adam = {"fused": True} if hasattr(torch, "compile") else {}  # PyTorch 1 has it on GPUs only
    trainer = networks.step.Trainer(*(net.to(memory_format=torch.channels_last) for net in (gan, vgg)), **adam)
    for name in ("generate", "discriminator_loss", "generator_terms"):
        setattr(trainer, name, wrapped(getattr(trainer, name), **PYTORCH[mode]))
    return lambda *inputs: trainer.step(*(t.contiguous(memory_format=torch.channels_last) for t in inputs))


def inference(generator, mode, threads):
    """-> forward(y), which returns the image."""
    if mode == "onnxruntime":
        return onnx_inference(generator.eval(), threads)
    if PYTORCH[mode].get("compiled"):
        import torch._inductor.config as inductor

        inductor.freezing = True
    forward = wrapped(generator.eval().to(memory_format=torch.channels_last).__call__, **PYTORCH[mode])
    return torch.no_grad()(forward)


def onnx_inference(generator, threads):
    import onnxruntime

    session = None

    def forward(y):
        nonlocal session
        if session is None:
            with tempfile.TemporaryDirectory() as folder:
                path = str(pathlib.Path(folder) / "generator.onnx")
                torch.onnx.export(generator, (y,), path, input_names=["y"], output_names=["image"], verbose=False)
                options = onnxruntime.SessionOptions()
                options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
                session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        return torch.from_numpy(session.run(None, {"y": y.numpy()})[0])

    return forward


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=MODES)
    parser.add_argument("mode", choices=MODES["inference"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--disc-width", type=int, default=64)
    arguments = parser.parse_args()
    if arguments.mode not in MODES[arguments.task]:
        parser.error(f"{arguments.mode} takes inference only")
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    y, x, mask = networks.batch(*networks.slices(arguments.batch, arguments.size))
    gan = networks.nets.Gan(arguments.width, arguments.disc_width)
    if arguments.task == "step":
        step = training_step(gan, networks.vgg(), arguments.mode)
        run = lambda: step(y, x, mask)  # noqa: E731
    else:
        forward = inference(gan.generator, arguments.mode, arguments.threads)
        run = lambda: forward(y)  # noqa: E731
    for _ in range(2):  # compiles, fills caches
        run()
    print("ready", flush=True)
    for _ in sys.stdin:
        begin = time.perf_counter()
        run()
        print(time.perf_counter() - begin, flush=True)


if __name__ == "__main__":
    main()
