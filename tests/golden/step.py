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


class Trainer:
    """weights: multipliers of the terms of WEIGHTS. keep_gradients: step() also returns gradients, of each term and of the total."""

    def __init__(self, gan, vgg, weights=WEIGHTS):
        self.gan, self.vgg, self.weights = gan.train(), vgg, weights
        self.adam = {name: torch.optim.Adam(net.parameters(), **ADAM) for name, net in gan.named_children()}

    def discriminator_step(self, name, y, x, fake):
        net, adam = getattr(self.gan, name), self.adam[name]
        real_logits, _ = net(y, x)
        fake_logits, _ = net(y, fake.detach())
        loss = losses.discriminator_loss(real_logits, fake_logits)
        adam.zero_grad()
        loss.backward()
        gradients = named_gradients(net, name)
        adam.step()
        return loss, gradients

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

    def step(self, y, x, mask):
        """-> (metrics by name, gradients by 'term/weight name'; the discriminators' term is their own loss)."""
        fake = self.gan.generator(y)
        d_global, grad_global = self.discriminator_step("disc_global", y, x, fake)
        d_patch, grad_patch = self.discriminator_step("disc_patch", y, x, fake)
        terms = self.generator_terms(y, x, mask, fake)
        total = sum(self.weights[name] * terms[name] for name in self.weights)

        net, adam = self.gan.generator, self.adam["generator"]
        names = [f"generator.{name}" for name, _ in net.named_parameters()]
        gradients = {f"discriminator/{name}": g for name, g in {**grad_global, **grad_patch}.items()}
        for term in self.weights:
            alone = torch.autograd.grad(terms[term], list(net.parameters()), retain_graph=True)
            gradients.update({f"{term}/{name}": g for name, g in zip(names, alone)})
        adam.zero_grad()
        total.backward()
        of_total = named_gradients(net, "generator")
        gradients.update({f"total/{name}": g for name, g in of_total.items()})
        adam.step()

        norm = torch.sqrt(sum(g.square().sum() for g in of_total.values()))
        metrics = {"d_global": d_global, "d_patch": d_patch, **terms, "total": total, "grad_norm_g": norm}
        return {name: value.detach() for name, value in metrics.items()}, gradients


def named_gradients(net, prefix):
    return {f"{prefix}.{name}": p.grad.clone() for name, p in net.named_parameters()}
