"""train: begins, goes on, survives kill -9 bit for bit, stops when asked, refuses what does not fit."""
import csv
import os
import signal
import subprocess
import time

import h5py
import numpy as np
import pytest

from conftest import BINARY, head_slices, leftovers, make_masks, make_stack, refuse, run, succeed

TINY = ["--preset", "demo", "--set", "net.width=4", "--set", "net.disc_width=4", "--set", "data.size=96", "--set", "train.batch=2"]
TIMES = {"images_per_s", "step_ms", "data_wait_ms"}  # columns of metrics.csv that differ from run to run
SHARED_VGG = os.path.join(os.environ.get("IPA_SHARED_DATA", ""), "vgg19_conv1_1_to_conv3_4.h5")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("train")
    make_stack(folder / "train.h5", head_slices(7, 96), subjects=["a"] * 3 + ["b"] * 4)
    make_stack(folder / "val.h5", head_slices(3, 96, seed=5), subjects=["c"] * 3)
    return folder


def train(data, run_folder, *more, steps=6, tiny=TINY):
    return ["train", "--run", run_folder, "--train", data / "train.h5", *tiny, "--steps", steps, *more]


def content(path):
    """Every array of a checkpoint as bytes, and its step."""
    arrays = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, item: arrays.update({name: item[()].tobytes()}) if isinstance(item, h5py.Dataset) else None)
        arrays["step"] = int(file.attrs["step"])
    return arrays


def metrics(run_folder):
    with open(run_folder / "metrics.csv") as file:
        return [{k: v for k, v in row.items() if k not in TIMES} for row in csv.DictReader(file)]


def test_a_run_leaves_everything_it_promises(data, tmp_path):
    outcome = succeed(*train(data, tmp_path / "r", "--val", data / "val.h5", "--set", "checkpoint.every=2", "--set",
                             "validate.every=3", "--set", "checkpoint.keep=2", "--json", steps=8))
    assert outcome.json["step"] == 8 and outcome.json["best_psnr_mask"] > 0
    names = set(os.listdir(tmp_path / "r"))
    assert {"settings.toml", "metrics.csv", "best.h5", "lock", "checkpoint_6.h5", "checkpoint_8.h5"} <= names
    assert "checkpoint_4.h5" not in names and any(n.startswith("events.out.tfevents") for n in names)
    rows = metrics(tmp_path / "r")
    assert [int(r["step"]) for r in rows] == list(range(1, 9))
    for name in "d_global d_patch adversarial l1 perceptual style total grad_norm_g".split():
        assert all(np.isfinite(float(r[name])) for r in rows)
    assert "train 8/8" in outcome.err and "[net]" in outcome.err
    with h5py.File(tmp_path / "r/best.h5") as file:
        assert "change_threshold" in file["calibration"].attrs


def test_a_finished_run_is_left_alone_and_more_steps_go_on(data, tmp_path):
    succeed(*train(data, tmp_path / "r", steps=3))
    before = content(tmp_path / "r/checkpoint_3.h5")
    succeed(*train(data, tmp_path / "r", steps=3))
    assert content(tmp_path / "r/checkpoint_3.h5") == before
    succeed("train", "--run", tmp_path / "r", "--train", data / "train.h5", "--steps", 5)  # keeps its settings
    assert (tmp_path / "r/checkpoint_5.h5").exists() and len(metrics(tmp_path / "r")) == 5


@pytest.fixture(scope="module")
def uninterrupted(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "r"
    succeed(*train(data, folder, "--val", data / "val.h5", "--set", "checkpoint.every=2", "--set", "validate.every=4", steps=9))
    return folder


def kill_at(command, step):
    """SIGKILL as soon as the progress names `step`."""
    process = subprocess.Popen([BINARY, *map(str, command)], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    for line in process.stderr:
        if f"train {step}/" in line:
            process.kill()
    process.wait()
    return process.returncode


@pytest.mark.parametrize("steps", [[1], [2], [4], [7], [3, 5, 8]])
def test_kill_and_again_gives_the_same_bytes(data, uninterrupted, tmp_path, steps):
    command = train(data, tmp_path / "r", "--val", data / "val.h5", "--set", "checkpoint.every=2", "--set", "validate.every=4", steps=9)
    for step in steps:
        assert kill_at(command, step) == -signal.SIGKILL
    succeed(*command)
    assert content(tmp_path / "r/checkpoint_9.h5") == content(uninterrupted / "checkpoint_9.h5")
    assert content(tmp_path / "r/best.h5") == content(uninterrupted / "best.h5")
    assert metrics(tmp_path / "r") == metrics(uninterrupted)
    assert not leftovers(tmp_path / "r")


def test_kill_at_random_moments(data, uninterrupted, tmp_path):
    command = train(data, tmp_path / "r", "--val", data / "val.h5", "--set", "checkpoint.every=2", "--set", "validate.every=4", steps=9)
    rng = np.random.default_rng(1)
    for _ in range(6):
        process = subprocess.Popen([BINARY, *map(str, command)], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        time.sleep(rng.uniform(0.05, 0.8))
        process.kill()
        process.wait()
    succeed(*command)
    assert content(tmp_path / "r/checkpoint_9.h5") == content(uninterrupted / "checkpoint_9.h5")
    assert metrics(tmp_path / "r") == metrics(uninterrupted)


@pytest.mark.parametrize("which", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_a_signal_saves_and_exits_75(data, uninterrupted, tmp_path, which):
    command = train(data, tmp_path / "r", "--val", data / "val.h5", "--set", "checkpoint.every=2", "--set", "validate.every=4", steps=9)
    process = subprocess.Popen([BINARY, *map(str, command)], stderr=subprocess.PIPE, text=True)
    lines = []
    for line in process.stderr:
        lines.append(line)
        if "train 3/" in line:
            process.send_signal(which)
    assert process.wait() == 75
    assert "state saved" in lines[-1]
    succeed(*command)
    assert content(tmp_path / "r/checkpoint_9.h5") == content(uninterrupted / "checkpoint_9.h5")


def test_a_damaged_checkpoint_is_named_and_the_one_before_taken(data, uninterrupted, tmp_path):
    command = train(data, tmp_path / "r", "--val", data / "val.h5", "--set", "checkpoint.every=2", "--set", "validate.every=4", steps=9)
    assert kill_at(command, 7) == -signal.SIGKILL
    newest = tmp_path / "r/checkpoint_6.h5"
    damaged = bytearray(newest.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    newest.write_bytes(damaged)
    outcome = succeed(*command)
    assert "checkpoint_6.h5" in outcome.err and "goes on from step 4" in outcome.err
    assert content(tmp_path / "r/checkpoint_9.h5") == content(uninterrupted / "checkpoint_9.h5")


def test_a_second_process_is_refused(data, tmp_path):
    command = train(data, tmp_path / "r", steps=10000)
    process = subprocess.Popen([BINARY, *map(str, command)], stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        if "train 1/" in line:
            break
    refuse(4, *command, says=str(process.pid))
    process.kill()
    process.wait()


def test_other_settings_or_data_are_refused(data, tmp_path):
    succeed(*train(data, tmp_path / "r", steps=2))
    refuse(2, *train(data, tmp_path / "r", "--set", "train.lr=1e-5", steps=4), says=["train.lr", "--run"])
    make_stack(tmp_path / "other.h5", head_slices(7, 96, seed=9))
    refuse(2, "train", "--run", tmp_path / "r", "--train", tmp_path / "other.h5", "--steps", 4, says="training data")


def test_subjects_in_both_sets_are_refused_unless_allowed(data, tmp_path):
    make_stack(tmp_path / "leak.h5", head_slices(2, 96), subjects=["b", "d"])
    refuse(3, *train(data, tmp_path / "r", "--val", tmp_path / "leak.h5"), says=["b", "--shared-subjects"])
    succeed(*train(data, tmp_path / "q", "--val", tmp_path / "leak.h5", "--shared-subjects", steps=1))


def test_slices_of_another_size_name_prepare(tmp_path):
    make_stack(tmp_path / "s.h5", head_slices(4, 64))
    refuse(3, "train", "--run", tmp_path / "r", "--train", tmp_path / "s.h5", *TINY, says="prepare --size 96")


def test_a_missing_stack_and_an_unwritable_folder(data, tmp_path):
    refuse(4, "train", "--run", tmp_path / "r", "--train", tmp_path / "none.h5", *TINY, says="none.h5")
    refuse(4, *train(data, "/proc/nowhere"), says="/proc/nowhere")
    refuse(2, "train", "--run", tmp_path / "r", "--train", f"{data / 'train.h5'},", *TINY, says="--train")


def test_without_vgg_the_way_to_it_is_told(data, tmp_path):
    environment = {**os.environ, "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    environment.pop("IPAMEDGAN_VGG", None)
    refuse(2, *train(data, tmp_path / "r", "--set", "loss.style=0.01"), says=["scripts/get-vgg19", "loss.style=0"], env=environment)


@pytest.mark.skipif(not os.path.exists(SHARED_VGG), reason="no VGG-19 weights in IPA_SHARED_DATA")
def test_training_with_style(data, tmp_path):
    succeed(*train(data, tmp_path / "r", "--set", "loss.style=0.01", "--set", "loss.style_warmup=2", "--vgg", SHARED_VGG, steps=2))
    assert all(float(row["style"]) > 0 for row in metrics(tmp_path / "r"))


def test_divergence_stops_with_a_post_mortem(data, tmp_path):
    refuse(6, *train(data, tmp_path / "r", "--set", "train.lr=1e30", steps=50), says="post_mortem.json")
    assert (tmp_path / "r/post_mortem.json").stat().st_size > 100


def test_masks_of_a_file_two_generator_steps_and_a_large_batch(data, tmp_path):
    make_masks(tmp_path / "m.h5", size=96)
    outcome = succeed(*train(data, tmp_path / "r", "--set", f"data.masks={tmp_path / 'm.h5'}", "--set", "train.generator_steps=2",
                             "--set", "train.batch=50", steps=2))
    assert "train.batch" in outcome.err
    make_masks(tmp_path / "small.h5", size=64)
    refuse(3, *train(data, tmp_path / "q", "--set", f"data.masks={tmp_path / 'small.h5'}"), says="small.h5")


def test_several_stacks_and_squares(data, tmp_path):
    both = f"{data / 'train.h5'},{data / 'val.h5'}"
    outcome = succeed("train", "--run", tmp_path / "r", "--train", both, *TINY, "--set", "data.masks=square", "--steps", 2)
    assert "10 slices" in outcome.err
