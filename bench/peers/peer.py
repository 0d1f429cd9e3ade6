#!/usr/bin/env python3
"""PyTorch at the work of bench_step, in a process of its own.

peer.py inference|step MODE [--threads 2] [--batch 4] [--size 256] [--width 32] [--disc-width 64]
"""

import torch

import networks
from serve import parser, serve

# How the forward passes run. Every peer at its best: channels_last, which oneDNN wants; fused Adam; compiled inference with
# its weights frozen.
MODES = {"eager": {}, "compiled": {"compiled": True}, "bf16": {"bf16": True}, "bf16-compiled": {"bf16": True, "compiled": True}}


def wrapped(function, bf16=False, compiled=False):
    if bf16:
        function = torch.autocast("cpu", dtype=torch.bfloat16)(function)
    return torch.compile(function) if compiled else function


def training_step(gan, vgg, mode):
    """-> step(y, x, mask), which returns the metrics."""
    adam = {"fused": True} if hasattr(torch, "compile") else {}  # PyTorch 1 has it on GPUs only
    trainer = networks.step.Trainer(*(net.to(memory_format=torch.channels_last) for net in (gan, vgg)), **adam)
    for name in ("generate", "discriminator_loss", "generator_terms"):
        setattr(trainer, name, wrapped(getattr(trainer, name), **MODES[mode]))
    return lambda *inputs: trainer.step(*(t.contiguous(memory_format=torch.channels_last) for t in inputs))


def inference(generator, mode):
    """-> forward(y), which returns the image."""
    if MODES[mode].get("compiled"):
        import torch._inductor.config as inductor

        inductor.freezing = True
    forward = wrapped(generator.eval().to(memory_format=torch.channels_last).__call__, **MODES[mode])
    return torch.no_grad()(forward)


def main():
    options = parser(__doc__)
    options.add_argument("task", choices=["inference", "step"])
    options.add_argument("mode", choices=MODES)
    arguments = options.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    inputs = networks.batch(*networks.slices(arguments.batch, arguments.size))
    gan = networks.nets.Gan(arguments.width, arguments.disc_width)
    if arguments.task == "step":
        run = training_step(gan, networks.vgg(), arguments.mode)
    else:
        run, inputs = inference(gan.generator, arguments.mode), inputs[:1]
    serve(lambda: run(*inputs), warm_up=2 if MODES[arguments.mode].get("compiled") else 1)  # the first call compiles


if __name__ == "__main__":
    main()
