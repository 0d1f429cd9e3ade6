"""inpaint on stacks: what may change, what must stay, sizes, damaged and missing inputs."""
import os

import h5py
import numpy as np
import pytest

from conftest import leftovers, make_masks, make_stack, refuse, run, succeed
from inpaint_case import inpaint, same_numbers, same_outside, smooth_heads, train_tiny, with_holes

TYPES = {"u1": (0, 255), "u2": (100, 40000), "i2": (-2000, 5000), "f4": (-0.5, 2.25), "f8": (1e3, 1e5)}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return train_tiny(tmp_path_factory.mktemp("model"))


@pytest.fixture
def corrupted(tmp_path):
    return make_stack(tmp_path / "in.h5", with_holes(smooth_heads(3, seed=9)))


def of_type(dtype, grey):
    low, high = TYPES[dtype]
    return (low + grey.astype(np.float64) / 255 * (high - low)).astype(dtype)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("axis", [None, 1, 3])
def test_shape_and_type_stay_and_only_what_was_repaired_changes(model, tmp_path, dtype, axis):
    grey = with_holes(smooth_heads(3, seed=9))
    images = of_type(dtype, grey) if axis is None else np.expand_dims(of_type(dtype, grey), axis)
    make_stack(tmp_path / "in.h5", images, intensity_range=TYPES[dtype])
    result, change, _ = inpaint(model, tmp_path / "in.h5", tmp_path / "out.h5")
    assert result.shape == images.shape and result.dtype == images.dtype
    assert change.shape == images.shape and change.dtype == np.uint8 and set(np.unique(change)) == {0, 1}
    assert same_outside(result, images, change)
    repaired, hole = np.squeeze(change) == 1, (grey == 0) & (smooth_heads(3, seed=9) > 0)
    assert repaired[hole].mean() > 0.8 and repaired[~hole].mean() < 0.2
    low, high = TYPES[dtype]
    assert np.squeeze(result)[hole].mean() > low + 0.15 * (high - low)  # black before
    assert result.min() >= images.min() and result.max() <= high


def test_what_each_composite_lets_change(model, corrupted, tmp_path):
    images = with_holes(smooth_heads(3, seed=9))
    masks = np.zeros_like(images)
    masks[:, 30:50, 40:50] = 7  # whatever is not 0 is a hole
    make_masks(tmp_path / "m.h5", masks)
    auto, auto_change, _ = inpaint(model, corrupted, tmp_path / "auto.h5")
    raw, raw_change, _ = inpaint(model, corrupted, tmp_path / "raw.h5", "--composite", "none")
    masked, masked_change, _ = inpaint(model, corrupted, tmp_path / "masked.h5", "--composite", "mask", "--mask", tmp_path / "m.h5")
    both, both_change, _ = inpaint(model, corrupted, tmp_path / "both.h5", "--mask", tmp_path / "m.h5")
    assert (raw_change == (raw != images)).all() and raw_change.mean() > 0.3
    for result, change in [(auto, auto_change), (masked, masked_change), (both, both_change)]:
        assert same_outside(result, images, change) and (result == raw)[change == 1].all()
    assert (masked_change == (masks != 0)).all()
    assert (both_change == auto_change * (masks != 0)).all() and both_change.sum() > 0


def test_masks_are_used_in_turn(model, corrupted, tmp_path):
    make_masks(tmp_path / "two.h5", count=2, size=96)
    with h5py.File(tmp_path / "two.h5") as file:
        masks = file["masks"][()]
    _, change, _ = inpaint(model, corrupted, tmp_path / "o.h5", "--composite", "mask", "--mask", tmp_path / "two.h5", "--batch", 2)
    assert (change == masks[[0, 1, 0]]).all()


def test_what_stands_beside_the_images_is_kept(model, tmp_path):
    path = make_stack(tmp_path / "in.h5", with_holes(smooth_heads(3)), dataset="data", subjects=["x", "y", "z"], modality="T2",
                      intensity_range=(0, 255), scanner="none", field=3.0)
    with h5py.File(path, "a") as file:
        file["slice_index"], file["spacing"] = np.arange(3, dtype=np.int32) * 5, np.array([1, 1.5], np.float32)
        file["notes/age"] = np.array([30, 40, 50])
        file["change"] = np.zeros((3, 2), np.int8)  # of an earlier run
        file["data"].attrs["coil"] = "head"
    succeed("inpaint", "--model", model, "--in", path, "--out", tmp_path / "o.h5")
    with h5py.File(path) as before, h5py.File(tmp_path / "o.h5") as after:
        assert list(after["subject"].asstr()) == ["x", "y", "z"]
        for name in ["slice_index", "spacing", "notes/age"]:
            assert same_numbers(before[name][()], after[name][()])
        assert after["images"].shape == (3, 96, 96) and after["change"].shape == (3, 96, 96) and "data" not in after
        assert after.attrs["modality"] in ("T2", b"T2") and after.attrs["scanner"] in ("none", b"none")
        assert after.attrs["field"] == 3.0 and list(after.attrs["intensity_range"]) == [0, 255]
        assert after["images"].attrs["coil"] in ("head", b"head")


@pytest.mark.parametrize("height, width", [(64, 64), (96, 96), (130, 97), (200, 300), (40, 150), (7, 5), (1, 1)])
def test_any_size(model, tmp_path, height, width):
    heads = smooth_heads(2, max(height, width), seed=3)[:, :height, :width]
    images = with_holes(heads, max(1, min(height, width) // 4))
    make_stack(tmp_path / "in.h5", images)
    result, change, _ = inpaint(model, tmp_path / "in.h5", tmp_path / "o.h5")
    assert result.shape == change.shape == images.shape and same_outside(result, images, change)
    raw, _, _ = inpaint(model, tmp_path / "in.h5", tmp_path / "raw.h5", "--composite", "none")
    assert (result == raw)[change == 1].all()
    if min(height, width) > 60:
        assert change.any()


def test_a_large_slice_has_no_seams(model, tmp_path):
    """Where squares are blended the raw output goes over smoothly: no row or column jumps beyond what the image itself does."""
    y, x = np.mgrid[:200, :300]
    images = (120 + 40 * np.sin(x / 25) + 40 * np.sin(y / 25)).astype(np.uint8)[None]
    make_stack(tmp_path / "in.h5", images)
    raw, _, _ = inpaint(model, tmp_path / "in.h5", tmp_path / "o.h5", "--composite", "none")
    for axis in (1, 2):
        steps = np.abs(np.diff(raw[0].astype(float) - images[0], axis=axis - 1)).mean(axis=2 - axis)
        assert steps[2:-2].max() < 12


def test_the_batch_size_changes_nothing_but_rounding(model, tmp_path):
    """Convolutions are chosen by the size of the work, and Winograd's round otherwise."""
    make_stack(tmp_path / "in.h5", with_holes(smooth_heads(11, 130, seed=4)))
    first = inpaint(model, tmp_path / "in.h5", tmp_path / "b1.h5", "--batch", 1, "--composite", "none")
    assert first[0].shape == (11, 130, 130)
    for batch in (4, 11, 16):
        again = inpaint(model, tmp_path / "in.h5", tmp_path / f"b{batch}.h5", "--batch", batch, "--composite", "none")
        assert (again[0] == first[0]).mean() > 0.999 and np.abs(again[0].astype(int) - first[0]).max() <= 1
        assert (again[1] == first[1]).mean() > 0.999
    threads = inpaint(model, tmp_path / "in.h5", tmp_path / "t.h5", "--batch", 1, "--threads", 1, "--composite", "none")
    assert same_numbers(threads[0], first[0]) and same_numbers(threads[1], first[1])


def test_a_slice_does_not_depend_on_its_neighbours(model, tmp_path):
    images = with_holes(smooth_heads(4, seed=4))
    make_stack(tmp_path / "all.h5", images)
    make_stack(tmp_path / "one.h5", images[2:3])
    all_, _, _ = inpaint(model, tmp_path / "all.h5", tmp_path / "o.h5")
    one, _, _ = inpaint(model, tmp_path / "one.h5", tmp_path / "p.h5")
    assert same_numbers(one[0], all_[2])


@pytest.mark.parametrize("dtype", ["u1", "i2", "f4"])
@pytest.mark.parametrize("value", [0, 77])
def test_flat_slices(model, tmp_path, dtype, value):
    images = np.full((2, 96, 96), value, dtype)
    make_stack(tmp_path / "in.h5", images)
    result, change, _ = inpaint(model, tmp_path / "in.h5", tmp_path / "o.h5")
    assert np.isfinite(result).all() and same_outside(result, images, change)
    if dtype != "u1":  # without a range every pixel is the lowest: nothing to scale by, nothing to change
        assert same_numbers(result, images)


@pytest.mark.parametrize("dtype", ["u2", "f4"])
def test_intensities_beyond_the_range_survive(model, tmp_path, dtype):
    images = with_holes(smooth_heads(2, seed=5)).astype(dtype)
    images[:, 20, 40:50] = 60000
    images[:, 70, 40] = 300
    make_stack(tmp_path / "in.h5", images, intensity_range=(0, 255))
    result, change, _ = inpaint(model, tmp_path / "in.h5", tmp_path / "o.h5")
    assert same_outside(result, images, change) and change.any()
    bright = (images > 255) & (change == 0)
    assert bright.any() and (result[bright] > 255).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_slice_with_nan_is_named(model, tmp_path, bad):
    images = smooth_heads(7).astype(np.float32)
    images[5, 50, 50] = bad
    make_stack(tmp_path / "in.h5", images)
    refuse(3, "inpaint", "--model", model, "--in", tmp_path / "in.h5", "--out", tmp_path / "o.h5", says=["slice 5", "in.h5"])
    assert os.listdir(tmp_path) == ["in.h5"]


@pytest.mark.parametrize("shape, dtype", [((0, 96, 96), "u1"), ((96, 96), "u1"), ((2, 3, 96, 96), "u1"), ((2, 96, 96), "i4")])
def test_what_is_no_stack_is_refused(model, tmp_path, shape, dtype):
    with h5py.File(tmp_path / "in.h5", "w") as file:
        file["images"] = np.zeros(shape, dtype)
    refuse(3, "inpaint", "--model", model, "--in", tmp_path / "in.h5", "--out", tmp_path / "o.h5", says="in.h5: images")
    assert os.listdir(tmp_path) == ["in.h5"]


def test_an_existing_output_needs_force(model, corrupted, tmp_path):
    (tmp_path / "o.h5").write_text("mine")
    command = ["inpaint", "--model", model, "--in", corrupted, "--out", tmp_path / "o.h5"]
    refuse(2, *command, says=["o.h5", "--force"])
    assert (tmp_path / "o.h5").read_text() == "mine"
    succeed(*command, "--force")
    assert h5py.is_hdf5(tmp_path / "o.h5") and not leftovers(tmp_path)
    before = with_holes(smooth_heads(3, seed=9))
    result, change, _ = inpaint(model, corrupted, corrupted, "--force")  # onto itself
    assert same_outside(result, before, change)


def test_models_that_are_none(model, corrupted, tmp_path):
    rest = ["--in", corrupted, "--out", tmp_path / "o.h5"]
    refuse(4, "inpaint", "--model", tmp_path / "none", *rest, says="none")
    os.mkdir(tmp_path / "empty")
    refuse(4, "inpaint", "--model", tmp_path / "empty", *rest, says="empty")
    refuse(3, "inpaint", "--model", corrupted, *rest, says="in.h5")
    (tmp_path / "text.h5").write_text("not a checkpoint")
    refuse(3, "inpaint", "--model", tmp_path / "text.h5", *rest, says="text.h5")
    good = (model / "best.h5").read_bytes()
    rng = np.random.default_rng(2)
    for at in [9, len(good) // 2, len(good) - 2, *rng.integers(0, len(good), 3)]:
        damaged = bytearray(good)
        damaged[at] ^= 0x10
        (tmp_path / "bad.h5").write_bytes(damaged)
        refuse(3, "inpaint", "--model", tmp_path / "bad.h5", *rest, says="bad.h5")
    (tmp_path / "short.h5").write_bytes(good[: len(good) // 3])
    refuse(3, "inpaint", "--model", tmp_path / "short.h5", *rest, says="short.h5")
    assert not (tmp_path / "o.h5").exists() and not leftovers(tmp_path)


def test_masks_that_do_not_fit(model, corrupted, tmp_path):
    make_masks(tmp_path / "small.h5", size=64)
    command = ["inpaint", "--model", model, "--in", corrupted, "--out", tmp_path / "o.h5"]
    refuse(3, *command, "--mask", tmp_path / "small.h5", says="small.h5")
    refuse(4, *command, "--mask", tmp_path / "none.h5", says="none.h5")
    refuse(4, "inpaint", "--model", model, "--in", tmp_path / "none.h5", "--out", tmp_path / "o.h5", says="none.h5")
    refuse(4, "inpaint", "--model", model, "--in", corrupted, "--out", tmp_path / "no/o.h5", says="no")


@pytest.mark.parametrize("size", [(96, 96), (80, 130)])
@pytest.mark.parametrize("views", [2, 4])
def test_views_average_what_the_network_makes_of_mirror_images(model, tmp_path, size, views):
    images = of_type("f4", with_holes(smooth_heads(3, size=max(size), seed=9)))[:, : size[0], : size[1]]
    mirrors = [(), (2,), (1,), (1, 2)][:views]

    def made(name, slices, *more):
        source = make_stack(tmp_path / "in.h5", slices, intensity_range=TYPES["f4"])
        return inpaint(model, source, tmp_path / name, "--composite", "none", "--force", *more)[0].astype(np.float64)

    each = [np.flip(made("one.h5", np.flip(images, axes)), axes) for axes in mirrors]
    assert np.abs(each[0] - each[1]).max() > 1e-3
    np.testing.assert_allclose(made("all.h5", images, "--views", views), np.mean(each, axis=0), atol=1e-4)


@pytest.mark.parametrize("more, says", [
    (["--batch", "0"], "--batch"),
    (["--views", "3"], '--views has no choice "3"'),
    (["--batch", "100000"], "--batch"),
    (["--composite", "some"], '--composite has no choice "some"'),
    (["--composite", "mask"], "--mask"),
    (["--composite", "none", "--mask", "m.h5"], "--mask"),
    (["--modle", "x"], "did you mean --model"),
    (["--threshold", "1"], "unknown option --threshold"),
])
def test_usage_errors(model, corrupted, tmp_path, more, says):
    refuse(2, "inpaint", "--model", model, "--in", corrupted, "--out", tmp_path / "o.h5", *more, says=says)


def test_input_and_output_are_of_one_kind(model, corrupted, tmp_path):
    refuse(2, "inpaint", "--model", model, "--in", corrupted, "--out", tmp_path / "o.nii.gz", says=".h5")
    refuse(2, "inpaint", "--model", model, "--in", "v.nii", "--out", tmp_path / "o.h5", says=".nii.gz")
    refuse(2, "inpaint", "--in", corrupted, "--out", tmp_path / "o.h5", says="--model is required")


def test_json_is_one_object(model, corrupted, tmp_path):
    outcome = run("inpaint", "--model", model, "--in", corrupted, "--out", tmp_path / "o.h5", "--json", "--quiet")
    assert outcome.code == 0
    found = outcome.json
    with h5py.File(tmp_path / "o.h5") as file:
        change = file["change"][()]
    assert found["slices"] == 3 and found["changed_slices"] == 3 and found["calibrated"] is True
    assert found["model_step"] == 60 and found["out"] == str(tmp_path / "o.h5") and found["composite"] == "auto" and found["views"] == 1
    assert found["changed_share"] == pytest.approx(change.mean()) and 0 < found["change_threshold"] < 1


def test_a_run_folder_its_best_and_a_checkpoint_are_models(model, corrupted, tmp_path):
    folder, _, _ = inpaint(model, corrupted, tmp_path / "a.h5")
    best, _, _ = inpaint(model / "best.h5", corrupted, tmp_path / "b.h5")
    newest, _, outcome = inpaint(model / "checkpoint_60.h5", corrupted, tmp_path / "c.h5", "--composite", "none")
    assert same_numbers(folder, best) and newest.shape == best.shape and "warning" not in outcome.err
