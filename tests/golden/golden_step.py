"""Golden files of whole training steps of the GAN at toy width; the order of things is step.py's."""
import copy

import numpy as np
import torch

import data
from bf16 import bf16_errors
from golden_nets import BATCH, changed_weights, toy_gan
from golden_ops import toy_vgg
from margins import Recorder, margin, settle
from nets import BatchNorm
from step import WEIGHTS, Trainer
from store import thin

SIZE, STEPS, STYLE_LAYERS = 96, 3, 2
AFTER = (
    "generator.0.enc1.conv_a.conv.weight",
    "generator.0.up6.weight",
    "generator.1.dec9.bn_out.bias",
    "generator.1.head.weight",
    "disc_global.layer2.conv.weight",
    "disc_global.score.bias",
    "disc_patch.layer1.conv.weight",
    "disc_patch.layer4.bn.weight",
)


class StepFile:
    """STEPS steps on the same batch. weights: multipliers of the terms, stored as weight/TERM. shift: added to that of every
    batch norm."""

    def __init__(self, seed, weights=WEIGHTS, terms=(*WEIGHTS, "total", "discriminator"), shift=0.0, **options):
        self.seed, self.weights, self.terms, self.shift, self.options = seed, weights, terms, shift, options

    def build(self, seed):
        """-> (gan, vgg, inputs), settled on this batch."""
        x, y, mask = data.slices_with_holes(np.random.RandomState(seed), BATCH, SIZE)
        gan, vgg = toy_gan(**self.options), toy_vgg(STYLE_LAYERS)
        with torch.no_grad():
            for norm in (m for m in gan.modules() if isinstance(m, BatchNorm)):
                norm.bias += self.shift
        settle(gan.generator, y)
        with torch.no_grad():
            settle(vgg, toy_copy(gan.generator)(y.double()))
        return gan, vgg, {"x": x, "y": y, "mask": mask}

    def run(self, parts, dtype, steps):
        gan, vgg, inputs = parts
        trainer = Trainer(toy_copy(gan, dtype), toy_copy(vgg, dtype), self.weights)
        for _ in range(steps):
            gradients = {}
            metrics = trainer.step(*(inputs[name].to(dtype) for name in ("y", "x", "mask")), gradients)
            yield trainer.gan, metrics, gradients

    def results(self, parts, dtype, steps):
        results = {}
        for k, (trained, metrics, gradients) in enumerate(self.run(parts, dtype, steps), 1):
            results.update({f"metrics/step{k}/{name}": value for name, value in metrics.items()})
            if k == 1:
                kept = {name: g for name, g in gradients.items() if name.split("/")[0] in self.terms}
                results.update({f"grad/{name}": g for name, g in kept.items()})
                results.update({f"running/{name}": b.clone() for name, b in trained.named_buffers()})
                results.update({f"after/{name}": trained.state_dict()[name].clone() for name in AFTER})
        return results

    def case(self, dtype):
        parts = gan, vgg, inputs = self.build(self.seed)
        results = self.results(parts, dtype, STEPS)
        results = {name: thin(t) if name.startswith(("grad/", "after/")) else t for name, t in results.items()}
        common = toy_vgg(STYLE_LAYERS).state_dict()
        moved = {f"weights/vgg.{k}": t for k, t in vgg.state_dict().items() if not torch.equal(t, common[k])}
        stored = {**inputs, **changed_weights(gan, ""), **moved}
        stored.update({f"weight/{name}": torch.tensor(value).float() for name, value in self.weights.items()})
        return stored, results

    def bf16_errors(self):
        """Of the first step but for the weights after it, which Adam moved by about the sign of each gradient."""
        gan, vgg, inputs = self.build(self.seed)

        def run(inputs, dtype):
            results = self.results((gan, vgg, inputs), dtype, 1)
            return {name: t for name, t in results.items() if not name.startswith("after/")}

        return bf16_errors(run, inputs)

    def margin(self, seed):
        """Over every kink that a gradient of the first step passes, those of |.| and of the clip too."""
        settled_gan, settled_vgg, inputs = self.build(seed)
        recorders = []
        for dtype in (torch.float64, torch.float32):
            gan, vgg = toy_copy(settled_gan, dtype), toy_copy(settled_vgg, dtype)
            trainer = Trainer(gan, vgg, self.weights)
            x, y = inputs["x"].to(dtype), inputs["y"].to(dtype)
            with Recorder(gan.generator) as recorder:
                fake = gan.generator(y)
            recorder.add(fake - x)
            recorder.add(1 - fake.abs())
            for name in ("disc_global", "disc_patch"):
                with Recorder(getattr(gan, name)) as of_phase:
                    trainer.discriminator_step(name, y, x, fake)
                with torch.no_grad(), Recorder(getattr(gan, name)) as of_fake:
                    fake_maps = getattr(gan, name)(y, fake)[1]
                recorder.distances += of_phase.distances + of_fake.distances
            with torch.no_grad(), Recorder(vgg) as of_vgg:
                vgg(fake)
                real_maps = gan.disc_patch(y, x)[1]
            recorder.distances += of_vgg.distances
            for f, r in zip(fake_maps, real_maps):
                recorder.add(f - r)
            recorders.append(recorder)
        return margin(*recorders)


def toy_copy(net, dtype=torch.float64):
    return copy.deepcopy(net).to(dtype)


FILES = {
    "step": StepFile(seed=1),
    "step_residual": StepFile(
        seed=8, weights={**WEIGHTS, "hole": 0.25}, terms=("hole", "total", "discriminator"), residual=True, momentum=0.9
    ),
    "step_shifted": StepFile(seed=1, terms=("perceptual", "style", "total", "discriminator"), shift=1.5),
}
