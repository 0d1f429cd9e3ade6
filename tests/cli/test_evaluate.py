"""evaluate: its figures against numpy's and scikit-image's, its files, what it refuses."""
import csv
import json
import re
import shutil

import h5py
import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from conftest import leftovers, make_masks, make_stack, refuse, succeed

METHODS = ["corrupted", "harmonic", "raw", "composite"]
REGIONS = ["whole", "mask", "ring", "outside"]
METRICS = ["ssim", "psnr", "mse", "uqi", "uqi_sewar"]
SIDE = 96


def smooth_heads(count, seed):
    """u8 slices that a smooth continuation can restore: waves on a bright disc."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    disc = x**2 + y**2 < (0.42 * SIDE) ** 2
    parameters = rng.uniform(0, [0.1, 6, 0.1, 6], (count, 4))
    waves = [np.sin(a * x + b) * np.cos(c * y + d) for a, b, c, d in parameters]
    return np.stack([np.rint(disc * (130 + 60 * w)) for w in waves]).astype(np.uint8)


class Trained:
    """A run of three steps, the stack it was validated with and masks for it (fewer than slices)."""

    def __init__(self, folder):
        self.run, self.data, self.masks = folder / "run", folder / "val.h5", folder / "masks.h5"
        self.images = smooth_heads(12, 1)
        self.subjects = [name for name in ("a", 'b, "quoted"', "c") for _ in range(4)]
        self.holes = np.zeros((5, SIDE, SIDE), np.uint8)
        for i, hole in enumerate(self.holes):
            hole[30 + 3 * i : 50 + 3 * i, 35:60] = 1
        make_stack(folder / "train.h5", smooth_heads(12, 0))
        make_stack(self.data, self.images, subjects=self.subjects, intensity_range=(0, 255))
        make_masks(self.masks, self.holes)
        succeed("train", "--run", self.run, "--train", folder / "train.h5", "--val", self.data, "--preset", "demo",
                "--set", "net.width=4", "--set", "net.disc_width=4", "--set", "net.residual=false",
                "--set", f"data.size={SIDE}", "--set", "data.hole=0.2", "--set", "validate.every=3", "--steps", 3,
                "--quiet", timeout=600)

    def evaluate(self, out, *more):
        return succeed("evaluate", "--model", self.run, "--data", self.data, "--masks", self.masks, "--out", out,
                       "--quiet", *more, timeout=600)

    def corrupted(self):
        """Input of each slice, and its hole."""
        holes = self.holes[np.arange(len(self.images)) % len(self.holes)] == 1
        return np.where(holes, np.uint8(round(0.2 * 255)), self.images), holes


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    return Trained(tmp_path_factory.mktemp("trained"))


@pytest.fixture(scope="session")
def results(trained, tmp_path_factory):
    """The folder that one evaluation wrote, and what it printed."""
    out = tmp_path_factory.mktemp("results") / "deep" / "er"
    return out, trained.evaluate(out, "--json")


def test_the_files_and_what_is_printed(results):
    out, outcome = results
    assert sorted(path.name for path in out.iterdir()) == ["per_slice.csv", "report.html", "scores.json"]
    scores = json.loads((out / "scores.json").read_text())
    assert outcome.json == scores
    assert scores["n"] == 12
    for method in METHODS:
        assert list(scores[method]) == REGIONS
        for region in REGIONS:
            assert set(METRICS) | {"n", "std"} == set(scores[method][region])
            assert scores[method][region]["n"] == 12 and set(scores[method][region]["std"]) == set(METRICS)


def test_the_corrupted_input_scores_as_numpy_and_scikit_image_say(trained, results):
    scores = results[1].json["corrupted"]
    inputs, holes = trained.corrupted()
    squares = (trained.images.astype(float) - inputs) ** 2
    mask_mse = np.array([s[h].mean() for s, h in zip(squares, holes)])
    assert scores["whole"]["mse"] == pytest.approx(squares.mean(), abs=1e-6)
    assert scores["mask"]["mse"] == pytest.approx(mask_mse.mean(), abs=1e-6)
    assert scores["mask"]["std"]["mse"] == pytest.approx(mask_mse.std(ddof=1), abs=1e-6)
    assert scores["mask"]["psnr"] == pytest.approx(np.mean(10 * np.log10(255**2 / mask_mse)), abs=1e-6)
    whole = [peak_signal_noise_ratio(t, i, data_range=255) for t, i in zip(trained.images, inputs)]
    assert scores["whole"]["psnr"] == pytest.approx(np.mean(whole), abs=1e-6)
    ssim = [structural_similarity(t, i, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
                                  full=True)[1][5:-5, 5:-5].mean()
            for t, i in zip(trained.images.astype(float), inputs.astype(float))]
    assert scores["whole"]["ssim"] == pytest.approx(np.mean(ssim), abs=1e-6)
    assert scores["outside"]["mse"] == scores["ring"]["mse"] == 0
    assert scores["outside"]["psnr"] is None  # infinite


def test_what_the_methods_are(results):
    scores = results[1].json
    assert scores["harmonic"]["mask"]["psnr"] > scores["corrupted"]["mask"]["psnr"] + 6
    assert scores["harmonic"]["outside"]["mse"] == 0  # it is told the mask
    # The network redraws everything, the composite keeps the input where the map says so.
    assert scores["raw"]["outside"]["mse"] > 0
    assert scores["composite"]["outside"]["mse"] < scores["raw"]["outside"]["mse"]
    assert scores["raw"]["mask"]["mse"] != scores["corrupted"]["mask"]["mse"]


@pytest.mark.parametrize("method, composite, views", [("composite", "auto", 1), ("raw", "none", 1), ("raw", "none", 4)])
def test_it_scores_what_inpaint_makes(trained, results, tmp_path, method, composite, views):
    corrupted, made = tmp_path / "c.h5", tmp_path / "o.h5"
    succeed("corrupt", "--in", trained.data, "--masks", trained.masks, "--hole", 0.2, "--out", corrupted)
    succeed("inpaint", "--model", trained.run, "--in", corrupted, "--composite", composite, "--views", views, "--out", made)
    evaluated = results[1] if views == 1 else trained.evaluate(tmp_path / "r", "--json", "--views", views)
    assert evaluated.json["views"] == views
    scores = succeed("score", "--target", trained.data, "--output", made, "--masks", trained.masks, "--json").json
    for region in REGIONS:
        for metric in METRICS:
            # A few pixels between two grey levels may round the other way.
            wanted = pytest.approx(evaluated.json[method][region][metric], rel=1e-3, abs=1e-5)
            assert scores["output"][region][metric] == wanted


def test_the_false_change_rate_is_that_of_the_calibration_on_the_same_slices(trained, results):
    scores = results[1].json
    calibration = succeed("info", trained.run, "--json").json["calibration"]
    assert scores["change_map"] == {"threshold": calibration["change_threshold"], "calibrated": True}
    assert scores["false_change"]["n"] == 12
    assert scores["false_change"]["rate"] == pytest.approx(calibration["false_change"], abs=1e-4)
    assert scores["false_change"]["rate"] <= 1.1e-3


def test_where_the_scores_come_from(trained, results):
    scores = results[1].json
    assert scores["model"]["step"] == 3 and scores["model"]["source"] == str(trained.run)
    assert scores["model"]["version"]
    assert scores["model"]["settings"]["net.width"] == 4 and scores["model"]["settings"]["data.hole"] == 0.2
    assert (scores["data"], scores["masks"]) == (str(trained.data), str(trained.masks))


def test_per_slice_scores_and_subjects_agree_with_the_means(trained, results):
    out, outcome = results
    with open(out / "per_slice.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["method", "slice", "subject", "region", *METRICS]
    assert [(r["method"], int(r["slice"]), r["region"]) for r in rows] == [
        (m, i, region) for m in METHODS for i in range(12) for region in REGIONS]
    assert [r["subject"] for r in rows[::4]] == trained.subjects * 4

    def check(summary, chosen):
        for metric in METRICS:
            values = [float(r[metric]) for r in chosen if np.isfinite(float(r[metric]))]
            assert summary[metric] == (pytest.approx(np.mean(values)) if values else None)

    for method in METHODS:
        for region in REGIONS:
            chosen = [r for r in rows if (r["method"], r["region"]) == (method, region)]
            check(outcome.json[method][region], chosen)
            for subject, its_scores in outcome.json["subjects"].items():
                check(its_scores[method][region], [r for r in chosen if r["subject"] == subject])
    assert set(outcome.json["subjects"]) == set(trained.subjects)


def test_the_report_needs_nothing_else(trained, results):
    page = (results[0] / "report.html").read_text()
    assert not re.search(r"https?://", page) and "<script" not in page and "<link" not in page
    assert all(source.startswith("data:image/png;base64,") for source in re.findall(r'src="([^"]*)"', page))
    assert "not for diagnostic use" in page
    for rank in ("worst", "median", "best"):
        assert f'<span class="rank">{rank}</span>' in page
    assert page.count("<img ") == 3 * 5  # input, output, target, difference, change map
    assert '<td class="n best">∞</td>' in page  # PSNR of the corrupted input outside the mask
    for words in ("Generator&#39;s losses", "net.disc_width", "b, &quot;quoted&quot;", "Clean slices", "harmonic"):
        assert words in page
    with open(results[0] / "per_slice.csv", newline="") as file:
        psnr = {int(r["slice"]): float(r["psnr"]) for r in csv.DictReader(file)
                if (r["method"], r["region"]) == ("composite", "mask")}
    shown = [int(n) for n in re.findall(r"<span>slice (\d+) of", page)]
    order = sorted(psnr, key=psnr.get)
    assert [shown[0], shown[-1]] == [order[0], order[-1]]


def test_the_same_bytes_again_on_any_number_of_threads(trained, results, tmp_path):
    trained.evaluate(tmp_path, "--threads", 1)
    for name in ("scores.json", "per_slice.csv", "report.html"):
        assert (tmp_path / name).read_bytes() == (results[0] / name).read_bytes()


def test_a_checkpoint_file_a_batch_and_fewer_clean_slices(trained, results, tmp_path):
    text = succeed("evaluate", "--model", trained.run / "best.h5", "--data", trained.data, "--masks", trained.masks,
                   "--out", tmp_path, "--batch", 5, "--clean", 0).out
    assert "composite" in text and "report.html" in text and "false change" not in text
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert scores["false_change"] == {"rate": None, "n": 0}
    assert scores["composite"]["mask"]["mse"] == pytest.approx(results[1].json["composite"]["mask"]["mse"], rel=1e-3)
    page = (tmp_path / "report.html").read_text()
    assert "losses" not in page and "Clean slices" not in page


def test_as_many_masks_as_slices_are_taken_in_turn(trained, tmp_path):
    holes = np.zeros((12, SIDE, SIDE), np.uint8)
    for i, hole in enumerate(holes[:-1]):  # the last slice stays whole
        hole[20 : 30 + i, 40:60] = 1
    make_masks(tmp_path / "m.h5", holes)
    succeed("evaluate", "--model", trained.run, "--data", trained.data, "--masks", tmp_path / "m.h5", "--out",
            tmp_path / "out", "--clean", 2)
    scores = json.loads((tmp_path / "out" / "scores.json").read_text())
    wanted = np.mean([((t.astype(float) - round(0.2 * 255)) ** 2)[h == 1].mean()
                      for t, h in zip(trained.images[:-1], holes)])
    assert scores["corrupted"]["mask"]["mse"] == pytest.approx(wanted, abs=1e-6)
    assert scores["corrupted"]["mask"]["n"] == 11 and scores["corrupted"]["whole"]["n"] == 12
    assert scores["false_change"]["n"] == 2


def test_existing_results_are_kept_without_force(trained, tmp_path):
    (tmp_path / "report.html").write_text("mine")
    arguments = ("evaluate", "--model", trained.run, "--data", trained.data, "--masks", trained.masks, "--out",
                 tmp_path)
    refuse(2, *arguments, says=["report.html", "--force"])
    assert (tmp_path / "report.html").read_text() == "mine" and [p.name for p in tmp_path.iterdir()] == ["report.html"]
    succeed(*arguments, "--force", "--clean", 0)
    assert (tmp_path / "report.html").read_text() != "mine" and not leftovers(tmp_path)


def test_refusals(trained, tmp_path):
    def evaluate(code, says, **changed):
        options = {"model": trained.run, "data": trained.data, "masks": trained.masks, "out": tmp_path / "out",
                   **changed}
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        refuse(code, "evaluate", *words, says=says)
        assert not (tmp_path / "out").exists()

    evaluate(4, "nowhere.h5", model=tmp_path / "nowhere.h5")
    (tmp_path / "empty").mkdir()
    evaluate(4, ["no checkpoint", "empty"], model=tmp_path / "empty")
    evaluate(3, "masks.h5", model=trained.masks)
    evaluate(4, "nowhere.h5", data=tmp_path / "nowhere.h5")
    make_masks(tmp_path / "small.h5")
    evaluate(3, ["small.h5", "64x64", "96x96"], masks=tmp_path / "small.h5")
    make_masks(tmp_path / "all.h5", np.ones((1, SIDE, SIDE), np.uint8))
    evaluate(2, "--batch", batch=0)
    evaluate(2, "--clean", clean=-1)
    evaluate(2, "--views", views=8)
    (tmp_path / "file").write_text("")
    evaluate(4, "file", out=tmp_path / "file")
    refuse(3, "evaluate", "--model", trained.run, "--data", trained.data, "--masks", tmp_path / "all.h5", "--out",
           tmp_path / "out", says=["covers all", "all.h5"])
    assert not leftovers(tmp_path / "out")


def test_corrupted_slices_are_no_targets(trained, tmp_path):
    succeed("corrupt", "--in", trained.data, "--masks", trained.masks, "--out", tmp_path / "c.h5")
    arguments = ("evaluate", "--model", trained.run, "--data", tmp_path / "c.h5", "--masks", trained.masks, "--out",
                 tmp_path / "out", "--clean", 0)
    refuse(3, *arguments, says=["c.h5", "clean stack", "--dataset target"])
    succeed(*arguments, "--dataset", "target")


def test_a_damaged_checkpoint_is_named(trained, tmp_path):
    shutil.copy(trained.run / "best.h5", tmp_path / "hurt.h5")
    with open(tmp_path / "hurt.h5", "r+b") as file:
        file.seek(5000)
        byte = file.read(1)
        file.seek(5000)
        file.write(bytes([byte[0] ^ 1]))
    for name, size in (("hurt.h5", None), ("short.h5", 3000)):
        if size:
            (tmp_path / name).write_bytes((tmp_path / "hurt.h5").read_bytes()[:size])
        refuse(3, "evaluate", "--model", tmp_path / name, "--data", trained.data, "--masks", trained.masks, "--out",
               tmp_path / "out", says=name)
        refuse(3, "info", tmp_path / name, says=name)


def test_info_of_a_run_and_of_a_checkpoint(trained):
    run = succeed("info", trained.run, "--json").json
    checkpoint = succeed("info", trained.run / "checkpoint_3.h5", "--memory", "--json").json
    assert run["kind"] == "run" and run["checkpoints"] == [3] and run["best"] is True
    assert checkpoint["kind"] == "checkpoint" and "memory" not in run
    for result in (run, checkpoint):
        assert result["step"] == 3 and result["settings"]["net.disc_width"] == 4 and np.isfinite(result["score"])
        with h5py.File(trained.run / "checkpoint_3.h5") as file:
            assert result["version"] == file.attrs["version"].decode()
            for network, count in result["values"].items():
                assert count == sum(d.size for name, d in file["weights"].items() if name.startswith(network + "."))
        trainable = {n["name"]: n["trainable_parameters"] for n in result["networks"]}
        assert trainable["generator"] == 2 * trainable["multires_unet"] < result["values"]["generator"]
    memory = checkpoint["memory"]
    assert memory["batch"] == 4 and memory["parameters_bytes"] >= 4 * checkpoint["values"]["generator"]
    text = succeed("info", trained.run).out
    assert "step 3" in text and "generator" in text and "change_threshold" in text and "disc_width = 4" in text


def test_info_of_a_model_takes_no_settings(trained):
    refuse(2, "info", trained.run, "--preset", "demo", says="settings")
    refuse(2, "info", trained.data, "--memory", says="--memory")
