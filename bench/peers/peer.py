#!/usr/bin/env python3
"""PyTorch at the work of bench_step, in a process of its own.

peer.py inference|step MODE [--device cpu|cuda] [--threads 2] [--batch 4] [--size 256] [--width 32] [--disc-width 64]

MODE: eager, compiled or max-autotune (torch.compile's, on CUDA with CUDA graphs), in float32, or with bf16- in front under
bf16 autocast (`bf16` alone: eager); with -padded behind the channels within blocks are multiples of 8 (padded.py).
"""

import sys

import torch

import networks
import padded
from serve import add_device, parser, serve

# How the forward passes run. Every peer at its best: channels_last, which oneDNN and cuDNN want; fused Adam; compiled inference
# with its weights frozen.
_RUNS = {
    "eager": {},
    "compiled": {"compiled": "default"},
    "max-autotune": {"compiled": "max-autotune"},
    "bf16": {"bf16": True},
    "bf16-compiled": {"bf16": True, "compiled": "default"},
    "bf16-max-autotune": {"bf16": True, "compiled": "max-autotune"},
}
MODES = {**_RUNS, **{f"{name}-padded": how for name, how in _RUNS.items()}}


def wrapped(function, device, bf16=False, compiled=None):
    if bf16:
        function = torch.autocast(device, dtype=torch.bfloat16)(function)
    return torch.compile(function, mode=compiled) if compiled else function


def prepared(gan, mode, arguments, momentum=0.99):
    """On the device, padded where the mode says so."""
    if mode.endswith("-padded"):
        gan = padded.pad(gan, arguments.width, arguments.disc_width, momentum)
    return gan.to(arguments.device)


def begin_step(mode, device):
    """CUDA graphs may reuse the memory of the last step's results."""
    if device == "cuda" and "max-autotune" in mode:
        torch.compiler.cudagraph_mark_step_begin()


def training_step(gan, vgg, mode, device="cpu"):
    """-> step(y, x, mask), which returns the metrics."""
    adam = {"fused": True} if hasattr(torch, "compile") else {}  # PyTorch 1 has it on GPUs only
    trainer = networks.step.Trainer(*(net.to(memory_format=torch.channels_last) for net in (gan, vgg)), **adam)
    for name in ("generate", "discriminator_loss", "generator_terms"):
        setattr(trainer, name, wrapped(getattr(trainer, name), device, **MODES[mode]))

    def step(*inputs):
        begin_step(mode, device)
        return trainer.step(*(t.contiguous(memory_format=torch.channels_last) for t in inputs))

    return step


def inference(generator, mode, device="cpu"):
    """-> forward(y), which returns the image."""
    if MODES[mode].get("compiled"):
        import torch._inductor.config as inductor

        inductor.freezing = True
    forward = wrapped(generator.eval().to(memory_format=torch.channels_last).__call__, device, **MODES[mode])

    def run(y):
        begin_step(mode, device)
        with torch.no_grad():
            return forward(y)

    return run


def facts_on_cuda(run):
    """Kernels of one run, and the most memory that PyTorch had given out."""
    from torch.profiler import ProfilerActivity, profile

    peak = torch.cuda.max_memory_allocated() / 2**20
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiled:
        run()
        torch.cuda.synchronize()
    on_device = [e for e in profiled.events() if e.device_type == torch.autograd.DeviceType.CUDA]
    return {"mib": peak, "launches": sum(not e.name.startswith(("Memcpy", "Memset")) for e in on_device)}


def main():
    options = parser(__doc__)
    add_device(options)
    options.add_argument("task", choices=["inference", "step"])
    options.add_argument("mode", choices=MODES)
    arguments = options.parse_args()
    on_cuda = arguments.device == "cuda"
    if on_cuda and not torch.cuda.is_available():
        sys.exit(f"peer: error: PyTorch {torch.__version__} sees no CUDA device here")
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    torch.backends.cudnn.benchmark = True
    inputs = [t.to(arguments.device) for t in networks.batch(*networks.slices(arguments.batch, arguments.size))]
    gan = prepared(networks.nets.Gan(arguments.width, arguments.disc_width), arguments.mode, arguments)
    if arguments.task == "step":
        step = training_step(gan, networks.vgg().to(arguments.device), arguments.mode, arguments.device)
    else:
        step, inputs = inference(gan.generator, arguments.mode, arguments.device), inputs[:1]

    def run():
        return step(*inputs)

    warm_up = 3 if on_cuda else 2 if MODES[arguments.mode].get("compiled") else 1  # compiles, then records CUDA graphs
    wait, facts = (torch.cuda.synchronize, lambda: facts_on_cuda(run)) if on_cuda else (lambda: None, None)
    serve(run, warm_up, wait, facts)


if __name__ == "__main__":
    main()
