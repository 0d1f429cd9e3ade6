"""masks and corrupt."""
import os

import h5py
import numpy as np
import pytest

from conftest import head_slices, leftovers, make_masks, make_stack, refuse, succeed


@pytest.mark.parametrize("split, count, least, most", [("train", 100, 0.0136, 0.0546), ("test", 50, 0.0166, 0.0456)])
def test_arbitrary_masks_have_the_papers_number_and_areas(tmp_path, split, count, least, most):
    out = tmp_path / "m.h5"
    result = succeed("masks", "--kind", "arbitrary", "--split", split, "--out", out, "--json").json
    with h5py.File(out) as file:
        masks = file["masks"][:]
        assert masks.shape == (count, 256, 256) and masks.dtype == np.uint8 and set(np.unique(masks)) == {0, 1}
        assert file["masks"].chunks == (1, 256, 256) and file["masks"].fletcher32
    areas = masks.mean(axis=(1, 2))
    assert least <= areas.min() and areas.max() <= most
    assert result["count"] == count and result["size"] == 256
    assert result["area"]["least"] == pytest.approx(areas.min())
    assert result["area"]["mean"] == pytest.approx(areas.mean())


def test_square_masks_and_seeds(tmp_path):
    def make(name, *more):
        succeed("masks", "--kind", "square", "--split", "test", "--count", 7, "--size", 64, "--out", tmp_path / name,
                *more)
        with h5py.File(tmp_path / name) as file:
            return file["masks"][:]

    first = make("a.h5")
    assert first.shape == (7, 64, 64) and (first.sum(axis=(1, 2)) == 16 * 16).all()
    assert (make("b.h5", "--seed", 0, "--threads", 1) == first).all()
    assert (make("c.h5", "--seed", 1) != first).any()


@pytest.mark.parametrize("more, says", [
    (["--count", 0], "--count 0 is out of range"),
    (["--count", 10**9], "--count 1000000000 is out of range; it takes 1 to 100000"),
    (["--size", 8], "--size 8 is out of range"),
    (["--count", "ten"], '--count takes an integer, not "ten"'),
])
def test_masks_refuses(tmp_path, more, says):
    refuse(2, "masks", "--kind", "square", "--split", "test", "--out", tmp_path / "m.h5", *more, says=says)
    assert os.listdir(tmp_path) == []


def test_corrupt_blanks_the_mask_of_each_slice_and_keeps_the_rest(tmp_path):
    images = head_slices(5)
    make_stack(tmp_path / "s.h5", images, subjects=["p"] * 5, intensity_range=(0, 255), modality="FLAIR", source="us")
    with h5py.File(tmp_path / "s.h5", "a") as file:
        file["tumour"] = (images > 150).astype(np.uint8)
        file.attrs["plane"] = "axial"
    make_masks(tmp_path / "m.h5", count=3)
    result = succeed("corrupt", "--in", tmp_path / "s.h5", "--masks", tmp_path / "m.h5", "--out", tmp_path / "c.h5",
                     "--json").json
    assert result["slices"] == 5 and result["masks"] == 3
    with h5py.File(tmp_path / "c.h5") as file, h5py.File(tmp_path / "m.h5") as mask_file:
        masks = mask_file["masks"][:][np.arange(5) % 3]
        assert (file["masks"][:] == masks).all()
        assert (file["target"][:] == images).all()
        assert (file["images"][:] == np.where(masks, 0, images)).all()
        assert (file["tumour"][:] == (images > 150)).all()
        assert file["images"].dtype == np.uint8 and file["images"].chunks == (1, 64, 64) and file["images"].fletcher32
        assert list(file["subject"].asstr()) == ["p"] * 5
        assert np.bytes_(file.attrs["plane"]) == b"axial" and tuple(file.attrs["intensity_range"]) == (0, 255)


@pytest.mark.parametrize("dtype", ["u1", "<u2", ">u2", "<i2", "<f4", ">f8"])
def test_the_hole_is_a_fraction_of_the_range_in_every_dtype(tmp_path, dtype):
    images = head_slices(2).astype(dtype)
    make_stack(tmp_path / "s.h5", images, intensity_range=(10.0, 110.0))
    make_masks(tmp_path / "m.h5")
    succeed("corrupt", "--in", tmp_path / "s.h5", "--masks", tmp_path / "m.h5", "--out", tmp_path / "c.h5", "--hole", 0.5)
    with h5py.File(tmp_path / "c.h5") as file:
        got, hole = file["images"], file["masks"][:] == 1
        assert got.dtype == np.dtype(dtype).newbyteorder("=") and (got[:][hole] == 60).all()
        assert (got[:][~hole] == images[~hole]).all()


def test_corrupt_keeps_a_dimension_of_one_and_takes_another_dataset(tmp_path):
    images = head_slices(2)[:, None]
    with h5py.File(tmp_path / "s.h5", "w") as file:
        file["deep/here"] = images
    make_masks(tmp_path / "m.h5")
    succeed("corrupt", "--in", tmp_path / "s.h5", "--dataset", "deep/here", "--masks", tmp_path / "m.h5", "--out",
            tmp_path / "c.h5")
    with h5py.File(tmp_path / "c.h5") as file:
        assert file["images"].shape == file["target"].shape == (2, 1, 64, 64)
        assert file["masks"].shape == (2, 64, 64)


def test_corrupt_may_replace_its_own_input(tmp_path, stack, masks):
    succeed("corrupt", "--in", stack, "--masks", masks, "--out", stack, "--force")
    with h5py.File(stack) as file:
        assert (file["images"][:][file["masks"][:] == 1] == 0).all()


@pytest.mark.parametrize("hole", ["-0.1", "1.5", "nan", "black"])
def test_corrupt_refuses_holes_out_of_range(tmp_path, stack, masks, hole):
    refuse(2, "corrupt", "--in", stack, "--masks", masks, "--out", tmp_path / "c.h5", "--hole", hole, says="--hole")
    assert not (tmp_path / "c.h5").exists()


@pytest.mark.parametrize("wrong, says", [
    (np.zeros((2, 32, 32), np.uint8), ["the masks are 32x32", "masks --size 64"]),
    (np.zeros((2, 64, 64), np.float32), ["/masks is not u8", "ipamedgan masks"]),
    (np.zeros((64, 64), np.uint8), "/masks is not u8"),
    (np.zeros((0, 64, 64), np.uint8), "/masks is not u8"),
])
def test_masks_that_do_not_fit(tmp_path, stack, wrong, says):
    make_masks(tmp_path / "wrong.h5", wrong)
    for command in (["corrupt", "--in", stack, "--out", tmp_path / "c.h5"],
                    ["score", "--target", stack, "--output", stack]):
        refuse(3, *command, "--masks", tmp_path / "wrong.h5", says=["wrong.h5", *([says] if isinstance(says, str) else says)])
    assert not (tmp_path / "c.h5").exists() and leftovers(tmp_path) == []


def test_a_file_without_masks(tmp_path, stack):
    refuse(3, "score", "--target", stack, "--output", stack, "--masks", stack, says=["no dataset /masks", "s.h5"])
