"""Mutants of every format that is read, through the commands that read it (mutants.py). Of files with checksums (our own stacks,
checkpoints, gzip) what is read must be right whenever the exit code is 0."""
import gzip
import json
import pathlib

import h5py
import numpy as np
import pytest

from mutants import Ended, matrix
from conftest import head_slices, make_masks, make_stack, make_volume, succeed
from inpaint_case import TINY


def holes(count):
    masks = np.zeros((count, 32, 32), np.uint8)
    masks[:, 10:20, 12:18] = 1
    return masks


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("mutants")


@pytest.fixture(scope="module")
def theirs(folder):
    """As h5py writes it: the oldest format, no checksum."""
    return make_stack(folder / "theirs.h5", head_slices(4, 32), subjects=["a", "a", "b", "b"], intensity_range=(0, 255), modality="FLAIR")


@pytest.fixture(scope="module")
def packed(folder):
    """The same with what HDF5 has more: groups, soft links, text, filters, many attributes."""
    path = folder / "packed.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("images", data=head_slices(4, 32).astype("i2"), chunks=(2, 16, 32), compression="gzip", shuffle=True)
        file["subject"] = ["a", "längere", "b", "b"]
        file["slice_index"] = np.arange(4, dtype=">i4")
        file["more/deep/numbers"] = np.arange(10.0)
        file["link"] = h5py.SoftLink("/more/deep")
        file["more"].attrs["unit"] = "mm"
        for i in range(12):
            file.attrs[f"a{i}"] = np.arange(i + 1)
    return path


@pytest.fixture(scope="module")
def ours(folder, theirs):
    make_masks(folder / "m.h5", holes(2))
    succeed("corrupt", "--in", theirs, "--masks", folder / "m.h5", "--out", folder / "ours.h5")
    return folder / "ours.h5"


@pytest.fixture(scope="module")
def weights(folder, theirs):
    """A run folder begun with weights, and those weights."""
    make_stack(folder / "train.h5", head_slices(4, 96))
    succeed("train", "--run", folder / "run", "--train", folder / "train.h5", *TINY, "--steps", 1)
    succeed("export", "--model", folder / "run", "--out", folder / "w.safetensors")
    return folder / "w.safetensors"


def same(wanted, *names):
    def check(ended):
        got = json.loads(ended.out)
        wrong = [name for name in names if got[name] != wanted[name]]
        return f"silently wrong: {wrong}" if wrong else None

    return check


def info(path):
    return ["info", path, "--json"]


def test_stacks_of_other_programs(folder, theirs, packed):
    codes = matrix("theirs", theirs.read_bytes(), 100, info, folder, head=8192)
    assert codes.get(0) and codes.get(3)
    codes = matrix("packed", packed.read_bytes(), 100, info, folder, head=16384)
    assert codes.get(0) and codes.get(3)


def test_copying_what_a_stack_holds_beside_its_slices(folder, packed):
    make_masks(folder / "one.h5", holes(1))

    def corrupt(path):
        return ["corrupt", "--in", path, "--masks", folder / "one.h5", "--out", path.with_suffix(".out"), "--force"]

    matrix("corrupt", packed.read_bytes(), 60, corrupt, folder, head=16384)


def test_our_stacks_are_read_right_or_not_at_all(folder, ours):
    def score(path):
        return ["score", "--target", ours, "--output", path, "--json"]

    def check(ended):
        scores = json.loads(ended.out)
        return None if scores == perfect else "silently wrong pixels"

    perfect = json.loads(Ended(score(ours)).out)
    codes = matrix("ours", ours.read_bytes(), 100, score, folder, head=1 << 20, check=check)
    assert codes.get(3)


def test_masks(folder, ours, theirs):
    matrix("masks", (folder / "m.h5").read_bytes(), 30, lambda path: ["score", "--target", theirs, "--output", theirs, "--masks", path], folder)


def test_volumes(folder):
    volume = make_volume(folder / "v.nii", np.moveaxis(head_slices(6, 24), 0, -1).astype(np.int16))
    good = volume.read_bytes()
    codes = matrix("volume", good, 80, info, folder, head=352, suffix=".nii")
    assert codes.get(0) and codes.get(3)

    def prepare(path):
        return ["prepare", path, "--size", 32, "--out", path.with_suffix(".h5"), "--force"]

    matrix("prepare", good, 30, prepare, folder, head=352, suffix=".nii")
    packed = folder / "v.nii.gz"
    packed.write_bytes(gzip.compress(good, mtime=0))
    wanted = json.loads(Ended(info(packed)).out)
    names = ["shape", "dtype", "spacing", "affine", "minimum", "maximum", "mean"]
    matrix("gzip", packed.read_bytes(), 60, info, folder, head=1 << 20, suffix=".nii.gz", check=same(wanted, *names))


def test_checkpoints_are_read_right_or_not_at_all(folder, weights):
    newest = max((folder / "run").glob("checkpoint_*.h5"))
    wanted = json.loads(Ended(info(newest)).out)
    del wanted["file"]
    codes = matrix("checkpoint", newest.read_bytes(), 60, info, folder, head=4096, check=same(wanted, *wanted))
    assert codes.get(3)


def test_safetensors(folder, weights):
    good = weights.read_bytes()
    head = 8 + int.from_bytes(good[:8], "little")

    def load(path):
        return ["import", "--weights", path, "--run", path.with_suffix(".run"), *TINY[:6]]

    succeed(*load(weights))
    codes = matrix("weights", good, 30, load, folder, head=head, suffix=".safetensors")
    assert codes.get(3)


def test_weights_of_vgg19(folder, weights):
    """Only the structure: the file is large, and every change of a weight is as good as another."""
    path, shapes, before = folder / "vgg.h5", [], 3
    for block, (length, width) in enumerate([(2, 64), (2, 128), (1, 256)], 1):
        for i in range(1, length + 1):
            shapes.append((f"block{block}_conv{i}", before, width))
            before = width
    with h5py.File(path, "w") as file:
        for name, n_in, n_out in shapes:
            file[f"{name}/{name}_W_1:0"] = np.full((3, 3, n_in, n_out), 1e-3, "f4")
            file[f"{name}/{name}_b_1:0"] = np.zeros(n_out, "f4")

    def train(mutant):
        return ["train", "--run", mutant.with_suffix(".run"), "--train", folder / "train.h5", *TINY, "--steps", 1, "--vgg", mutant,
                "--set", "loss.style=1", "--set", f"loss.style_layers={len(shapes)}"]

    succeed(*train(path))
    matrix("vgg", path.read_bytes(), 6, train, folder, head=8192)
