"""The losses of ipA-MedGAN. Every one is a mean over the batch."""
import torch
import torch.nn.functional as F


def bce(logits, label):
    """Mean binary cross entropy of a score map against the constant label 0 or 1."""
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))


def mean_l1(a, b):
    """Mean over all elements; the derivative of |.| at 0 is 0."""
    return (a - b).abs().mean()


def perceptual(fake_maps, real_maps):
    """Sum over the maps of their mean absolute difference; the caller adds the L1 of the images."""
    return sum(mean_l1(f, r) for f, r in zip(fake_maps, real_maps))


def gram(features):
    """(N, d, h, w) -> (N, d, d), divided by h w d."""
    n, d, h, w = features.shape
    flat = features.reshape(n, d, h * w)
    return flat @ flat.transpose(1, 2) / (h * w * d)


def style_layer(fake, real):
    """1 / (4 d^2) times the squared Frobenius norm of the difference of Gram matrices, per image, then the batch mean."""
    return (gram(fake) - gram(real)).square().sum((1, 2)).mean() / (4 * fake.shape[1] ** 2)


def style(fake_maps, real_maps):
    return sum(style_layer(f, r) for f, r in zip(fake_maps, real_maps))


def hole_l1(fake, real, mask):
    """Per image the mean absolute error over the hole's pixels (mask 1; an empty hole gives 0), then the mean over the batch."""
    area = mask.sum((1, 2, 3)).clamp(min=1)
    return (((fake - real).abs() * mask).sum((1, 2, 3)) / area).mean()


def discriminator_loss(real_logits, fake_logits):
    return (bce(real_logits, 1.0) + bce(fake_logits, 0.0)) / 2
