"""bench_comm: ranks as threads and by mpirun at toy sizes; what the simulation prints, and what it refuses."""
import json
import os
import pathlib
import shutil
import subprocess

import pytest

from conftest import BINARY

PROGRAM = pathlib.Path(BINARY).parent / "bench_comm"
TOY = ["--width", 4, "--disc-width", 4, "--size", 96, "--style", 0, "--batch", 1]
ALLOWED = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMPI_MCA_rmaps_base_oversubscribe": "1"}
pytestmark = pytest.mark.skipif(not PROGRAM.exists(), reason="the benchmarks were not built")


def run(*arguments, launcher=(), code=0):
    done = subprocess.run([*launcher, PROGRAM, *map(str, arguments)], capture_output=True, text=True, timeout=120,
                          env={**os.environ, **ALLOWED, "GOMP_SPINCOUNT": "1000"})
    assert done.returncode == code, done.stderr + done.stdout
    return done


def check(found, ranks):
    assert found["ranks"] == ranks
    assert [p["bytes"] for p in found["all_reduces"]] == [4096 * 4**k for k in range(5)]  # to 1 MiB
    for point in found["all_reduces"]:
        assert point["bus_gb_s"] == pytest.approx(point["gb_s"] * 2 * (ranks - 1) / ranks)
    assert found["step"]["exposed_seconds"] == pytest.approx(found["step"]["seconds"] - found["step"]["seconds_alone"])
    assert len(found["step"]["buckets"]) > 9 and found["step"]["all_reduce_seconds"] > 0


def test_threads():
    found = json.loads(run("--ranks", 3, "--most-mib", 1, "--runs", 1, "--bucket-mib", 0.02, *TOY, "--json").stdout)
    assert found["transport"] == "threads"
    check(found, 3)


@pytest.mark.skipif(not shutil.which("mpirun"), reason="no mpirun")
def test_processes_of_which_one_speaks():
    done = run("--most-mib", 1, "--runs", 1, "--bucket-mib", 0.02, *TOY, "--json", launcher=["mpirun", "-n", "2"])
    found = json.loads(done.stdout)
    assert found["transport"] in ("MPI", "TCP")
    check(found, 2)
    assert found["step"]["simulated_exposed_seconds"] >= 0


def test_the_simulation_tells_its_assumptions_and_takes_measured_curves(tmp_path):
    simulate = ["--simulate", *TOY, "--global-batch", 8, "--bucket-mib", 0.02]
    text = run(*simulate).stdout
    assert text.startswith("Simulated, not measured") and "modelled" in text and "strong scaling, batch 8 in all" in text
    modelled = json.loads(run(*simulate, "--json").stdout)
    assert [row["ranks"] for row in modelled["weak"]] == [1, 2, 4, 8, 64, 512]
    assert [row["ranks"] for row in modelled["strong"]] == [1, 2, 4, 8]
    assert modelled["weak"][0]["efficiency"] == 1 and modelled["weak"][0]["exposed_seconds"] == 0
    efficiencies = [row["efficiency"] for row in modelled["weak"]]
    assert efficiencies == sorted(efficiencies, reverse=True) and efficiencies[-1] > 0

    step = subprocess.run([PROGRAM.parent / "bench_step", *map(str, TOY), "--runs", "1", "--json"], capture_output=True, text=True)
    (tmp_path / "step.json").write_text(step.stdout)
    (tmp_path / "curve.json").write_text(json.dumps({"ranks": 2, "all_reduces": [{"bytes": 4096, "seconds": 1.0}]}))
    measured = ["--compute", tmp_path / "step.json", "--all-reduce", tmp_path / "curve.json", "--device", "cpu"]
    found = json.loads(run(*simulate, *measured, "--json").stdout)
    assert found["weak"][0]["seconds"] == pytest.approx(json.loads(step.stdout)["seconds"], rel=1e-6)
    assert found["weak"][1]["exposed_seconds"] > 3  # a second for each all-reduce
    wider = [8 if word == 4 else word for word in simulate]
    refused = run(*wider, *measured, code=3)
    assert "is of another step" in refused.stderr and "step.json" in refused.stderr
