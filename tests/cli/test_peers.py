"""bench/peers: PyTorch from our weights computes what we compute, and the comparison runs from end to end, at toy sizes."""

import json
import pathlib
import subprocess
import sys

import pytest

from conftest import BINARY

PEERS = pathlib.Path(__file__).parents[2] / "bench/peers"
TOY = ["--threads", 2, "--batch", 2, "--size", 96, "--width", 4, "--disc-width", 4]


def run(script, *arguments, codes=(0,)):
    done = subprocess.run(
        [sys.executable, PEERS / script, *map(str, arguments)], capture_output=True, text=True, timeout=300
    )
    if done.returncode == 77:
        pytest.skip(done.stderr)
    assert done.returncode in codes, done.stderr + done.stdout
    return done


def test_pytorch_agrees_from_the_same_weights_on_the_same_slices_and_masks():
    report = json.loads(run("agreement.py", "--ipamedgan", BINARY, "--style-layers", 2, *TOY, codes=(0, 1)).stdout)
    assert report["ipamedgan"].keys() == {"output", "step 1", "step 2", "step 3"}
    for what, line in report["ipamedgan"].items():
        assert line["agrees"] and line["distance"] > 0, (what, line)


def test_a_page_is_written(tmp_path):
    folder = pathlib.Path(BINARY).parent
    if not (folder / "bench_step").exists():
        pytest.skip("the benchmarks were not built")
    pytest.importorskip("torch")
    run(
        "compare.py",
        "--bin",
        folder,
        "--results",
        tmp_path / "r.json",
        "--page",
        tmp_path / "cpu.md",
        "--parts",
        "inference,profile",
        "--modes",
        "eager",
        "--rounds",
        1,
        "--runs",
        1,
        *TOY
    )
    results = json.loads((tmp_path / "r.json").read_text())
    pair = results["inference/eager"]
    assert all(0 < seconds < 60 for seconds in pair["seconds"][0]) and pair["mib"] > pair["ours_mib"] > 1
    page = (tmp_path / "cpu.md").read_text()
    assert "| PyTorch, eager, float32 |" in page and "Where our time goes: a training step" in page


def test_what_is_missing_is_told(tmp_path):
    done = run("compare.py", "--bin", tmp_path, "--results", tmp_path / "r.json", codes=(1,))
    assert done.stderr.startswith("bench-cpu: error: there is no") and "Traceback" not in done.stderr
