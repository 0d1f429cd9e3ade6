"""Golden files of single operations and losses, values and gradients. Gradients are of sum(output * cotangent)."""
import numpy as np
import torch
import torch.nn.functional as F

import data
import losses
import nets
from store import thin


class Cases:
    """Collects named cases into one file: NAME/INPUT, NAME/cotangent, NAME/output, NAME/grad/INPUT.

    One random stream runs through all cases: one that goes leaves a skip() behind, so that the others keep their numbers.
    """

    def __init__(self, dtype, seed):
        self.dtype, self.random = dtype, np.random.RandomState(seed)
        self.inputs, self.results = {}, {}

    def normal(self, *shape):
        return data.normal(self.random, *shape)

    def skip(self, count):
        self.normal(count)

    def add(self, name, function, no_gradient=(), **inputs):
        leaves = {k: t.to(self.dtype).clone().requires_grad_(k not in no_gradient) for k, t in inputs.items()}
        output = function(**leaves)
        cotangent = self.normal(*output.shape) if output.dim() else torch.ones(())
        self.inputs.update({f"{name}/{k}": t for k, t in inputs.items()})
        self.results[f"{name}/output"] = output
        if not output.requires_grad:
            return
        (output * cotangent.to(self.dtype)).sum().backward()
        if output.dim():
            self.inputs[f"{name}/cotangent"] = cotangent
        self.results.update({f"{name}/grad/{k}": t.grad for k, t in leaves.items() if t.requires_grad})


def resampling(cases):
    small = cases.normal(2, 3, 5, 7)
    for mode, options in (("nearest", {}), ("bilinear", {"align_corners": False})):
        cases.add(f"{mode}_double", lambda x: F.interpolate(x, scale_factor=2, mode=mode, **options), x=small)
        cases.skip(2 * 3 * 13 * 11)
    ties = torch.from_numpy(cases.random.randint(0, 3, (2, 3, 8, 6)).astype(np.float32))
    cases.add("max_pool_ties", lambda x: F.max_pool2d(x, 2), x=ties)
    cases.add("max_pool", lambda x: F.max_pool2d(x, 2), x=cases.normal(2, 3, 8, 6))


def convolutions(cases):
    def conv(**options):
        return lambda x, weight, bias: F.conv2d(x, weight, bias, **options)

    x = cases.normal(2, 5, 12, 10)
    for name, kernel, options in (
        ("conv_1x1", 1, {}),
        ("conv_3x3", 3, {"padding": 1}),
        ("conv_3x3_dilation_2", 3, {"padding": 2, "dilation": 2}),
        ("conv_3x3_dilation_4", 3, {"padding": 4, "dilation": 4}),
        ("conv_4x4", 4, {"padding": 1}),
        ("conv_4x4_stride_2", 4, {"padding": 1, "stride": 2}),
    ):
        cases.add(name, conv(**options), x=x, weight=cases.normal(7, 5, kernel, kernel), bias=cases.normal(7))
    transposed = lambda x, weight, bias: F.conv_transpose2d(x, weight, bias, stride=2)
    cases.add("conv_transposed", transposed, x=x, weight=cases.normal(5, 7, 2, 2), bias=cases.normal(7))


def batch_norms(cases):
    """running_* are the statistics before; NAME/running/mean and /var those after a train-mode forward. Inference mode is
    never differentiated."""
    for name, scale, eps, momentum, training in (
        ("batch_norm_generator", True, 1e-3, 0.01, True),
        ("batch_norm_generator_no_scale", False, 1e-3, 0.01, True),
        ("batch_norm_discriminator", True, 1e-5, 0.1, True),
        ("batch_norm_inference", True, 1e-3, 0.01, False),
    ):
        x = 3 * cases.normal(3, 4, 5, 6) + 10 * cases.normal(1, 4, 1, 1)
        inputs = {"x": x, "bias": cases.normal(4)}
        if scale:
            inputs["weight"] = data.uniform(cases.random, 0.5, 1.5, 4)
        mean, var = cases.normal(4), data.uniform(cases.random, 0.5, 2, 4)
        moved = [mean.to(cases.dtype).clone(), var.to(cases.dtype).clone()]

        def norm(x, bias, weight=None):
            weight = torch.ones_like(bias) if weight is None else weight
            return F.batch_norm(x, moved[0], moved[1], weight, bias, training, momentum, eps)

        cases.inputs.update({f"{name}/running_mean": mean, f"{name}/running_var": var})
        cases.add(name, norm, () if training else inputs, **inputs)
        if training:
            cases.results.update({f"{name}/running/mean": moved[0], f"{name}/running/var": moved[1]})


def element_wise(cases):
    kinks = torch.tensor([-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0])
    cases.add("relu", lambda x: F.relu(x), x=kinks)
    cases.add("leaky_relu", lambda x: F.leaky_relu(x, 0.2), x=kinks)
    cases.skip(7)
    cases.add("clip", lambda x: torch.clamp(x, -1, 1), x=kinks)
    cases.add("tanh", lambda x: torch.tanh(x), x=kinks)


def adam(cases):
    """adam/grad_K is the gradient of step K; adam/value_K the parameter after it."""
    value = cases.normal(37)
    parameter = value.to(cases.dtype).clone().requires_grad_()
    optimiser = torch.optim.Adam([parameter], lr=2e-4, betas=(0.5, 0.999), eps=1e-8)
    cases.inputs["adam/value_0"] = value
    for k in range(1, 6):
        gradient = cases.normal(37) * 10.0 ** cases.random.randint(-8, 3)
        parameter.grad = gradient.to(cases.dtype)
        optimiser.step()
        cases.inputs[f"adam/grad_{k}"] = gradient
        cases.results[f"adam/value_{k}"] = parameter.detach().clone()


def ops(dtype):
    cases = Cases(dtype, seed=10)
    for group in (resampling, convolutions, batch_norms, element_wise, adam):
        group(cases)
    return cases.inputs, cases.results


def loss_cases(dtype):
    cases = Cases(dtype, seed=11)
    logits = 3 * cases.normal(2, 1, 6, 6)
    logits[0, 0, 0, :4] = torch.tensor([-200.0, -50.0, 50.0, 200.0])
    cases.add("bce_real", lambda logits: losses.bce(logits, 1.0), logits=logits)
    cases.add("bce_fake", lambda logits: losses.bce(logits, 0.0), logits=logits)
    fake, real = cases.normal(2, 1, 9, 7), cases.normal(2, 1, 9, 7)
    real[0, 0, 0] = fake[0, 0, 0]
    cases.add("l1", losses.mean_l1, ["b"], a=fake, b=real)
    mask = (cases.normal(2, 1, 9, 7) > 0.5).float()
    cases.add("hole_l1", losses.hole_l1, ["real", "mask"], fake=fake, real=real, mask=mask)
    shapes = [(2, 3, 8, 8), (2, 5, 4, 4), (2, 7, 2, 2), (2, 7, 1, 1)]
    maps = {f"fake{k}": cases.normal(*s) for k, s in enumerate(shapes, 1)}
    maps.update({f"real{k}": cases.normal(*s) for k, s in enumerate(shapes, 1)})
    targets = [name for name in maps if name.startswith("real")]

    def split(function):
        return lambda **m: function([m[f"fake{k}"] for k in range(1, 5)], [m[f"real{k}"] for k in range(1, 5)])

    cases.add("perceptual", split(losses.perceptual), targets, **maps)
    cases.add("style", split(losses.style), targets, **maps)
    cases.add("gram", losses.gram, features=cases.normal(2, 5, 6, 4))
    return cases.inputs, cases.results


def toy_vgg(n_layers, dtype=torch.float32):
    """The convolutions of vgg.safetensors: random weights of the true shapes, biases of the size that activations have."""
    vgg, random = nets.Vgg19(3), np.random.RandomState(2)
    with torch.no_grad():
        for parameter in vgg.parameters():
            if parameter.dim() == 4:
                parameter.copy_((2 / parameter[0].numel()) ** 0.5 * data.normal(random, *parameter.shape))
            else:
                parameter.copy_(20 * data.normal(random, *parameter.shape))
    prefix = nets.Vgg19(n_layers)
    prefix.load_state_dict({k: v for k, v in vgg.state_dict().items() if k.rsplit(".", 1)[0] in prefix.names})
    for parameter in prefix.parameters():
        parameter.requires_grad_(False)
    return prefix.to(dtype)


def vgg(dtype):
    """Style loss of three layers on 32x32 images: its terms, the gradient with respect to fake, and the feature maps (thinned)."""
    random = np.random.RandomState(12)
    inputs = {"fake": data.smooth(random, 2, 1, 32), "real": data.smooth(random, 2, 1, 32)}
    net = toy_vgg(3, dtype)
    fake, real = inputs["fake"].to(dtype).clone().requires_grad_(), inputs["real"].to(dtype)
    fake_maps, real_maps = net(fake), net(real)
    results = {f"features/{name}": thin(m) for name, m in zip(net.names, fake_maps)}
    results.update({f"style/{name}": losses.style_layer(f, r) for name, f, r in zip(net.names, fake_maps, real_maps)})
    results["style"] = losses.style(fake_maps, real_maps)
    results["style"].backward()
    results["grad/fake"] = fake.grad
    weights = {f"weights/vgg.{name}": t for name, t in toy_vgg(3).state_dict().items()}
    return {**inputs, **weights}, results


class CaseFile:
    def __init__(self, case):
        self.case = case


FILES = {"ops": CaseFile(ops), "losses": CaseFile(loss_cases), "vgg": CaseFile(vgg)}
