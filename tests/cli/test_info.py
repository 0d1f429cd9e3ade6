"""info: what files hold."""
import h5py
import nibabel
import numpy as np
import pytest

from conftest import make_stack, make_volume, refuse, succeed


def test_info_of_a_stack(stack):
    result = succeed("info", stack, "--json").json
    with h5py.File(stack) as file:
        images = file["images"][:]
    assert result["kind"] == "stack" and result["dataset"] == "images" and result["shape"] == [4, 64, 64]
    assert result["dtype"] == "u8" and result["slices"] == 4 and result["height"] == result["width"] == 64
    assert result["subjects"] == {"a": 2, "b": 2} and result["intensity_range"] == [0, 255]
    assert (result["minimum"], result["maximum"]) == (images.min(), images.max())
    assert result["mean"] == pytest.approx(images.mean())
    assert result["others"] == ["subject"] and result["modality"] == "FLAIR" and result["spacing"] is None
    text = succeed("info", stack).out
    assert "4 slices of 64x64 u8 in /images" in text and "subjects     2" in text


@pytest.mark.parametrize("name", ["image", "data", "slices", "reconstruction_rss", "reconstruction_esc"])
def test_stacks_are_found_by_their_usual_names(tmp_path, name):
    make_stack(tmp_path / "s.h5", dataset=name)
    assert succeed("info", tmp_path / "s.h5", "--json").json["dataset"] == name


def test_another_dataset(tmp_path, stack):
    make_stack(tmp_path / "s2.h5", dataset="pictures")
    assert succeed("info", tmp_path / "s2.h5", "--dataset", "pictures", "--json").json["slices"] == 4
    refuse(3, "info", stack, "--dataset", "nothing", says=["nothing", "s.h5"])


def test_info_of_a_volume(tmp_path):
    path = make_volume(tmp_path / "v.nii.gz", spacing=(1, 2, 3))
    result = succeed("info", path, "--json").json
    volume = nibabel.load(path)
    assert result["kind"] == "volume" and result["shape"] == list(volume.shape) and result["dtype"] == "i16"
    assert result["spacing"] == pytest.approx([1, 2, 3])
    assert np.allclose(result["affine"], volume.affine[:3])
    assert "64x64x6 voxels, i16" in succeed("info", path).out
