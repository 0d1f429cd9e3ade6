"""A tiny trained model, and slices with something to repair: what the tests of inpaint share."""
import h5py
import nibabel
import numpy as np

from conftest import make_stack, succeed

TINY = ["--preset", "demo", "--set", "net.width=4", "--set", "net.disc_width=4", "--set", "data.size=96"]


def smooth_heads(count, size=96, seed=0):
    """u8 slices (N, size, size): a disc with soft waves on black; smooth, so that a tiny model learns to fill it."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    disc = x**2 + y**2 < (0.42 * size) ** 2
    waves = [rng.uniform(0.05, 0.12, 2) for _ in range(count)]
    return np.array([disc * (130 + 30 * np.sin(a * x + i) + 30 * np.sin(b * y + i)) for i, (a, b) in enumerate(waves)]).astype(np.uint8)


def with_holes(heads, side=20):
    """The same slices with a black square in the head, at another place in each."""
    holed = heads.copy()
    for i, slice_ in enumerate(holed):
        row, column = (np.array(slice_.shape) - side) // 2 + [4 * (i % 5) - 8, 6 - 4 * (i % 4)]
        slice_[max(row, 0) : row + side, max(column, 0) : column + side] = 0
    return holed


def train_tiny(folder, *more, steps=60):
    make_stack(folder / "train.h5", smooth_heads(24), subjects=["a"] * 24)
    make_stack(folder / "val.h5", smooth_heads(4, seed=7), subjects=["v"] * 4)
    succeed("train", "--run", folder / "model", "--train", folder / "train.h5", "--val", folder / "val.h5", *TINY, "--set",
            f"validate.every={steps}", "--steps", steps, *more)
    return folder / "model"


def inpaint(model, source, goal, *more):
    """Runs `inpaint`; returns images and change of the stack it wrote, and what it said."""
    outcome = succeed("inpaint", "--model", model, "--in", source, "--out", goal, *more)
    with h5py.File(goal) as file:
        return file["images"][()], file["change"][()], outcome


def bits(array):
    """The numbers' bytes, so that -0, NaN and rounding cannot hide."""
    array = np.ascontiguousarray(array)
    return array.view(np.uint8).reshape(*array.shape, array.itemsize)


def same_outside(result, source, where):
    return (bits(result) == bits(source)).all(-1)[np.asarray(where) == 0].all()


def same_numbers(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def stored(path):
    """A volume's numbers as they stand in the file, without slope."""
    return np.asanyarray(nibabel.load(path).dataobj.get_unscaled())
