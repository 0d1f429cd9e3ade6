"""What the reliability tests share: the tiny run, the fault shim, and how much a soak (scripts/soak) multiplies.

Environment: IPAMEDGAN the program, IPA_RELIABILITY the folder of fault_shim and checkpoint_tool, IPA_SOAK_FACTOR what to
multiply the counts by (1 in CI), IPA_SOAK_SEED another seed per round, IPA_SOAK_COUNTS a file that collects what was done."""
import functools
import os
import pathlib
import subprocess
import sys

import numpy as np

sys.path.append(str(pathlib.Path(__file__).parent.parent / "cli"))
import conftest
from conftest import BINARY, Outcome, head_slices, leftovers, make_masks, make_stack, make_volume  # noqa: F401
from test_train import content, metrics  # noqa: F401

# Where a soak runs beside other work, only what hangs may run out of time.
run, succeed, refuse = (functools.partial(f, timeout=1800) for f in (conftest.run, conftest.succeed, conftest.refuse))
FACTOR = int(os.environ.get("IPA_SOAK_FACTOR", "1"))
SEED = int(os.environ.get("IPA_SOAK_SEED", "0"))
TOOLS = pathlib.Path(os.environ["IPA_RELIABILITY"])
SHIM = TOOLS / "libfault_shim.so"
CHECKPOINT_TOOL = TOOLS / "checkpoint_tool"

TINY = ["--preset", "demo", "--set", "net.width=4", "--set", "net.disc_width=4", "--set", "data.size=96", "--set", "train.batch=2",
        "--set", "train.decay=0", "--set", "checkpoint.keep=2", "--threads", "1", "--device", "cpu"]


def random(name):
    """A generator of its own for each test, and for each round of a soak."""
    return np.random.default_rng([SEED, *name.encode()])


def count(what, number=1):
    """Adds to what scripts/soak tells at its end."""
    if "IPA_SOAK_COUNTS" in os.environ:
        with open(os.environ["IPA_SOAK_COUNTS"], "a") as file:
            file.write(f"{number} {what}\n")


def sample(total, most, rng):
    """`most` of 1..total, all of them where that is enough: the first, the last, and any between."""
    if most >= total:
        return list(range(1, total + 1))
    between = rng.choice(np.arange(2, total), max(most - 2, 0), replace=False) if total > 2 else []
    ends = [1, total] if most > 1 else [int(rng.integers(1, total + 1))]
    return sorted({*ends, *map(int, between)})


def make_data(folder):
    make_stack(folder / "train.h5", head_slices(7, 96), subjects=["a"] * 3 + ["b"] * 4)
    make_stack(folder / "val.h5", head_slices(3, 96, seed=5), subjects=["c"] * 3)
    return folder


def train(data, run_folder, steps, *more, every=1, validate=5):
    return ["train", "--run", run_folder, "--train", data / "train.h5", "--val", data / "val.h5", *TINY, "--set", f"checkpoint.every={every}",
            "--set", f"validate.every={validate}", "--steps", steps, *more]


def begin(command, **options):
    return subprocess.Popen([BINARY, *map(str, command)], stdout=subprocess.DEVNULL, text=True, **options)


def saved_steps(run_folder):
    return sorted(int(p.stem.split("_")[1]) for p in run_folder.glob("checkpoint_*.h5"))


def same_run(one, other, step):
    """Byte for byte: the checkpoint of `step`, the best one, and the log but for its times."""
    assert content(one / f"checkpoint_{step}.h5") == content(other / f"checkpoint_{step}.h5")
    assert content(one / "best.h5") == content(other / "best.h5")
    assert metrics(one) == metrics(other)
    assert not leftovers(one)


class Faults:
    """Runs a command with the n-th call of a kind faulty, on the files under one folder."""

    def __init__(self, under, program=BINARY):
        self.under, self.program = pathlib.Path(under), program
        self.log = self.under.parent / (self.under.name + ".calls")

    def run(self, command, call="none", n="0", action="EIO"):
        """(outcome, [call and file per call], the file of the fault or None)"""
        self.log.unlink(missing_ok=True)
        environment = {**os.environ, "LD_PRELOAD": str(SHIM), "IPA_FAULT_UNDER": f"{self.under}", "IPA_FAULT_LOG": str(self.log),
                       "IPA_FAULT": f"{call} {n} {action}", "GOMP_SPINCOUNT": "1000"}
        done = subprocess.run([self.program, *map(str, command)], capture_output=True, text=True, timeout=1800, env=environment)
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        faults = [line.split(" ", 2)[2] for line in lines if line.startswith("FAULT ")]
        if faults:
            count(f"faults injected ({action.rstrip('+')})")
        return Outcome(done), lines, faults[0] if faults else None

    def totals(self, command):
        """How often a sound run makes each kind of call."""
        outcome, lines, _ = self.run(command)
        assert outcome.code == 0, outcome.err
        calls = [line.split(" ", 1)[0] for line in lines]
        return {call: calls.count(call) for call in set(calls)}
