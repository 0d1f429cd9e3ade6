"""inpaint on NIfTI volumes: header, orientation and type stay; unchanged voxels keep their bits; nothing is flipped."""
import gzip
import os

import h5py
import nibabel
import numpy as np
import pytest
from nibabel.orientations import apply_orientation, axcodes2ornt, inv_ornt_aff, ornt_transform

from conftest import leftovers, make_masks, make_stack, refuse, succeed
from inpaint_case import same_numbers, same_outside, smooth_heads, stored, train_tiny, with_holes

RAS = np.array([[1.0, 0, 0, -48], [0, 1, 0, -40], [0, 0, 2.5, -10], [0, 0, 0, 1]])


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return train_tiny(tmp_path_factory.mktemp("model"))


def head_volume(dtype=np.int16, slices=5):
    """(96, 96, slices) in RAS, holes off the centre: i to the right, j to the front."""
    return np.moveaxis(with_holes(smooth_heads(slices, seed=9)), 0, -1).astype(dtype)


def save(path, values, affine=RAS, slope=None, inter=None, big_endian=False):
    header = nibabel.Nifti1Header(endianness=">" if big_endian else "<")
    header.set_data_dtype(values.dtype.newbyteorder(">" if big_endian else "<"))
    image = nibabel.Nifti1Image(values, affine, header)
    image.header["descrip"] = b"made by a test"
    image.header["intent_name"] = b"kept"
    if slope is not None:
        image.header.set_slope_inter(slope, inter)
        image = nibabel.Nifti1Image(values * slope + inter, affine, image.header)
        image.header.set_data_dtype(values.dtype)
        image.header.set_slope_inter(slope, inter)
    image.to_filename(path)
    if slope is not None:
        patch_voxels(path, values)
    return path


def patch_voxels(path, values):
    """nibabel may rescale what it writes: put the slope and the stored numbers there as they are."""
    raw = bytearray(gzip.open(path).read() if str(path).endswith(".gz") else path.read_bytes())
    raw[352:] = np.asfortranarray(values).tobytes(order="F")
    opened = gzip.open(path, "wb") if str(path).endswith(".gz") else open(path, "wb")
    with opened as file:
        file.write(raw)


def head_bytes(path):
    return (gzip.open(path) if str(path).endswith(".gz") else open(path, "rb")).read(352)


def repair(model, source, goal, *more):
    """Runs `inpaint`, checks what holds for every volume, returns the stored numbers before, after, and the change."""
    succeed("inpaint", "--model", model, "--in", source, "--out", goal, *more)
    change_file = goal.parent / (goal.name.split(".")[0] + "_change.nii.gz")
    before, after, change = nibabel.load(source), nibabel.load(goal), nibabel.load(change_file)
    assert head_bytes(goal) == head_bytes(source)
    assert after.get_data_dtype() == before.get_data_dtype() and after.shape == before.shape == change.shape
    assert (after.affine == before.affine).all() and (change.affine == before.affine).all()
    assert change.get_data_dtype() == np.uint8 and change.header.get_zooms() == before.header.get_zooms()
    where = np.asanyarray(change.dataobj)
    assert set(np.unique(where)) <= {0, 1} and same_outside(stored(goal), stored(source), where)
    assert not leftovers(goal.parent)
    return stored(source), stored(goal), where


@pytest.mark.parametrize("name", ["in.nii", "in.nii.gz"])
@pytest.mark.parametrize("dtype, slope, inter, big_endian", [
    ("u1", None, None, False), ("i2", None, None, False), ("i2", 0.5, -20.0, False), ("u2", 3.0, 7.0, True),
    ("f4", None, None, False), ("f4", None, None, True), ("f8", None, None, False), ("i4", 0.25, 0.0, False),
])
def test_every_kind_of_file(model, tmp_path, name, dtype, slope, inter, big_endian):
    values = head_volume(np.dtype(dtype).newbyteorder(">" if big_endian else "<"))
    source = save(tmp_path / name, values, slope=slope, inter=inter, big_endian=big_endian)
    loaded = nibabel.load(source)
    assert (loaded.header.endianness == ">") == big_endian
    if slope is not None:
        assert (loaded.dataobj.slope, loaded.dataobj.inter) == (slope, inter)
    before, after, change = repair(model, source, tmp_path / ("out" + name[2:]))
    assert (before == values).all()
    holes = (head_volume() == 0) & (np.moveaxis(smooth_heads(5, seed=9), 0, -1) > 0)
    assert change[holes].mean() > 0.7 and change[~holes].mean() < 0.25
    assert after[holes].mean() > 40  # 0 before


def test_ending_in_nii_and_nii_gz_hold_the_same(model, tmp_path):
    source = save(tmp_path / "in.nii", head_volume())
    _, plain, _ = repair(model, source, tmp_path / "a.nii")
    _, packed, _ = repair(model, source, tmp_path / "b.nii.gz")
    assert same_numbers(plain, packed) and gzip.open(tmp_path / "b.nii.gz").read() == (tmp_path / "a.nii").read_bytes()


@pytest.mark.parametrize("composite", ["auto", "none"])
@pytest.mark.parametrize("axes", ["RAS", "LAS", "LPS", "RSA", "SRP", "IPL", "ASR"])
def test_the_orientation_of_the_file_does_not_matter(model, tmp_path, axes, composite):
    """The same head stored along other axes gives the same repair, voxel by voxel: what is left stays left."""
    values = head_volume()
    turn = ornt_transform(axcodes2ornt("RAS"), axcodes2ornt(axes))
    turned = np.ascontiguousarray(apply_orientation(values, turn))
    turned_affine = RAS @ inv_ornt_aff(turn, values.shape)
    assert "".join(nibabel.aff2axcodes(turned_affine)) == axes
    _, canonical, canonical_change = repair(model, save(tmp_path / "ras.nii", values), tmp_path / "a.nii", "--composite", composite)
    source = save(tmp_path / "turned.nii.gz", turned, turned_affine)
    _, result, change = repair(model, source, tmp_path / "b.nii.gz", "--composite", composite)
    assert same_numbers(np.ascontiguousarray(result), np.ascontiguousarray(apply_orientation(canonical, turn)))
    assert (change == apply_orientation(canonical_change, turn)).all() and change.any()


def test_oblique_and_anisotropic(model, tmp_path):
    angle = np.deg2rad(20)
    oblique = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]]) @ np.diag([0.8, 0.9, 4])
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = oblique, [-30.5, 12.25, 7]
    _, straight, _ = repair(model, save(tmp_path / "a.nii", head_volume()), tmp_path / "b.nii")
    _, tilted, _ = repair(model, save(tmp_path / "c.nii", head_volume(), affine), tmp_path / "d.nii")
    assert same_numbers(straight, tilted)  # cut along the same axis of voxels, and never resampled


def test_a_marker_on_the_left_stays_there(model, tmp_path):
    values = head_volume(np.float32)
    values[20:24, 40:60, :] = 250  # low i: the patient's left
    _, raw, _ = repair(model, save(tmp_path / "in.nii", values), tmp_path / "o.nii", "--composite", "none")
    near = [np.corrcoef(image.ravel(), raw.ravel())[0, 1] for image in (values, values[::-1], values[:, ::-1], values.swapaxes(0, 1))]
    assert near[0] > 0.9 and near[0] > max(near[1:]) + 0.01
    assert raw[20:24, 40:60].mean() > raw[72:76, 40:60].mean() + 20


def test_a_mask_volume_allows_and_directs(model, tmp_path):
    values, mask = head_volume(), np.zeros((96, 96, 5), np.float32)
    mask[30:44, 50:60, 1:3] = 0.5
    source, mask_file = save(tmp_path / "in.nii", values), save(tmp_path / "m.nii.gz", mask)
    before, after, change = repair(model, source, tmp_path / "o.nii", "--composite", "mask", "--mask", mask_file)
    assert (change == (mask != 0)).all() and (before != after).any()
    _, _, auto = repair(model, source, tmp_path / "p.nii")
    allowed = np.zeros((96, 96, 5), np.uint8)
    allowed[:, :48] = 1
    _, _, both = repair(model, source, tmp_path / "q.nii", "--mask", save(tmp_path / "n.nii", allowed))
    assert (both == auto * allowed).all() and both.any()


def test_the_raw_output_says_which_voxels_it_changed(model, tmp_path):
    before, after, change = repair(model, save(tmp_path / "in.nii", head_volume(), slope=4.0, inter=0.0), tmp_path / "o.nii",
                                   "--composite", "none")
    assert ((before != after) == change).all() and 0.1 < change.mean() < 1


def test_masks_that_do_not_fit(model, tmp_path):
    source = save(tmp_path / "in.nii", head_volume())
    command = ["inpaint", "--model", model, "--in", source, "--out", tmp_path / "o.nii"]
    mask = np.ones((96, 96, 5), np.uint8)
    refuse(3, *command, "--mask", save(tmp_path / "shape.nii", mask[:, :, :4]), says=["shape.nii", "96x96x4"])
    shifted = RAS.copy()
    shifted[0, 3] += 5
    refuse(3, *command, "--mask", save(tmp_path / "moved.nii", mask, shifted), says=["moved.nii", "affine"])
    refuse(3, *command, "--mask", make_masks(tmp_path / "m.h5", size=96), says="m.h5")
    holed = mask.astype(np.float32)
    holed[0, 0, 0] = np.nan
    refuse(3, *command, "--mask", save(tmp_path / "nan.nii", holed), says=["nan.nii", "(0, 0, 0)"])
    assert not any(name.startswith("o") for name in os.listdir(tmp_path))


def test_volumes_that_are_refused(model, tmp_path):
    def refused(name, code=3, says=()):
        refuse(code, "inpaint", "--model", model, "--in", tmp_path / name, "--out", tmp_path / "o.nii.gz", says=[name, *says])

    nibabel.Nifti1Image(np.zeros((96, 96, 5, 3), np.int16), RAS).to_filename(tmp_path / "time.nii")
    refused("time.nii", says=["3 frames"])
    values = head_volume(np.float32)
    values[3, 4, 2] = np.inf
    save(tmp_path / "inf.nii", values)
    refused("inf.nii", says=["(3, 4, 2)"])
    (tmp_path / "short.nii").write_bytes((tmp_path / "inf.nii").read_bytes()[:-50])
    refused("short.nii")
    (tmp_path / "text.nii.gz").write_text("no volume")
    refused("text.nii.gz")
    refused("none.nii", code=4)
    assert not (tmp_path / "o.nii.gz").exists() and not (tmp_path / "o_change.nii.gz").exists()
    one_frame = np.expand_dims(head_volume(), -1)
    nibabel.Nifti1Image(one_frame, RAS).to_filename(tmp_path / "one.nii")
    repair_four = succeed("inpaint", "--model", model, "--in", tmp_path / "one.nii", "--out", tmp_path / "four.nii")
    assert repair_four.code == 0 and nibabel.load(tmp_path / "four.nii").shape == (96, 96, 5, 1)


@pytest.mark.parametrize("existing", ["o.nii.gz", "o_change.nii.gz"])
def test_existing_outputs_are_refused_before_anything_is_written(model, tmp_path, existing):
    source = save(tmp_path / "in.nii", head_volume())
    (tmp_path / existing).write_text("mine")
    command = ["inpaint", "--model", model, "--in", source, "--out", tmp_path / "o.nii.gz"]
    refuse(2, *command, says=[existing, "--force"])
    assert sorted(os.listdir(tmp_path)) == ["in.nii", existing] and (tmp_path / existing).read_text() == "mine"
    repair(model, source, tmp_path / "o.nii.gz", "--force")


def test_a_flat_volume_and_one_of_one_voxel(model, tmp_path):
    before, after, change = repair(model, save(tmp_path / "flat.nii", np.zeros((50, 60, 3), np.int16)), tmp_path / "o.nii")
    assert same_numbers(before, after) and not change.any()
    repair(model, save(tmp_path / "one.nii", np.full((1, 1, 1), 7, np.float32)), tmp_path / "p.nii")


def test_a_volume_and_its_slices_as_a_stack_agree(model, tmp_path):
    """Stack slices are drawn with the front up and the patient's left to the right, as volumes are cut."""
    values = head_volume(np.float32)
    _, after, _ = repair(model, save(tmp_path / "in.nii", values), tmp_path / "o.nii", "--composite", "none")
    high = np.percentile(values[values > 0], 99.5)
    slices = np.ascontiguousarray(np.moveaxis(values[::-1, ::-1], 2, 0).swapaxes(1, 2))
    make_stack(tmp_path / "s.h5", slices, intensity_range=(0, high))
    succeed("inpaint", "--model", model, "--in", tmp_path / "s.h5", "--out", tmp_path / "t.h5", "--composite", "none")
    with h5py.File(tmp_path / "t.h5") as file:
        made = np.moveaxis(file["images"][()].swapaxes(1, 2), 0, 2)[::-1, ::-1]
    assert np.abs(made - after).max() < 0.02 * high
