"""One training step of the GAN, in the order that the C++ trainer follows.

1. fake = G(y), train mode: G's running statistics move once.
2. D_g, then D_p: logits of (y, x), then of (y, fake) without a gradient into G, each batch normalised by its own statistics;
   loss 1/2 [BCE(real, 1) + BCE(fake, 0)]; Adam.
3. With the updated discriminators, D_g(y, fake) and D_p(y, fake) anew, then, if the perceptual weight is not 0, D_p(y, x);
   all in train mode, no gradient into the branch of x. Adam on G with the gradient of the weighted total.

So running statistics move in this order: D_g real, fake, fake; D_p real, fake, fake, real.
Metrics: each term is computed before the update, in that step, of the network it trains, as metrics.csv defines them.
"""
import torch

import losses

WEIGHTS = {"adversarial": 1.0, "perceptual": 20.0, "style": 1e-2, "hole": 0.0}
ADAM = {"lr": 2e-4, "betas": (0.5, 0.999), "eps": 1e-8}


DISCRIMINATORS = ("disc_global", "disc_patch")


class Trainer:
    """weights: multipliers of the terms of WEIGHTS. adam: more options of torch.optim.Adam.

    generate, discriminator_loss and generator_terms are all forward passes of a step; bench/peers wraps them.
    """

    def __init__(self, gan, vgg, weights=WEIGHTS, **adam):
        self.gan, self.vgg, self.weights = gan.train(), vgg, weights
        self.adam = {name: torch.optim.Adam(net.parameters(), **ADAM, **adam) for name, net in gan.named_children()}

    def generate(self, y):
        return self.gan.generator(y)

    def discriminator_loss(self, name, y, x, fake):
        net = getattr(self.gan, name)
        real_logits, _ = net(y, x)
        fake_logits, _ = net(y, fake)
        return losses.discriminator_loss(real_logits, fake_logits)

    def generator_terms(self, y, x, mask, fake):
        """The unweighted terms that the total is made of, and l1, a part of perceptual."""
        global_logits, _ = self.gan.disc_global(y, fake)
        patch_logits, fake_maps = self.gan.disc_patch(y, fake)
        l1 = losses.mean_l1(fake, x)
        terms = {"adversarial": losses.bce(global_logits, 1.0) + losses.bce(patch_logits, 1.0), "l1": l1, "perceptual": l1}
        with torch.no_grad():
            if self.weights["perceptual"] != 0:
                _, real_maps = self.gan.disc_patch(y, x)
            real_features = self.vgg(x)
        if self.weights["perceptual"] != 0:
            terms["perceptual"] = l1 + losses.perceptual(fake_maps, real_maps)
        terms["style"] = losses.style(self.vgg(fake), real_features)
        terms["hole"] = losses.hole_l1(fake, x, mask)
        return terms

    def update(self, name, loss):
        self.adam[name].zero_grad()
        loss.backward()
        self.adam[name].step()

    def discriminator_step(self, name, y, x, fake):
        loss = self.discriminator_loss(name, y, x, fake.detach())
        self.update(name, loss)
        return loss

    def step(self, y, x, mask, gradients=None):
        """-> metrics by name. gradients, a dict, takes those of each term alone and of the total, by 'term/weight name'; the
        discriminators' term is their own loss."""
        fake = self.generate(y)
        metrics = {}
        for name in DISCRIMINATORS:
            metrics[name.replace("disc", "d")] = self.discriminator_step(name, y, x, fake)
            if gradients is not None:
                gradients.update(named_gradients(self.gan, name, "discriminator"))
        for name in DISCRIMINATORS:  # which the generator's loss passes through
            getattr(self.gan, name).requires_grad_(False)
        terms = self.generator_terms(y, x, mask, fake)
        total = sum(self.weights[name] * terms[name] for name in self.weights)
        if gradients is not None:
            net = self.gan.generator
            for term in self.weights:
                alone = torch.autograd.grad(terms[term], list(net.parameters()), retain_graph=True)
                gradients.update({f"{term}/generator.{name}": g for (name, _), g in zip(net.named_parameters(), alone)})
        self.update("generator", total)
        for name in DISCRIMINATORS:
            getattr(self.gan, name).requires_grad_(True)
        if gradients is not None:
            gradients.update(named_gradients(self.gan, "generator", "total"))

        norm = torch.sqrt(sum(p.grad.square().sum() for p in self.gan.generator.parameters()))
        metrics = {**metrics, **terms, "total": total, "grad_norm_g": norm}
        return {name: value.detach() for name, value in metrics.items()}


def named_gradients(gan, net, term):
    return {f"{term}/{net}.{name}": p.grad.clone() for name, p in getattr(gan, net).named_parameters()}
