"""scripts/gpu-bench and scripts/gpu-check as they run without a GPU: what is measured, and what no time is left for."""
import os
import pathlib
import subprocess
import sys

import pytest

from conftest import BINARY

ROOT = pathlib.Path(__file__).parents[2]
BUILT = pathlib.Path(BINARY).parents[1]
ENVIRONMENT = {**os.environ, "GOMP_SPINCOUNT": "1000"}


def run(script, *arguments):
    return subprocess.run([sys.executable, ROOT / "scripts" / script, "--prebuilt", BUILT, "--on", "cpu", *map(str, arguments)],
                          capture_output=True, text=True, timeout=300, env=ENVIRONMENT)


def verdicts(page):
    rows = [line.split("|") for line in page.splitlines() if line.startswith("| ")]
    return {row[1].strip(): row[2].strip() for row in rows}


@pytest.mark.skipif(not (BUILT / "bin/bench_comm").exists(), reason="the benchmarks were not built")
def test_gpu_bench_measures_and_writes_a_page(tmp_path):
    done = run("gpu-bench", "--out", tmp_path / "out", "--python", "/nonexistent/python")
    assert done.returncode == 0, done.stdout + done.stderr
    page = (tmp_path / "out/page.md").read_text()
    told = verdicts((tmp_path / "out/stages.md").read_text())
    assert told["step, batch 2"] == told["inpaint, batch 2"] == told["scaling, simulated"] == "passed"
    assert told["PyTorch"] == "skipped"
    assert told["step, batch 2, all rewritten"] == told["step, batch 2, none rewritten"] == "passed"
    assert "By rewrites of the graph" in page and "| network s |" in page
    assert "Toy sizes without a GPU" in page and "**Simulated, not measured.**" in page
    assert "## Beside PyTorch\n\nnot measured." in page  # no figure where none was seen
    assert {"step-2.json", "step-1.json", "rewrites-all-2.json", "inference-2.json", "ops-4.json", "inpaint-2.json", "scaling.json"} <= {
        path.name for path in (tmp_path / "out").iterdir()}


def test_what_no_time_is_left_for_is_told_as_not_run(tmp_path):
    done = run("gpu-bench", "--out", tmp_path / "out", "--budget", 0)
    assert done.returncode == 4, done.stdout + done.stderr
    assert set(list(verdicts((tmp_path / "out/stages.md").read_text()).values())[1:]) == {"not run"}
    page = (tmp_path / "out/page.md").read_text()
    assert page.count("not measured.") == 7  # targets, step, inference, files, PyTorch, ops, many GPUs

    done = run("gpu-check", "--out", tmp_path / "check.md", "--budget", 0)
    assert done.returncode == 4, done.stdout + done.stderr
    assert list(verdicts((tmp_path / "check.md").read_text()).values())[1:] == ["not run"] * 3


def test_a_stage_that_hangs_is_stopped_and_not_passed(tmp_path):
    sys.path.insert(0, str(ROOT / "scripts"))
    import gpu_stages

    stages = gpu_stages.Stages("here", 60, tmp_path / "t.md")
    assert not stages.stage("hangs", lambda: stages.must(["sleep", 60]), most=0.5)
    assert stages.stage("ends", lambda: stages.must(["echo", "well"]).strip())
    assert not stages.stage("fails", lambda: stages.must(["false"]))
    told = verdicts((tmp_path / "t.md").read_text())
    assert (told["hangs"], told["ends"], told["fails"]) == ("not run", "passed", "FAILED")
    assert stages.exit_code() == 1
