"""train over several processes, started as torchrun would: one set of files, equal bytes, lost ranks, other numbers of ranks."""
import ctypes
import os
import re
import signal
import socket
import subprocess
import time

import pytest

from conftest import BINARY, head_slices, leftovers, make_stack, refuse, succeed
from test_train import content, metrics

TINY = ["--preset", "demo", "--set", "net.width=4", "--set", "net.disc_width=4", "--set", "data.size=96", "--set", "train.batch=2",
        "--set", "train.decay=0", "--set", "checkpoint.every=2", "--set", "checkpoint.keep=1000", "--set", "validate.every=4",
        "--threads", "1"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ranks")
    make_stack(folder / "train.h5", head_slices(9, 96), subjects=["a"] * 4 + ["b"] * 5)
    make_stack(folder / "val.h5", head_slices(3, 96, seed=5), subjects=["c"] * 3)
    return folder


def train(data, run_folder, *more, steps=6):
    return ["train", "--run", run_folder, "--train", data / "train.h5", "--val", data / "val.h5", *TINY, "--steps", steps, *more]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def environment(**variables):
    kept = {k: v for k, v in os.environ.items() if k not in ("RANK", "WORLD_SIZE", "LOCAL_RANK") and not k.startswith(("OMPI_", "SLURM_"))}
    return {**kept, "GOMP_SPINCOUNT": "1000", **{k: str(v) for k, v in variables.items()}}


class Ranks:
    """One process per command, connected at a free port."""

    def __init__(self, *commands):
        port, self.processes = free_port(), []
        for rank, command in enumerate(commands):
            place = environment(RANK=rank, LOCAL_RANK=rank, WORLD_SIZE=len(commands), MASTER_ADDR="127.0.0.1", MASTER_PORT=port)
            self.processes.append(subprocess.Popen([BINARY, *map(str, command)], env=place, text=True, stdout=subprocess.PIPE,
                                                   stderr=subprocess.PIPE))
        self.seen = ""  # of rank 0's standard error

    def until(self, words):
        for line in self.processes[0].stderr:
            self.seen += line
            if words in line:
                return
        raise AssertionError(f"rank 0 never said {words}: {self.seen}")

    def end(self):
        """Exit codes; `out` and `err` by rank."""
        try:
            both = [p.communicate(timeout=60) for p in self.processes]
        finally:
            for p in self.processes:
                p.kill()
        self.out, self.err = [o for o, _ in both], [e for _, e in both]
        self.err[0] = self.seen + self.err[0]
        return [p.returncode for p in self.processes]


@pytest.fixture(scope="module")
def uninterrupted(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "r"
    ranks = Ranks(*[train(data, folder)] * 2)
    assert ranks.end() == [0, 0], ranks.err
    assert "at step 6" in ranks.out[0] and "on each of 2 processes, 2 steps an epoch" in ranks.err[0]
    assert ranks.out[1] == ranks.err[1] == ""  # quiet
    return folder


def test_one_set_of_files(uninterrupted):
    names = os.listdir(uninterrupted)
    assert {"settings.toml", "metrics.csv", "best.h5", "lock", "checkpoint_6.h5"} <= set(names)
    assert sum(n.startswith("events.out.tfevents") for n in names) == 1 and not leftovers(uninterrupted)
    assert [int(row["step"]) for row in metrics(uninterrupted)] == list(range(1, 7))
    told = succeed("info", uninterrupted / "checkpoint_6.h5")
    assert told.out.splitlines()[0].endswith(": step 6, epoch 3, 2 processes")
    assert succeed("info", uninterrupted, "--json").json["processes"] == 2


def test_again_gives_the_same_bytes(data, uninterrupted, tmp_path):
    assert Ranks(*[train(data, tmp_path / "r")] * 2).end() == [0, 0]
    assert content(tmp_path / "r/checkpoint_6.h5") == content(uninterrupted / "checkpoint_6.h5")
    assert metrics(tmp_path / "r") == metrics(uninterrupted)
    succeed(*train(data, tmp_path / "alone"), env=environment())
    assert content(tmp_path / "alone/checkpoint_6.h5") != content(uninterrupted / "checkpoint_6.h5")


def test_samples_are_numbered_through_the_ranks(tmp_path):
    """Of equal slices, ranks that draw equal masks would do what one does alone."""
    make_stack(tmp_path / "equal.h5", head_slices(1, 96).repeat(4, axis=0))
    command = ["train", "--train", tmp_path / "equal.h5", *TINY, "--set", "train.batch=1", "--steps", 1, "--run"]
    assert Ranks(*[[*command, tmp_path / "two"]] * 2).end() == [0, 0]
    succeed(*command, tmp_path / "one", env=environment())
    assert metrics(tmp_path / "two")[0]["l1"] != metrics(tmp_path / "one")[0]["l1"]


@pytest.mark.parametrize("killed", [0, 1])
def test_a_lost_rank_is_named_and_the_run_goes_on(data, uninterrupted, tmp_path, killed):
    ranks = Ranks(*[train(data, tmp_path / "r", steps=5000)] * 2)
    ranks.until("train 3/")
    ranks.processes[killed].kill()
    since = time.monotonic()
    codes = ranks.end()
    assert time.monotonic() - since < 10
    assert codes[killed] == -signal.SIGKILL and codes[1 - killed] == 5, ranks.err
    assert f"rank {killed} of 2" in ranks.err[1 - killed].splitlines()[-1]
    for name in os.listdir(tmp_path / "r"):  # the run may have gone beyond what it is compared at
        if name.startswith("checkpoint_") and int(name[11:-3]) > 4:
            os.remove(tmp_path / "r" / name)
    again = Ranks(*[train(data, tmp_path / "r")] * 2)
    assert again.end() == [0, 0], again.err
    assert "goes on from step" in again.err[0]
    assert content(tmp_path / "r/checkpoint_6.h5") == content(uninterrupted / "checkpoint_6.h5")
    assert metrics(tmp_path / "r") == metrics(uninterrupted)


def stop_thread(thread):
    """Stops one thread of another process, whose other threads go on; it goes on itself when we end."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long] * 4
    attach = 16
    if libc.ptrace(attach, thread, 0, 0) != 0:
        pytest.skip(f"no ptrace here: {os.strerror(ctypes.get_errno())}")
    os.waitpid(thread, 0x40000000)  # __WALL


@pytest.mark.parametrize("stuck", [0, 1])
def test_a_training_thread_that_hangs_is_noticed_though_its_process_lives(data, tmp_path, monkeypatch, stuck):
    """Its heart goes on beating, so that silence cannot tell; unless it is stopped while it allocates, which then stops its
    heart as well. No saves: nothing is expected of a rank that saves."""
    monkeypatch.setenv("IPAMEDGAN_STALL_SECONDS", "3")
    ranks = Ranks(*[train(data, tmp_path / "r", "--set", "validate.every=1000", "--set", "checkpoint.every=1000", steps=5000)] * 2)
    ranks.until("train 2/")
    stop_thread(ranks.processes[stuck].pid)
    other = ranks.processes[1 - stuck]
    out, err = other.communicate(timeout=60)
    assert other.returncode == 5, err
    assert re.search(rf"rank {stuck} of 2 \(.*\) (did not go on for \d|was lost: nothing was heard)", err.splitlines()[-1]), err
    ranks.processes[stuck].kill()
    ranks.processes[stuck].wait()


def test_a_stall_that_is_no_number_is_refused(data, tmp_path):
    refuse(2, *train(data, tmp_path / "r"), says=["IPAMEDGAN_STALL_SECONDS=soon", "unset it"],
           env=environment(IPAMEDGAN_STALL_SECONDS="soon"))


@pytest.mark.parametrize("told", [0, 1])
def test_a_signal_to_any_rank_stops_all_with_the_state_saved(data, uninterrupted, tmp_path, told):
    ranks = Ranks(*[train(data, tmp_path / "r", "--set", "checkpoint.every=1000", steps=5000)] * 2)
    ranks.until("train 2/")
    ranks.processes[told].send_signal(signal.SIGTERM)
    assert ranks.end() == [75, 75], ranks.err
    last = [err.splitlines()[-1] for err in ranks.err]
    assert last[0] == last[1] and f"signal {int(signal.SIGTERM)}" in last[0] and "state saved" in last[0]
    saved = [n for n in os.listdir(tmp_path / "r") if n.startswith("checkpoint_")]
    step = int(saved[0][11:-3])
    assert len(saved) == 1 and f"at step {step}," in last[0] and len(metrics(tmp_path / "r")) == step


def test_another_number_of_ranks_needs_to_be_allowed(data, uninterrupted, tmp_path):
    alone = environment()
    succeed(*train(data, tmp_path / "r", steps=2), env=alone)
    both = Ranks(*[train(data, tmp_path / "r", steps=3)] * 2)
    assert both.end() == [2, 2]
    assert all("1 processes so far, not 2" in err and "--ranks-changed" in err for err in both.err)
    allowed = Ranks(*[train(data, tmp_path / "r", "--ranks-changed", steps=3)] * 2)
    assert allowed.end() == [0, 0], allowed.err
    refuse(2, *train(data, tmp_path / "r", steps=4), says=["2 processes so far, not 1", "--ranks-changed"], env=alone)
    assert "goes on from step 3" in succeed(*train(data, tmp_path / "r", "--ranks-changed", steps=4), env=alone).err


def test_ranks_that_do_not_belong_together_are_refused(data, tmp_path):
    other_settings = Ranks(train(data, tmp_path / "r"), train(data, tmp_path / "r", "--set", "train.lr=1e-5"))
    assert other_settings.end() == [2, 2]
    assert all("rank 1" in err and "other settings" in err for err in other_settings.err)
    make_stack(tmp_path / "train.h5", head_slices(9, 96, seed=8))
    command = train(data, tmp_path / "r")
    other_data = Ranks(command, [tmp_path / "train.h5" if word == data / "train.h5" else word for word in command])
    assert other_data.end() == [2, 2]
    assert all("rank 1 of 2" in err and "other training data" in err for err in other_data.err)
    assert Ranks(*[["train", "--run", tmp_path / "q", "--train", data / "train.h5", *TINY, "--set", "train.lr=1e30", "--steps",
                    50]] * 2).end() == [6, 6]  # diverged, all alike


def test_an_incomplete_place_is_refused(data, tmp_path):
    refuse(2, *train(data, tmp_path / "r"), says=["RANK is not set"], env=environment(WORLD_SIZE=2))
    succeed(*train(data, tmp_path / "r", steps=1), env=environment(WORLD_SIZE=1, RANK=0, LOCAL_RANK=0, MASTER_ADDR="127.0.0.1",
                                                                   MASTER_PORT=free_port()))
