"""train --dry-run: checks what train checks, plans what train then does, times real steps, writes nothing."""
import os
import signal
import subprocess

import pytest

from conftest import BINARY, refuse, run, succeed
from test_train import TINY, data, metrics  # noqa: F401
from test_train import train as train_with_any_threads
from test_train_ranks import Ranks


def train(*arguments, **options):
    return [*train_with_any_threads(*arguments, **options), "--threads", 1]


def files(folder):
    return {p: p.stat().st_mtime_ns for p in sorted(folder.rglob("*"))} if folder.exists() else {}


def dry(data, run_folder, *more, **options):
    before, beside = files(run_folder), set(os.listdir(run_folder.parent)) if run_folder.parent.is_dir() else None
    outcome = run(*train(data, run_folder, *more, "--dry-run", **options))
    assert files(run_folder) == before
    assert beside is None or set(os.listdir(run_folder.parent)) == beside
    return outcome


def test_the_plan_is_what_then_happens(data, tmp_path):  # noqa: F811
    more = ["--val", data / "val.h5", "--set", "checkpoint.every=2", "--set", "checkpoint.keep=2", "--set", "validate.every=3"]
    plan = dry(data, tmp_path / "r", *more, "--json", steps=8).json
    assert (plan["begins_at"], plan["total_steps"], plan["steps_per_epoch"], plan["slices"]) == (0, 8, 3, 7)
    assert plan["time"]["timed_steps"] == 3 and plan["time"]["seconds_per_step"] > 0
    assert plan["time"]["validations"] == 3 and plan["time"]["seconds_per_validation"] > 0
    assert plan["time"]["seconds"] == pytest.approx(8 * plan["time"]["seconds_per_step"] + 3 * plan["time"]["seconds_per_validation"])
    assert plan["settings"]["net.width"] == 4 and plan["memory"]["bytes"] < plan["memory"]["free_bytes"]
    memory = succeed("info", *TINY, "--memory", "--threads", 1, "--json").json["memory"]
    assert plan["memory"]["training_step_bytes"] == memory["training_step_bytes"]

    succeed(*train(data, tmp_path / "r", *more, steps=8))
    kept = [tmp_path / "r" / name for name in ("best.h5", "checkpoint_6.h5", "checkpoint_8.h5")]
    sizes = [p.stat().st_size for p in kept]
    assert len(kept) + 1 == plan["checkpoints"]["most_files"] and plan["checkpoints"]["saves"] == 4
    # The tiny networks' many names weigh more than their weights would in earnest.
    assert plan["checkpoints"]["bytes"] <= min(sizes) and max(sizes) < plan["checkpoints"]["bytes"] + 400_000

    again = dry(data, tmp_path / "r", *more, steps=12)
    assert again.code == 0 and "at step 8, where the last checkpoint is" in again.out and "for 4 steps at" in again.out
    done = dry(data, tmp_path / "r", *more, steps=8)
    assert done.code == 0 and "none, the run is done" in done.out
    assert len(metrics(tmp_path / "r")) == 8


def test_the_timed_steps_leave_no_trace(data, tmp_path):  # noqa: F811
    succeed(*train(data, tmp_path / "r", steps=2))
    checkpoint = (tmp_path / "r/checkpoint_2.h5").read_bytes()
    assert dry(data, tmp_path / "r", steps=5).code == 0
    assert (tmp_path / "r/checkpoint_2.h5").read_bytes() == checkpoint


@pytest.mark.parametrize("more, code, says", [
    (["--set", "net.width=1000"], 5, ["training needs", "of memory", "train.batch", "info --memory"]),
    (["--set", "data.size=112"], 3, ["slices of 96x96 where data.size is 112", "prepare --size 112"]),
    (["--set", "loss.style=0.1"], 2, ["VGG-19", "scripts/get-vgg19"]),
    (["--set", "data.masks=none.h5"], 4, ["none.h5"]),
    (["--val", "none.h5"], 4, ["none.h5"]),
])
def test_it_refuses_what_train_refuses(data, tmp_path, monkeypatch, more, code, says):  # noqa: F811
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("IPAMEDGAN_VGG", raising=False)
    outcome = dry(data, tmp_path / "r", *more)
    assert outcome.code == code and outcome.out == "" and all(words in outcome.last for words in says), outcome.last


def test_folders_that_cannot_become_runs(data, tmp_path):  # noqa: F811
    outcome = dry(data, data / "train.h5" / "r")
    assert outcome.code == 4 and "cannot make the run folder" in outcome.last and str(data / "train.h5") in outcome.last
    # A file system without room: /proc.
    refused = run(*train(data, "/proc/r", "--dry-run"))
    assert refused.code == 4 and "/proc/r" in refused.last


def test_a_run_in_use_and_other_settings(data, tmp_path):  # noqa: F811
    process = subprocess.Popen([BINARY, *map(str, train(data, tmp_path / "r", steps=10000))], stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        if "train 1/" in line:
            break
    refuse(4, *train(data, tmp_path / "r", "--dry-run"), says=f"in use by process {process.pid}")
    process.send_signal(signal.SIGTERM)
    process.communicate()
    assert process.returncode == 75
    assert "train.lr" in dry(data, tmp_path / "r", "--set", "train.lr=1e-5").last


def test_several_processes_plan_together(data, tmp_path):  # noqa: F811
    ranks = Ranks(*[train(data, tmp_path / "r", "--dry-run")] * 2)
    assert ranks.end() == [0, 0], ranks.err
    assert "in each of 2 processes" in ranks.out[0] and "4 a step" in ranks.out[0] and ranks.out[1] == ""
    assert not (tmp_path / "r").exists()
