"""The benchmarks' CUDA paths on the emulated device: recordings, clock events, flushed caches, errors against double. What
an emulated device takes says nothing of a GPU."""

import json
import pathlib
import subprocess

import pytest

from conftest import BINARY

BIN = pathlib.Path(BINARY).parent
TOY = ["--batch", 1, "--size", 96, "--width", 4, "--disc-width", 4, "--runs", 1]
pytestmark = pytest.mark.skipif(not (BIN / "bench_step_emulated").exists(), reason="the benchmarks were not built")


def report(program, *arguments):
    done = subprocess.run([BIN / program, "--device", "cuda", "--json", *map(str, arguments)],
                          capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_step_is_profiled_in_one_recording():
    step = report("bench_step_emulated", *TOY, "--style", 0)
    predicted = json.loads(subprocess.run([BIN / "bench_step", "--device", "cuda", "--json", "--predict", "--roof", "h200",
                                           *map(str, [*TOY, "--style", 0])], capture_output=True, check=True).stdout)
    assert step["device"] == "cuda" and step["seconds"] > 0 and step["roof"]["copy_gb_s"] > 0
    assert all(row["seconds"] > 0 for row in step["ops"]) and step["all"]["seconds"] > 0
    for what in ("launches", "bytes", "flops"):
        assert step["all"][what] == predicted["all"][what]


@pytest.mark.parametrize("flush", ["--flush", "--no-flush"])
def test_ops_are_replayed(flush):
    ops = report("bench_ops_emulated", *TOY, "--filter", "batch 1: conv wgrad s2", "--errors", flush)
    assert ops["device"].startswith("cuda:0") and ops["flushed"] == (flush == "--flush") and len(ops["cases"]) > 3
    assert all(case["ops"][0]["seconds"] > 0 for case in ops["cases"])
    errors = [case["error"]["value"] for case in ops["cases"]]
    assert 0 < max(errors) < 1e-5  # products of bf16 operands are exact, and so may be a sum of few
