"""prepare: volumes and stacks become one training stack."""
import os

import h5py
import numpy as np
import pytest

from conftest import head_slices, make_stack, make_volume, refuse, succeed


def test_prepare_joins_volumes_and_stacks(tmp_path):
    volume = make_volume(tmp_path / "sub1.nii.gz")
    stack = make_stack(tmp_path / "s.h5", subjects=["x", "x", "y", "y"], modality="FLAIR")
    result = succeed("prepare", volume, stack, "--out", tmp_path / "t.h5", "--size", 96, "--json").json
    assert result["slices"] == 10 and result["size"] == 96 and result["dropped"] == 0
    assert result["subjects"] == ["sub1", "x", "y"]
    assert [i["slices"] for i in result["inputs"]] == [6, 4]
    with h5py.File(tmp_path / "t.h5") as file:
        assert file["images"].shape == (10, 96, 96) and file["images"].dtype == np.uint8
        assert list(file["subject"].asstr()) == ["sub1"] * 6 + ["x"] * 2 + ["y"] * 2
        assert (file["images"][:, :16] == 0).all() and file["images"][:, 32:64, 32:64].min() > 0
    assert "10 slices 96x96 of 3 subjects" in succeed("prepare", volume, stack, "--out", tmp_path / "u.h5", "--size",
                                                      96).out


def test_prepare_drops_empty_slices(tmp_path):
    images = head_slices(4)
    images[1] = 0
    result = succeed("prepare", make_stack(tmp_path / "s.h5", images), "--out", tmp_path / "t.h5", "--size", 64,
                     "--json").json
    assert result["slices"] == 3 and result["dropped"] == 1


@pytest.mark.parametrize("more, says", [
    (["--size", 0], "--size 0 is out of range"),
    (["--spacing", 0], "--spacing"),
    (["--spacing", "wide"], '--spacing takes a number, not "wide"'),
    (["--min-foreground", 5], "--min-foreground"),
])
def test_prepare_refuses_options_out_of_range(tmp_path, stack, more, says):
    refuse(2, "prepare", stack, "--out", tmp_path / "t.h5", *more, says=says)
    assert not (tmp_path / "t.h5").exists()


def test_prepare_with_nothing_left(tmp_path):
    make_stack(tmp_path / "black.h5", np.zeros((2, 64, 64), np.uint8))
    refuse(3, "prepare", tmp_path / "black.h5", "--out", tmp_path / "t.h5", says="black.h5")
    assert not (tmp_path / "t.h5").exists() and os.listdir(tmp_path) == ["black.h5"]


def test_prepare_refuses_bad_volumes(tmp_path):
    good = make_volume(tmp_path / "v.nii").read_bytes()
    (tmp_path / "short.nii").write_bytes(good[:-100])
    (tmp_path / "text.nii.gz").write_text("not a volume")
    values = np.ones((8, 8, 8), np.float32)
    values[3, 4, 5] = np.nan
    make_volume(tmp_path / "nan.nii", values)
    make_volume(tmp_path / "time.nii", np.zeros((8, 8, 8, 3), np.int16))
    for name in ("short.nii", "text.nii.gz", "nan.nii", "time.nii"):
        refuse(3, "prepare", tmp_path / name, "--out", tmp_path / "t.h5", says=name)
    refuse(4, "prepare", tmp_path / "none.nii", "--out", tmp_path / "t.h5", says="none.nii")
