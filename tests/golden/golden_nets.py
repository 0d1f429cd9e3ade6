"""Golden files of the networks alone: forward, gradients, running statistics, inference."""
import copy

import numpy as np
import torch

import data
import nets
from bf16 import bf16_errors
from margins import Recorder, margin, settle
from store import thin

WIDTH, DISC_WIDTH, BATCH = 4, 4, 2


def toy_gan(**options):
    """The networks of weights.safetensors, those of the plain cascade whatever the options are."""
    gan = nets.Gan(WIDTH, DISC_WIDTH, **options)
    gan.load_state_dict(data.random_gan(np.random.RandomState(1), WIDTH, DISC_WIDTH).state_dict())
    return gan


def changed_weights(net, prefix):
    """weights/NAME of every tensor that differs from weights.safetensors."""
    common = toy_gan().state_dict()
    named = {prefix + name: tensor for name, tensor in net.state_dict().items()}
    return {f"weights/{name}": t for name, t in named.items() if not torch.equal(t, common[name])}


def forward(net, inputs):
    output = net(*inputs)
    return output[0] if isinstance(output, tuple) else output


def net_case(net, prefix, inputs, cotangent, dtype):
    """inputs: name -> tensor. Gradients are of sum(output * cotangent)."""
    net = copy.deepcopy(net).to(dtype)
    leaves = {name: t.to(dtype).clone().requires_grad_() for name, t in inputs.items()}
    results = {"output_inference": forward(net.eval(), leaves.values()).detach()}
    output = forward(net.train(), leaves.values())
    (output * cotangent.to(dtype)).sum().backward()
    results["output"] = output
    results.update({f"grad/{name}": thin(leaf.grad) for name, leaf in leaves.items()})
    results.update({f"grad/{prefix}{name}": thin(p.grad) for name, p in net.named_parameters()})
    results.update({f"running/{prefix}{name}": b for name, b in net.named_buffers()})
    return {**inputs, "cotangent": cotangent}, results


class NetFile:
    """One network on smooth inputs. The generators are settled first: the shifts that differ from weights.safetensors are
    stored as weights/NAME."""

    def __init__(self, pick, prefix, size, seed, discriminator=False, **options):
        self.pick, self.prefix, self.size, self.seed = pick, prefix, size, seed
        self.discriminator, self.options = discriminator, options

    def build(self, seed):
        random = np.random.RandomState(seed)
        names = ["y", "image"] if self.discriminator else ["y"]
        inputs = {name: data.smooth(random, BATCH, 1, self.size) for name in names}
        net = self.pick(toy_gan(**self.options))
        if not self.discriminator:
            settle(net, *inputs.values())
        with torch.no_grad():
            shape = forward(copy.deepcopy(net), inputs.values()).shape
        return net, inputs, data.normal(random, *shape)

    def case(self, dtype):
        net, inputs, cotangent = self.build(self.seed)
        stored, results = net_case(net, self.prefix, inputs, cotangent, dtype)
        return {**stored, **changed_weights(net, self.prefix)}, results

    def margin(self, seed):
        net, inputs, _ = self.build(seed)
        recorders = []
        for dtype in (torch.float64, torch.float32):
            copied = copy.deepcopy(net).to(dtype).train()
            with torch.no_grad(), Recorder(copied) as recorder:
                recorder.add(1 - forward(copied, [t.to(dtype) for t in inputs.values()]).abs())
            recorders.append(recorder)
        return margin(*recorders)


class CascadeFile(NetFile):
    def bf16_errors(self):
        """Of the output in inference."""
        net, inputs, _ = self.build(self.seed)

        def run(inputs, dtype):
            with torch.no_grad():
                return {"output_inference": copy.deepcopy(net).to(dtype).eval()(inputs["y"].to(dtype))}

        return bf16_errors(run, inputs)


FILES = {
    "net_multires_unet": NetFile(lambda gan: gan.generator[0], "generator.0.", 48, seed=6),
    "net_generator": CascadeFile(lambda gan: gan.generator, "generator.", 48, seed=6),
    "net_generator_residual": CascadeFile(lambda gan: gan.generator, "generator.", 48, seed=15, residual=True, momentum=0.9),
    "net_disc_patch": NetFile(lambda gan: gan.disc_patch, "disc_patch.", 96, seed=15, discriminator=True),
    "net_disc_global": NetFile(lambda gan: gan.disc_global, "disc_global.", 96, seed=15, discriminator=True),
}
