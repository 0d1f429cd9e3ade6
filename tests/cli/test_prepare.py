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


def hold_out(tmp_path, inputs, fraction, *more, name=""):
    """Runs prepare --holdout; returns the JSON and (slice_index, subject, images) of both stacks."""
    out, held = tmp_path / f"{name}t.h5", tmp_path / f"{name}v.h5"
    outcome = succeed("prepare", *inputs, "--out", out, "--size", 64, "--holdout", fraction, "--holdout-out", held, "--json", *more)
    sides = []
    for path in (out, held):
        with h5py.File(path) as file:
            assert len(file["intensity_scale"]) == len(file["subject"]) == len(file["slice_index"]) == len(file["images"])
            assert list(file.attrs["intensity_range"]) == [0, 255]
            sides.append((list(file["slice_index"]), list(file["subject"].asstr()), file["images"][()], file["intensity_scale"][()]))
    return outcome, *sides


def subject_stack(path, subjects, slices=3):
    return make_stack(path, head_slices(subjects * slices), subjects=[f"s{i // slices:02}" for i in range(subjects * slices)])


@pytest.mark.parametrize("subjects, fraction, held", [(10, 0.2, 2), (10, 0.01, 1), (10, 0.99, 9), (2, 0.5, 1), (7, 0.3, 2)])
def test_holdout_takes_whole_subjects(tmp_path, subjects, fraction, held):
    outcome, kept, out = hold_out(tmp_path, [subject_stack(tmp_path / "s.h5", subjects)], fraction)
    assert not set(kept[1]) & set(out[1]) and len(set(kept[1]) | set(out[1])) == subjects
    assert len(set(out[1])) == held and len(out[1]) == 3 * held
    result = outcome.json
    assert result["slices"] == len(kept[0]) and result["subjects"] == sorted(set(kept[1]))
    assert result["holdout"] == {"out": str(tmp_path / "v.h5"), "slices": len(out[0]), "subjects": sorted(set(out[1])),
                                 "shared_subject": False}
    assert "warning" not in outcome.err and sorted(os.listdir(tmp_path)) == ["s.h5", "t.h5", "v.h5"]


def test_holdout_divides_what_prepare_alone_would_write(tmp_path):
    volume = make_volume(tmp_path / "sub1.nii.gz")
    inputs = [volume, subject_stack(tmp_path / "s.h5", 4)]
    succeed("prepare", *inputs, "--out", tmp_path / "all.h5", "--size", 64)
    _, kept, out = hold_out(tmp_path, inputs, 0.4)
    with h5py.File(tmp_path / "all.h5") as file:
        subjects = list(file["subject"].asstr())
        for side in (kept, out):
            rows = [i for i, name in enumerate(subjects) if name in side[1]]
            assert (file["images"][()][rows] == side[2]).all() and (file["slice_index"][()][rows] == side[0]).all()
            assert (file["intensity_scale"][()][rows] == side[3]).all()


def test_holdout_depends_on_the_seed_only(tmp_path):
    inputs = [subject_stack(tmp_path / "s.h5", 12, 1)]
    drawn = [tuple(hold_out(tmp_path, inputs, 0.25, "--seed", seed, name=f"{seed}{again}")[2][1]) for seed in range(6) for again in "ab"]
    assert drawn[::2] == drawn[1::2] and len(set(drawn)) > 3
    assert tuple(hold_out(tmp_path, inputs, 0.25)[2][1]) == drawn[0]


@pytest.mark.parametrize("count, fraction, held, blocks", [(40, 0.2, 8, 1), (100, 0.2, 20, 3), (60, 0.5, 30, 4), (5, 0.01, 1, 1), (2, 0.9, 1, 1)])
def test_holdout_of_one_subject_takes_blocks_of_slices(tmp_path, count, fraction, held, blocks):
    order = np.random.default_rng(3).permutation(count).astype(np.int32)  # neighbours by slice_index, not by place in the file
    path = make_stack(tmp_path / "s.h5", head_slices(count), subjects=["only"] * count)
    with h5py.File(path, "a") as file:
        file["slice_index"] = order
    outcome, kept, out = hold_out(tmp_path, [path], fraction)
    assert sorted(kept[0] + out[0]) == list(range(count)) and len(out[0]) == held
    runs = np.split(np.sort(out[0]), np.flatnonzero(np.diff(np.sort(out[0])) > 1) + 1)
    assert len(runs) == blocks and max(map(len, runs)) <= 8 and max(map(len, runs)) - min(map(len, runs)) <= 1
    gaps = np.diff([-1, *sorted(out[0])]) - 1
    gaps = np.array([gaps[0], *gaps[1:][gaps[1:] > 0], count - 1 - max(out[0])])
    assert (np.abs(gaps[1:-1] - (count - held) / blocks) <= 1).all() and (np.abs(gaps[[0, -1]] - (count - held) / blocks / 2) <= 1).all()
    assert "warning" in outcome.err and "--shared-subjects" in outcome.err and "only" in outcome.err
    assert outcome.json["subjects"] == outcome.json["holdout"]["subjects"] == ["only"]
    assert outcome.json["holdout"]["shared_subject"] is True


def test_train_takes_what_was_held_out(tmp_path):
    path = make_stack(tmp_path / "s.h5", head_slices(12, 96), subjects=["a"] * 12)
    succeed("prepare", path, "--out", tmp_path / "t.h5", "--holdout", 0.2, "--holdout-out", tmp_path / "v.h5", "--size", 96)
    command = ["train", "--train", tmp_path / "t.h5", "--val", tmp_path / "v.h5", "--preset", "demo", "--set", "net.width=4", "--set",
               "net.disc_width=4", "--set", "data.size=96", "--steps", 1]
    refuse(3, *command, "--run", tmp_path / "r", says="--shared-subjects")
    succeed(*command, "--run", tmp_path / "q", "--shared-subjects")


@pytest.mark.parametrize("more, says", [
    (["--holdout", 0, "--holdout-out", "v.h5"], "--holdout"),
    (["--holdout", 1, "--holdout-out", "v.h5"], "--holdout"),
    (["--holdout", "nan", "--holdout-out", "v.h5"], "--holdout"),
    (["--holdout", 0.5], "--holdout-out"),
    (["--holdout-out", "v.h5"], "--holdout"),
    (["--holdout", 0.5, "--holdout-out", "./t.h5"], "one file"),
    (["--holdout", 0.5, "--holdout-out", "s.h5"], "--force"),
])
def test_holdout_refuses(tmp_path, stack, more, says):
    refuse(2, "prepare", stack, "--out", "t.h5", "--size", 64, *more, says=says, cwd=tmp_path)
    assert os.listdir(tmp_path) == ["s.h5"]


def test_holdout_of_a_single_slice_is_refused(tmp_path):
    make_stack(tmp_path / "s.h5", head_slices(1))
    refuse(3, "prepare", tmp_path / "s.h5", "--out", tmp_path / "t.h5", "--size", 64, "--holdout", 0.5, "--holdout-out", tmp_path / "v.h5",
           says="single slice")
    assert os.listdir(tmp_path) == ["s.h5"]
