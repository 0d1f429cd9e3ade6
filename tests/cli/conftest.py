"""Drives the built binary (environment IPAMEDGAN) as a user would; makes tiny stacks and volumes."""
import json
import os
import pathlib
import subprocess

import h5py
import nibabel
import numpy as np
import pytest

BINARY = os.environ["IPAMEDGAN"]


class Outcome:
    def __init__(self, done):
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr
        self.last = self.err.strip().splitlines()[-1] if self.err.strip() else ""

    @property
    def json(self):
        return json.loads(self.out)


def run(*arguments, timeout=120, **options):
    """Runs `ipamedgan ARGUMENTS` and insists on what holds for every call."""
    done = subprocess.run([BINARY, *map(str, arguments)], capture_output=True, timeout=timeout, text=True, **options)
    outcome = Outcome(done)
    assert done.returncode >= 0, f"died of signal {-done.returncode}: {arguments}"
    assert done.returncode != 1, f"a defect: {outcome.err}"
    assert ("ipamedgan: error: " in outcome.err) == (done.returncode not in (0, 75)), outcome.err
    return outcome


def succeed(*arguments, **options):
    outcome = run(*arguments, **options)
    assert outcome.code == 0, outcome.err
    return outcome


def refuse(code, *arguments, says=(), **options):
    """Must fail with this exit code, nothing on standard output, and the agreed last line that holds all of `says`."""
    outcome = run(*arguments, **options)
    assert outcome.code == code, f"{outcome.code}, not {code}: {outcome.err}"
    assert outcome.out == ""
    assert outcome.last.startswith("ipamedgan: error: ")
    for words in [says] if isinstance(says, str) else says:
        assert words in outcome.last, outcome.last
    return outcome


def leftovers(folder):
    return [name for name in os.listdir(folder) if ".tmp." in name]


def head_slices(count, size=64, seed=0):
    """u8 slices with something like a head: a bright disc with texture on black."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    disc = (x**2 + y**2 < (0.42 * size) ** 2)[None]
    return (disc * rng.integers(60, 200, (count, size, size))).astype(np.uint8)


def make_stack(path, images=None, dataset="images", subjects=None, **attributes):
    images = head_slices(4) if images is None else images
    with h5py.File(path, "w") as file:
        file.create_dataset(dataset, data=images, chunks=(1, *images.shape[1:]))
        if subjects is not None:
            file["subject"] = np.array(subjects, dtype="S16")
        for name, value in attributes.items():
            file.attrs[name] = value
    return path


def make_masks(path, masks=None, count=2, size=64):
    if masks is None:
        masks = np.zeros((count, size, size), np.uint8)
        for i in range(count):
            masks[i, 20 + i : 34 + i, 24:40] = 1
    with h5py.File(path, "w") as file:
        file["masks"] = masks
    return path


def make_volume(path, values=None, spacing=(1.0, 1.0, 1.0)):
    if values is None:
        values = np.moveaxis(head_slices(6), 0, -1).astype(np.int16)
    nibabel.Nifti1Image(values, np.diag([*spacing, 1.0])).to_filename(path)
    return pathlib.Path(path)


@pytest.fixture
def stack(tmp_path):
    return make_stack(tmp_path / "s.h5", subjects=["a", "a", "b", "b"], intensity_range=(0, 255), modality="FLAIR")


@pytest.fixture
def masks(tmp_path):
    return make_masks(tmp_path / "m.h5")
