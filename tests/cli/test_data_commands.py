"""What holds for every command that writes or reads slices: outputs that exist or cannot be written, hostile inputs."""
import os
import resource

import h5py
import numpy as np
import pytest

from conftest import head_slices, leftovers, make_stack, refuse, run, succeed

AS_ROOT = os.geteuid() == 0


@pytest.fixture(params=["prepare", "masks", "corrupt", "score"])
def writing(request, stack, masks):
    """Arguments of a command that writes, but for the last one, the output."""
    return {
        "prepare": ["prepare", stack, "--size", 64, "--out"],
        "masks": ["masks", "--kind", "square", "--split", "test", "--out"],
        "corrupt": ["corrupt", "--in", stack, "--masks", masks, "--out"],
        "score": ["score", "--target", stack, "--output", stack, "--per-slice"],
    }[request.param]


def test_an_existing_output_is_kept_without_force(tmp_path, writing):
    out = tmp_path / "out"
    out.write_text("precious")
    refuse(2, *writing, out, says=["the output exists", str(out), "--force"])
    assert out.read_text() == "precious"
    succeed(*writing, out, "--force")
    assert out.read_bytes() != b"precious"
    assert leftovers(tmp_path) == []


def test_an_output_in_no_folder(tmp_path, writing):
    refuse(4, *writing, tmp_path / "none" / "out", says=["no such folder", "create it first"])


def test_an_output_where_nobody_may_write(tmp_path, writing):
    refuse(4, *writing, "/proc/self/out", says="/proc/self/out")


def test_a_full_disk(tmp_path, writing):
    """A limit on the size of files stands for it: the write fails midway."""
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64))
    refuse(4, *writing, tmp_path / "out", says=str(tmp_path / "out"), preexec_fn=limit)
    assert not (tmp_path / "out").exists() and leftovers(tmp_path) == []


def test_an_output_that_is_a_folder(tmp_path, writing):
    (tmp_path / "folder").mkdir()
    outcome = run(*writing, tmp_path / "folder", "--force")
    assert outcome.code == 4, outcome.err
    assert leftovers(tmp_path) == []


@pytest.fixture(params=["prepare", "corrupt", "score", "info"])
def reading(request, masks, stack, tmp_path):
    """A function that gives the arguments of a command that reads a stack."""
    out = tmp_path / "out.h5"
    return {
        "prepare": lambda path: ["prepare", path, "--size", 64, "--out", out],
        "corrupt": lambda path: ["corrupt", "--in", path, "--masks", masks, "--out", out],
        "score": lambda path: ["score", "--target", path, "--output", stack],
        "info": lambda path: ["info", path],
    }[request.param]


def test_inputs_that_cannot_be_opened(tmp_path, reading):
    refuse(4, *reading(tmp_path / "none.h5"), says=["none.h5", "check the path"])
    refuse(4, *reading(tmp_path), says=str(tmp_path))
    if not AS_ROOT:
        make_stack(tmp_path / "locked.h5").chmod(0)
        refuse(4, *reading(tmp_path / "locked.h5"), says="locked.h5")
    assert not (tmp_path / "out.h5").exists()


def test_inputs_that_are_no_stacks(tmp_path, reading):
    (tmp_path / "text.h5").write_text("hello")
    (tmp_path / "empty.h5").write_bytes(b"")
    whole = make_stack(tmp_path / "whole.h5").read_bytes()
    (tmp_path / "short.h5").write_bytes(whole[: len(whole) // 2])
    make_stack(tmp_path / "flat.h5", np.zeros((8, 8), np.uint8))
    make_stack(tmp_path / "deep.h5", np.zeros((2, 3, 8, 8), np.uint8))
    make_stack(tmp_path / "complex.h5", np.zeros((2, 8, 8), np.complex64))
    make_stack(tmp_path / "wide.h5", np.zeros((2, 8, 8), np.int64))
    make_stack(tmp_path / "named.h5", dataset="pictures")
    with h5py.File(tmp_path / "none_in.h5", "w") as file:
        file["images"] = np.zeros((0, 8, 8), np.uint8)
    for name in ("text", "empty", "short", "flat", "deep", "complex", "wide", "named", "none_in"):
        refuse(3, *reading(tmp_path / f"{name}.h5"), says=f"{name}.h5")
    assert not (tmp_path / "out.h5").exists() and leftovers(tmp_path) == []


def test_a_pixel_that_is_no_number(tmp_path, reading):
    images = head_slices(4).astype(np.float32)
    images[2, 5, 5] = np.inf
    make_stack(tmp_path / "inf.h5", images)
    refuse(3, *reading(tmp_path / "inf.h5"), says="inf.h5")


def test_a_stack_that_points_at_another_file(tmp_path, reading):
    make_stack(tmp_path / "other.h5")
    with h5py.File(tmp_path / "link.h5", "w") as file:
        file["images"] = h5py.ExternalLink("other.h5", "/images")
    refuse(3, *reading(tmp_path / "link.h5"), says="link.h5")
