"""The networks of ipA-MedGAN in PyTorch: an independent reference for the C++ tests.

state_dict() names are the weight names of the program's checkpoints and exports. Activations and pools are modules, and shift()
names the parameter that shifts an activation's input channel by channel, so that margins.py can keep inputs off the kinks.
"""
import torch
from torch import nn
import torch.nn.functional as F

ALPHA = 1.67
PATH_UNITS = (4, 3, 2, 1)


class BatchNorm(nn.Module):
    """Batch norm with the shift always and the scale on request. momentum is PyTorch's: running += momentum (batch - running).

    The running variance takes the unbiased batch variance; normalisation takes the biased one.
    """

    def __init__(self, channels, scale, eps, momentum):
        super().__init__()
        if scale:
            self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))
        self.scale, self.eps, self.momentum = scale, eps, momentum

    def forward(self, x):
        weight = self.weight if self.scale else torch.ones_like(self.bias)
        return F.batch_norm(x, self.running_mean, self.running_var, weight, self.bias, self.training, self.momentum, self.eps)


def generator_norm(channels, scale, momentum):
    """momentum is Keras': running = momentum running + (1 - momentum) batch."""
    return BatchNorm(channels, scale, eps=1e-3, momentum=1 - momentum)


class ConvUnit(nn.Module):
    """Convolution without bias -> batch norm without scale -> ReLU on request."""

    def __init__(self, inputs, outputs, kernel, momentum, activate):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False)
        self.bn = generator_norm(outputs, False, momentum)
        self.activation = nn.ReLU() if activate else nn.Identity()

    def shift(self):
        return self.bn.bias

    def forward(self, x):
        return self.activation(self.bn(self.conv(x)))


def block_widths(width, multiple=1):
    """Of a block's three convolutions, rounded up to a multiple."""
    total = ALPHA * width
    return tuple(-(-int(part * total) // multiple) * multiple for part in (0.167, 0.333, 0.5))


class MultiResBlock(nn.Module):
    def __init__(self, inputs, width, momentum, multiple=1):
        super().__init__()
        a, b, c = block_widths(width, multiple)
        self.outputs = a + b + c
        self.shortcut = ConvUnit(inputs, self.outputs, 1, momentum, activate=False)
        self.conv_a = ConvUnit(inputs, a, 3, momentum, activate=True)
        self.conv_b = ConvUnit(a, b, 3, momentum, activate=True)
        self.conv_c = ConvUnit(b, c, 3, momentum, activate=True)
        self.bn_concat = generator_norm(self.outputs, True, momentum)
        self.bn_out = generator_norm(self.outputs, True, momentum)
        self.activation = nn.ReLU()

    def shift(self):
        return self.bn_concat.bias

    def forward(self, x):
        f1 = self.conv_a(x)
        f2 = self.conv_b(f1)
        f3 = self.conv_c(f2)
        joined = self.bn_concat(torch.cat([f1, f2, f3], 1))
        return self.bn_out(self.activation(self.shortcut(x) + joined))


class PathUnit(nn.Module):
    def __init__(self, inputs, width, momentum):
        super().__init__()
        self.shortcut = ConvUnit(inputs, width, 1, momentum, activate=False)
        self.conv = ConvUnit(inputs, width, 3, momentum, activate=True)
        self.bn = generator_norm(width, True, momentum)
        self.activation = nn.ReLU()

    def shift(self):
        return self.shortcut.bn.bias

    def forward(self, x):
        return self.bn(self.activation(self.shortcut(x) + self.conv(x)))


class ResPath(nn.Module):
    def __init__(self, inputs, width, units, momentum):
        super().__init__()
        for k in range(1, units + 1):
            self.add_module(f"unit{k}", PathUnit(inputs if k == 1 else width, width, momentum))

    def forward(self, x):
        for unit in self.children():
            x = unit(x)
        return x


class MultiResUNet(nn.Module):
    """(N, inputs, H, W) -> tanh of (N, outputs, H, W); H and W multiples of 16. width is U of the first block. multiple: of the
    channels within blocks; 1 is the network, others are wider ones (bench/peers/padded.py)."""

    def __init__(self, width=32, inputs=1, outputs=1, momentum=0.99, multiple=1):
        super().__init__()
        widths = [width << level for level in range(5)]
        channels, encoded = inputs, []
        for k, u in enumerate(widths, 1):
            block = MultiResBlock(channels, u, momentum, multiple)
            self.add_module(f"enc{k}", block)
            channels = block.outputs
            encoded.append(channels)
        for k, units in enumerate(PATH_UNITS, 1):
            self.add_module(f"path{k}", ResPath(encoded[k - 1], widths[k - 1], units, momentum))
        for k, u in zip(range(6, 10), reversed(widths[:4])):
            self.add_module(f"up{k}", nn.ConvTranspose2d(channels, u, 2, stride=2))
            block = MultiResBlock(2 * u, u, momentum, multiple)
            self.add_module(f"dec{k}", block)
            channels = block.outputs
        self.head = nn.Conv2d(channels, outputs, 1)
        self.pool = nn.MaxPool2d(2)

    def forward(self, x):
        skips = []
        for k in range(1, 5):
            x = getattr(self, f"enc{k}")(x)
            skips.append(getattr(self, f"path{k}")(x))
            x = self.pool(x)
        x = self.enc5(x)
        for k in range(6, 10):
            x = getattr(self, f"dec{k}")(torch.cat([getattr(self, f"up{k}")(x), skips.pop()], 1))
        return torch.tanh(self.head(x))


class Cascade(nn.ModuleList):
    """Two MultiRes-UNets, image to image. residual: each adds its tanh output to its input (its head starts at zero) and only
    the final result is clipped to [-1, 1]; the derivative of the clip is 1 at -1 and 1 themselves, as PyTorch's clamp."""

    def __init__(self, width=32, residual=False, momentum=0.99, multiple=1):
        super().__init__(MultiResUNet(width, momentum=momentum, multiple=multiple) for _ in range(2))
        self.residual = residual
        if residual:
            for net in self:
                nn.init.zeros_(net.head.weight)
                nn.init.zeros_(net.head.bias)

    def forward(self, image):
        for net in self:
            image = image + net(image) if self.residual else net(image)
        return torch.clamp(image, -1, 1) if self.residual else image


class PatchLayer(nn.Module):
    """4x4 convolution, padding 1 -> batch norm, except in the first layer, whose convolution has a bias -> LeakyReLU 0.2."""

    def __init__(self, inputs, outputs, stride, norm):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 4, stride, 1, bias=not norm)
        if norm:
            self.bn = BatchNorm(outputs, True, eps=1e-5, momentum=0.1)
        self.norm = norm
        self.activation = nn.LeakyReLU(0.2)

    def forward(self, x):
        x = self.conv(x)
        return self.activation(self.bn(x) if self.norm else x)


class PatchGAN(nn.Module):
    """Input concat(y, image), 2 channels. forward -> (logits, [post-LeakyReLU map of each layer])."""

    def __init__(self, width, n_layers):
        super().__init__()
        channels = 2
        self.layers = []
        for k in range(1, n_layers + 2):
            outputs = width * min(2 ** (k - 1), 8)
            self.add_module(f"layer{k}", PatchLayer(channels, outputs, 2 if k <= n_layers else 1, norm=k > 1))
            self.layers.append(f"layer{k}")
            channels = outputs
        self.score = nn.Conv2d(channels, 1, 4, 1, 1)

    def forward(self, y, image):
        x, maps = torch.cat([y, image], 1), []
        for name in self.layers:
            x = getattr(self, name)(x)
            maps.append(x)
        return self.score(x), maps


class Gan(nn.Module):
    """All trained networks; its state_dict holds exactly the names of a weight file."""

    def __init__(self, width=32, disc_width=64, residual=False, momentum=0.99, multiple=1):
        super().__init__()
        self.generator = Cascade(width, residual, momentum, multiple)
        self.disc_global = PatchGAN(disc_width, n_layers=5)
        self.disc_patch = PatchGAN(disc_width, n_layers=3)


VGG_CONVS = [(f"conv{block}_{k}", 64 * min(2 ** (block - 1), 8)) for block, n in enumerate((2, 2, 4, 4, 4), 1) for k in range(1, n + 1)]
CAFFE_MEAN_BGR = (103.939, 116.779, 123.68)


class ConvReLU(nn.Conv2d):
    def __init__(self, inputs, outputs):
        super().__init__(inputs, outputs, 3, padding=1)
        self.activation = nn.ReLU()

    def shift(self):
        return self.bias

    def forward(self, x):
        return self.activation(super().forward(x))


class Vgg19(nn.Module):
    """The first n_layers convolutions of VGG-19. Images in [-1, 1] (N, 1, H, W) -> [post-ReLU map of each convolution].

    Caffe's preprocessing: intensity 0..255, grey replicated to B, G, R, mean subtracted. Input channels are B, G, R.
    """

    def __init__(self, n_layers=16):
        super().__init__()
        channels = 3
        self.names = [name for name, _ in VGG_CONVS[:n_layers]]
        for name, outputs in VGG_CONVS[:n_layers]:
            self.add_module(name, ConvReLU(channels, outputs))
            channels = outputs
        self.pool = nn.MaxPool2d(2)

    def forward(self, image):
        mean = torch.tensor(CAFFE_MEAN_BGR, dtype=image.dtype, device=image.device).view(1, 3, 1, 1)
        x, maps = (image + 1) * 127.5 - mean, []
        for name in self.names:
            if name.endswith("_1") and maps:
                x = self.pool(x)
            x = getattr(self, name)(x)
            maps.append(x)
        return maps


def parameters(net):
    return sum(p.numel() for p in net.parameters())


def check_counts():
    """Score-map sides at 256x256; the published and computed totals of parameters. Keras counts running statistics too; its head has batch norm in place of the bias,
    so two running statistics more."""
    assert parameters(MultiResUNet(32)) == 7_237_982
    assert parameters(Cascade(32)) == 14_475_964
    assert parameters(PatchGAN(64, 3)) == 2_764_609
    assert parameters(PatchGAN(64, 5)) == 11_155_265
    assert parameters(Vgg19()) == 20_024_384
    colour = MultiResUNet(32, inputs=3)
    assert parameters(colour) + sum(b.numel() for b in colour.buffers()) + 2 == 7_262_750
    image = torch.zeros(1, 1, 256, 256)
    assert PatchGAN(1, 3).eval()(image, image)[0].shape[2:] == (30, 30)
    assert PatchGAN(1, 5).eval()(image, image)[0].shape[2:] == (6, 6)
