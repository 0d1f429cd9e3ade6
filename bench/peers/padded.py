"""The networks with the channels within their blocks rounded up to multiples of 8 (8, 17, 26 to 8, 24, 32 and so on), which
is what libraries want on GPUs. That is a wider network; with zeros for the weights of what was added it computes the same
function, and stays there in training: added channels are 0, and so are the gradients of all that touches them."""

import torch

import networks

MULTIPLE = 8
LEVELS = 5


def positions(width):
    """-> {(channels, padded channels): where the channels lie among the padded} for each kind of tensor that grows."""
    found = {}
    for level in range(LEVELS):
        widths = networks.nets.block_widths(width << level)
        padded = networks.nets.block_widths(width << level, MULTIPLE)
        joined, begin = [], 0
        for narrow, wide in zip(widths, padded):
            joined += range(begin, begin + narrow)
            begin += wide
        for narrow, wide, places in [*((n, w, list(range(n))) for n, w in zip(widths, padded)), (sum(widths), begin, joined)]:
            if found.setdefault((narrow, wide), places) != places:
                raise ValueError(f"width {width}: {narrow} channels may lie in {wide} in two ways")
    return found


def pad(gan, width, disc_width, momentum=0.99):
    """-> a Gan with padded blocks that computes what `gan` does."""
    like = next(gan.parameters())
    wide = networks.nets.Gan(width, disc_width, momentum=momentum, multiple=MULTIPLE).to(like.device, like.dtype)
    places, narrow = positions(width), gan.state_dict()
    grown = {}
    for name, room in wide.state_dict().items():
        values = narrow[name]
        # A running variance of 1 where nothing was learned, as a new network has it; all else that is added is 0.
        grown[name] = torch.full_like(room, 1.0 if name.endswith("running_var") else 0.0)
        at = [torch.tensor(places[pair]) if pair[0] != pair[1] else torch.arange(pair[0]) for pair in zip(values.shape, room.shape)]
        grown[name][torch.meshgrid(*at, indexing="ij")] = values
    wide.load_state_dict(grown)
    return wide
