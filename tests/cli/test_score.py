"""score: agreement with scikit-image, the shape of its results."""
import csv

import h5py
import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from conftest import head_slices, make_stack, refuse, succeed

REGIONS = ["whole", "mask", "ring", "outside"]
METRICS = ["ssim", "psnr", "mse", "uqi", "uqi_sewar"]


@pytest.fixture
def pair(tmp_path):
    """A target, an output that differs from it everywhere, both as arrays too."""
    target = head_slices(4)
    noise = np.random.default_rng(1).integers(-9, 10, target.shape)
    output = np.clip(target.astype(int) + noise, 0, 255).astype(np.uint8)
    make_stack(tmp_path / "target.h5", target, subjects=["a", "a", "b", "b"])
    make_stack(tmp_path / "output.h5", output)
    return tmp_path / "target.h5", tmp_path / "output.h5", target, output


def test_score_agrees_with_scikit_image(pair, masks, tmp_path):
    target_path, output_path, target, output = pair
    result = succeed("score", "--target", target_path, "--output", output_path, "--masks", masks, "--json",
                     "--per-slice", tmp_path / "f.csv").json
    assert result["n"] == 4 and set(result["output"]) == set(REGIONS)
    for region in REGIONS:
        assert set(METRICS) <= set(result["output"][region])
    squares = (target.astype(float) - output) ** 2
    hole = h5py.File(masks)["masks"][:][np.arange(4) % 2] == 1
    assert result["output"]["whole"]["mse"] == pytest.approx(squares.mean(), abs=1e-9)
    assert result["output"]["mask"]["mse"] == pytest.approx(np.mean([s[m].mean() for s, m in zip(squares, hole)]))
    assert result["output"]["outside"]["mse"] == pytest.approx(np.mean([s[~m].mean() for s, m in zip(squares, hole)]))
    psnr = np.mean([peak_signal_noise_ratio(t, o, data_range=255) for t, o in zip(target, output)])
    assert result["output"]["whole"]["psnr"] == pytest.approx(psnr, abs=1e-6)
    ssim = np.mean([np.mean(structural_similarity(t, o, data_range=255, gaussian_weights=True, sigma=1.5,
                                                  use_sample_covariance=False, full=True)[1][5:-5, 5:-5])
                    for t, o in zip(target.astype(float), output.astype(float))])
    assert result["output"]["whole"]["ssim"] == pytest.approx(ssim, abs=1e-6)
    assert set(result["subjects"]) == {"a", "b"} and result["subjects"]["a"]["output"]["whole"]["n"] == 2

    with open(tmp_path / "f.csv") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["slice", "region", *METRICS]
    assert [(row["slice"], row["region"]) for row in rows] == [(str(i), r) for i in range(4) for r in REGIONS]
    for metric in METRICS:
        mean = np.mean([float(row[metric]) for row in rows if row["region"] == "ring"])
        assert result["output"]["ring"][metric] == pytest.approx(mean)


def test_scores_of_the_target_itself(stack, masks, tmp_path):
    result = succeed("score", "--target", stack, "--output", stack, "--masks", masks, "--json", "--per-slice",
                     tmp_path / "f.csv").json["output"]
    for region in REGIONS:
        assert result[region]["ssim"] == result[region]["uqi"] == 1 and result[region]["mse"] == 0
        assert result[region]["psnr"] is None  # infinite
    assert ",inf,0," in (tmp_path / "f.csv").read_text()


def test_without_masks_only_the_whole_slice_has_scores(pair, tmp_path):
    result = succeed("score", "--target", pair[0], "--output", pair[1], "--json", "--per-slice", tmp_path / "f.csv").json
    assert result["output"]["whole"]["n"] == 4
    assert result["output"]["mask"]["mse"] is None and result["output"]["mask"]["n"] == 0
    assert len((tmp_path / "f.csv").read_text().splitlines()) == 5
    assert "whole" in succeed("score", "--target", pair[0], "--output", pair[1]).out


def test_score_is_the_same_on_any_number_of_threads(pair, masks):
    one, two = (succeed("score", "--target", pair[0], "--output", pair[1], "--masks", masks, "--json", "--threads", n).out
                for n in (1, 2))
    assert one == two


def test_an_output_on_another_scale_says_so_by_its_range(pair, tmp_path):
    target_path, output_path, _, output = pair
    make_stack(tmp_path / "unit.h5", (output / 255).astype(np.float64), intensity_range=(0.0, 1.0))
    make_stack(tmp_path / "float.h5", output.astype(np.float32))
    wanted = succeed("score", "--target", target_path, "--output", output_path, "--json").json
    for name in ("unit.h5", "float.h5"):
        assert succeed("score", "--target", target_path, "--output", tmp_path / name, "--json").json == wanted


def test_score_refuses_stacks_that_do_not_match(tmp_path, stack):
    make_stack(tmp_path / "few.h5", head_slices(3))
    make_stack(tmp_path / "small.h5", head_slices(4, 32))
    refuse(3, "score", "--target", stack, "--output", tmp_path / "few.h5", says=["3 slices of 64x64", "4 of 64x64"])
    refuse(3, "score", "--target", stack, "--output", tmp_path / "small.h5", says=["32x32", "small.h5"])
