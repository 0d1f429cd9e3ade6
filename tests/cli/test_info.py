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


def test_the_published_sizes_of_the_networks():
    for arguments in ((), ("--preset", "paper")):
        result = succeed("info", *arguments, "--json").json
        assert [(n["name"], n["trainable_parameters"], n["output_shape"]) for n in result["networks"]] == [
            ("generator", 14_475_964, [256, 256, 1]),
            ("multires_unet", 7_237_982, [256, 256, 1]),
            ("disc_global", 11_155_265, [6, 6, 1]),
            ("disc_patch", 2_764_609, [30, 30, 1]),
            ("vgg19", 20_024_384, [16, 16, 512]),
        ]
        assert result["settings"]["net.width"] == 32 and "memory" not in result
    assert "14,475,964" in succeed("info").out


def test_settings_shape_the_networks(tmp_path):
    (tmp_path / "f.toml").write_text("[net]\nwidth = 16\n[data]\nsize = 128\n")
    result = succeed("info", "--config", tmp_path / "f.toml", "--set", "net.disc_width=8", "--json").json
    networks = {n["name"]: n for n in result["networks"]}
    assert networks["generator"]["output_shape"] == [128, 128, 1]
    assert networks["disc_patch"]["output_shape"] == [14, 14, 1]
    assert 0 < networks["generator"]["trainable_parameters"] < 14_475_964 / 3
    refuse(2, "info", "--set", "net.widht=3", says="net.widht")
    refuse(2, "info", "--preset", "papre", says="papre")


def test_the_memory_plan():
    memory = succeed("info", "--preset", "demo", "--memory", "--json").json["memory"]
    assert memory.pop("device") == "cpu" and all(value > 0 for value in memory.values())
    assert memory["training_total_bytes"] == memory["training_step_bytes"] + memory["training_state_bytes"]
    assert memory["inference_bytes"] < memory["training_step_bytes"]
    paper = succeed("info", "--memory", "--json").json
    networks = {n["name"]: n["trainable_parameters"] for n in paper["networks"]}
    trained = networks["generator"] + networks["disc_global"] + networks["disc_patch"]
    assert paper["memory"]["parameters_bytes"] > 4 * networks["generator"]
    assert paper["memory"]["training_state_bytes"] > 16 * trained  # values, gradients, two moments
    half = succeed("info", "--preset", "demo", "--set", "train.batch=2", "--memory", "--json").json["memory"]
    assert half["training_step_bytes"] == pytest.approx(memory["training_step_bytes"] / 2, rel=0.05)
    text = succeed("info", "--preset", "demo", "--memory").out
    assert "Training step, batch 4" in text and "Inference, batch 4" in text and "concat" in text


def test_a_file_of_masks_is_shown_by_its_masks(tmp_path):
    succeed("masks", "--kind", "square", "--split", "test", "--count", "3", "--size", "64", "--out", tmp_path / "m.h5")
    shown = succeed("info", tmp_path / "m.h5", "--json").json
    assert shown["dataset"] == "masks" and shown["slices"] == 3
