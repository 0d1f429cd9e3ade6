"""Every message of the user guide's troubleshooting table, and one of each exit code, provoked as a user would: the code, the form
`ipamedgan: error: WHAT, WHERE; HINT`, the file or setting at fault in WHERE, and a hint that says what to do."""
import fcntl
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess

import h5py
import numpy as np
import pytest

from conftest import BINARY, head_slices, make_masks, make_stack, make_volume, run, succeed
from test_train import TINY
from test_train_ranks import Ranks

GUIDE = pathlib.Path(__file__).parents[2] / "docs/user_guide.md"
ONE = ["--threads", 1]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A folder with sound and unsound files, a run of two steps, and its exported weights."""
    f = tmp_path_factory.mktemp("world")
    make_stack(f / "train.h5", head_slices(6, 96), subjects=["a"] * 6)
    make_stack(f / "other.h5", head_slices(6, 96, seed=3), subjects=["b"] * 6)
    make_stack(f / "small.h5", head_slices(4, 64))
    make_stack(f / "black.h5", np.zeros((3, 96, 96), np.uint8))
    make_stack(f / "named.h5", head_slices(4, 96), dataset="pictures")
    floats = head_slices(4, 96).astype(np.float32)
    make_stack(f / "clean.h5", floats, intensity_range=(0.0, 255.0))
    floats[2, 5, 5] = np.nan
    make_stack(f / "nan.h5", floats)
    (f / "text.h5").write_text("hello")
    (f / "short.h5").write_bytes((f / "train.h5").read_bytes()[:20000])
    with h5py.File(f / "lzf.h5", "w") as file:
        file.create_dataset("images", data=head_slices(4, 96), chunks=(1, 96, 96), compression="lzf")
    make_masks(f / "masks.h5", size=96)
    (f / "there.h5").write_text("precious")
    (f / "wrong.toml").write_text("[net]\nwidht = 3\n")
    succeed("train", "--run", f / "run", "--train", f / "train.h5", *TINY, "--steps", 2, *ONE)
    succeed("export", "--model", f / "run", "--out", f / "w.safetensors")
    succeed("import", "--weights", f / "w.safetensors", "--run", f / "imported", *TINY)
    succeed("corrupt", "--in", f / "train.h5", "--masks", f / "masks.h5", "--out", f / "corrupted.h5")
    shutil.copytree(f / "run", f / "damaged")
    for checkpoint in (f / "damaged").glob("*.h5"):
        checkpoint.write_bytes(checkpoint.read_bytes()[:-9] + b"x" * 9)
    shutil.copytree(f / "run", f / "held")
    succeed("train", "--run", f / "wild", "--train", f / "train.h5", *TINY, "--set", "net.residual=false", "--steps", 1, *ONE)
    return f


def train(stack="train.h5", folder="new", *more):
    return ["train", "--run", folder, "--train", stack, *more, *ONE]


# (words of the guide's table, or None for what stands in the table of exit codes alone; command; code; WHERE; HINT)
CASES = {
    "no VGG-19": (train("train.h5", "new", *TINY, "--set", "loss.style=0.1"), 2, "vgg19_weights", "scripts/get-vgg19"),
    "slices of another size": (train("small.h5", "new", *TINY), 3, "small.h5", "prepare --size 96"),
    "no dataset": (["info", "named.h5"], 3, "named.h5", "--dataset"),
    "NaN": (["corrupt", "--in", "nan.h5", "--masks", "masks.h5", "--out", "new.h5"], 3, "nan.h5", "replace"),
    "no HDF5": (["info", "text.h5"], 3, "text.h5", "copy"),
    "cut short": (["info", "short.h5"], 3, "short.h5", "copy"),
    "a foreign filter": (["info", "lzf.h5"], 3, "lzf.h5", "h5repack"),
    "only black": (["prepare", "black.h5", "--size", 96, "--out", "new.h5"], 3, "", "--min-foreground"),
    "an output that exists": (["masks", "--kind", "square", "--split", "test", "--out", "there.h5"], 2, "there.h5", "--force"),
    "shared subjects": (train("train.h5", "new", *TINY, "--val", "train.h5"), 3, "train.h5", "--shared-subjects"),
    "other settings": (train("train.h5", "run", *TINY, "--set", "train.lr=1"), 2, "run", "choose another --run"),
    "other data": (train("other.h5", "run"), 2, "other.h5", "choose another --run"),
    "damaged checkpoints": (train("train.h5", "damaged"), 3, "damaged", "copy"),
    "weights that do not fit": (["import", "--weights", "w.safetensors", "--run", "new", "--preset", "demo"], 3, "w.safetensors", "net.width"),
    "divergence": (train("train.h5", "new", *TINY, "--set", "train.lr=1e30", "--steps", 50), 6, "post_mortem.json", "lower train.lr"),
    "corrupted already": (["evaluate", "--model", "run", "--data", "corrupted.h5", "--masks", "masks.h5", "--out", "new"], 3, "corrupted.h5", "--dataset target"),
    "a device": (["inpaint", "--model", "run", "--in", "train.h5", "--out", "new.h5", "--device", "cuda:99"], 5, "--device cuda:99", "--device cpu"),
    # Beyond the table.
    "an unknown option": (["info", "--jsn"], 2, "ipamedgan info", "did you mean --json"),
    "an unknown command": (["inpant"], 2, "ipamedgan", "did you mean inpaint"),
    "no command": ([], 2, "ipamedgan", "see ipamedgan --help"),
    "an option without its value": (["train", "--run"], 2, "--run needs a value, ipamedgan train", "see ipamedgan train --help"),
    "a number that is none": (["info", "train.h5", "--threads", "two"], 2, "--threads takes an integer", "--threads 4"),
    "an empty path": (["info", ""], 2, "FILE", "name a file"),
    "an unknown setting": (["info", "--set", "net.widht=3"], 2, "--set net.widht=3", "did you mean net.width"),
    "an unknown setting in a file": (["info", "--config", "wrong.toml"], 2, "wrong.toml line 2", "did you mean net.width"),
    "a value out of range": (["info", "--set", "data.size=100"], 2, "--set data.size=100", "multiple of 16"),
    "a value of another type": (["info", "--set", "net.width=wide"], 2, "--set net.width=wide", "integer"),
    "a preset": (["info", "--preset", "practicle"], 2, "--preset", "practical"),
    "no settings file": (["info", "--config", "none.toml"], 4, "none.toml", "check the path"),
    "no input": (["info", "none.h5"], 4, "none.h5", "check the path"),
    "no model": (["inpaint", "--model", "none", "--in", "train.h5", "--out", "new.h5"], 4, "none", "check the path"),
    "a folder that is no run": (["inpaint", "--model", ".", "--in", "train.h5", "--out", "new.h5"], 4, ".", "train"),
    "no folder": (["masks", "--kind", "square", "--split", "test", "--out", "none/m.h5"], 4, "none", "create it"),
    "masks of another size": (["corrupt", "--in", "small.h5", "--masks", "masks.h5", "--out", "new.h5"], 3, "masks.h5", "masks --size 64"),
    "stacks that differ": (["score", "--target", "train.h5", "--output", "small.h5"], 3, "small.h5", "score what was made from this target"),
    "a dry run without memory": (train("train.h5", "new", *TINY, "--set", "net.width=1000", "--dry-run"), 5, "cpu", "lower train.batch"),
    "a wrong launcher": (train("train.h5", "new", *TINY), 2, "environment", "set RANK"),
}


def check(last, where, hint):
    assert last.startswith("ipamedgan: error: "), last
    what, _, said = last.removeprefix("ipamedgan: error: ").partition("; ")
    assert what and said, f"no hint: {last}"
    assert where in what, f"{where} is not named: {last}"
    assert hint in said, f"not told to {hint}: {last}"
    return last


@pytest.mark.parametrize("name", CASES)
def test_message(world, name, seen, monkeypatch):
    arguments, code, where, hint = CASES[name]
    environment = {**os.environ, "XDG_CACHE_HOME": str(world / "no cache")}
    environment.pop("IPAMEDGAN_VGG", None)
    if name == "a wrong launcher":
        environment["WORLD_SIZE"] = "2"
    outcome = run(*arguments, cwd=world, env=environment)
    assert outcome.code == code and outcome.out == "", outcome.err
    seen.append(check(outcome.last, where, hint))
    shutil.rmtree(world / "new", ignore_errors=True)
    assert not (world / "new.h5").exists() and (world / "there.h5").read_text() == "precious"


@pytest.fixture(scope="module")
def seen():
    """What was said; the last test compares it with the guide."""
    return []


def test_a_run_in_use(world, seen):
    with open(world / "held/lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write("process 7 on somewhere\n")
        lock.flush()
        outcome = run(*train("train.h5", "held"), cwd=world)
    assert outcome.code == 4 and "process 7 on somewhere" in outcome.last
    seen.append(check(outcome.last, "held/lock", "choose another --run"))


def test_another_number_of_processes(world, seen):
    ranks = Ranks(*[train(world / "train.h5", world / "run", "--steps", 3)] * 2)
    assert ranks.end() == [2, 2]
    for err in ranks.err:
        seen.append(check(err.splitlines()[-1], str(world / "run"), "--ranks-changed"))


def test_a_lost_process(world, seen):
    ranks = Ranks(*[train(world / "train.h5", world / "lost", *TINY, "--steps", 10000)] * 2)
    ranks.until("train 1/")
    ranks.processes[1].kill()
    assert ranks.end() == [5, -signal.SIGKILL]
    check(ranks.err[0].splitlines()[-1], "rank 1 of 2", "goes on from the last checkpoint")


def address_space(limit):
    return lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def loaded_size():
    """Address space that the program takes before it does anything: with CUDA's libraries, gigabytes."""
    starts = lambda limit: subprocess.run([BINARY, "--version"], capture_output=True, preexec_fn=address_space(limit)).returncode == 0
    return next(limit for limit in range(50 << 20, 50 << 30, 50 << 20) if starts(limit))


def test_too_little_memory(world, seen):
    limit = address_space(loaded_size() + (300 << 20))
    outcome = run(*train("train.h5", "new", *TINY, "--set", "net.width=96"), cwd=world, preexec_fn=limit)
    assert outcome.code == 5
    seen.append(check(outcome.last, "no memory for", "train.batch"))
    make_volume(world / "large.nii", np.zeros((16, 16, 16), np.int16))
    header = bytearray((world / "large.nii").read_bytes()[:352])
    header[40:56] = np.array([3, 512, 512, 1000, 1, 1, 1, 1], "<i2").tobytes()
    (world / "large.nii").write_bytes(header)
    os.truncate(world / "large.nii", 352 + 512 * 512 * 1000 * 2)  # a file with a hole: it takes no room
    outcome = run("info", "large.nii", cwd=world, preexec_fn=limit)
    assert outcome.code == 5
    seen.append(check(outcome.last, "out of memory", "a machine with more"))


def test_a_full_disk(world):
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64))
    outcome = run("masks", "--kind", "square", "--split", "test", "--out", "new.h5", cwd=world, preexec_fn=limit)
    assert outcome.code == 4 and not (world / "new.h5").exists()
    check(outcome.last, "new.h5", "free space")


def test_a_signal(world):
    process = subprocess.Popen([BINARY, *map(str, train("train.h5", "stopped", *TINY, "--steps", 10000))], cwd=world, text=True,
                               stderr=subprocess.PIPE)
    for line in process.stderr:
        if "train 1/" in line:
            process.send_signal(signal.SIGTERM)
            break
    last = process.communicate()[1].splitlines()[-1]
    assert process.returncode == 75
    assert re.fullmatch(r"ipamedgan: error: stopped by signal 15 at step \d+, state saved, stopped; the same command goes on from there", last), last


def test_warnings(world, seen):
    out = world / "repaired.h5"
    for more in (["--model", "imported"], ["--model", "wild"]):
        seen += succeed("inpaint", *more, "--in", "train.h5", "--out", out, "--force", cwd=world).err.splitlines()


def test_the_guide_has_the_messages_word_for_word(seen):
    """`N`, `M`, `PID`-like capitals and dots of the table stand for anything."""
    table = GUIDE.read_text(encoding="utf-8").split("## Troubleshooting")[1]
    wanted = [m for row in re.findall(r"^\| (`.*?) \|", table, re.M) for m in re.findall(r"`([^`]+)`", row)]
    assert len(wanted) > 20
    # Those of the process that reads foreign files: tests/test_foreign_file.cpp and tests/reliability.
    elsewhere = ("it crashes the HDF5 library", "reading it took more than", "reading it takes more than N MiB of memory")
    if any("CUDA driver version" in message for message in seen):  # what a program with CUDA says of a machine without
        elsewhere += ("this program was built without CUDA",)
    never = []
    for words in wanted:
        if words in elsewhere:
            continue
        pattern = re.sub(r"\b(N|M|HOST|KEYS)\b|\\\.\\\.\\\.|\d+", ".+?", re.escape(words))
        if not any(re.search(pattern, message) for message in seen):
            never.append(words)
    assert never == [], "\n".join([*never, "was said:", *seen])
