"""scripts/slurm_train.sbatch with a srun and a scontrol of ours: the signal before the time limit puts the job back into the queue."""
import os
import pathlib
import shutil
import signal
import subprocess

import pytest

from conftest import BINARY, head_slices, make_stack
from test_train import TINY, metrics

SCRIPT = pathlib.Path(__file__).parents[2] / "scripts/slurm_train.sbatch"
SRUN = """#!/bin/sh
[ "$1" = --kill-on-bad-exit=0 ] || exit 99
shift
exec "$@"
"""


@pytest.fixture
def slurm(tmp_path):
    (tmp_path / "bin").mkdir()
    for name, text in {"srun": SRUN, "scontrol": f'#!/bin/sh\necho "$@" >> {tmp_path}/scontrol.log\n'}.items():
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    make_stack(tmp_path / "train.h5", head_slices(6, 96))
    return {**os.environ, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "IPAMEDGAN": BINARY, "SLURM_JOB_ID": "17",
            "SLURM_CPUS_PER_TASK": "1"}


def start(tmp_path, slurm, steps, *more):
    command = [SCRIPT, "--run", tmp_path / "r", "--train", tmp_path / "train.h5", *TINY, "--steps", steps, *more]
    return subprocess.Popen([*map(str, command)], env=slurm, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("which", [signal.SIGUSR1, signal.SIGTERM])
def test_a_job_at_its_limit_is_requeued_and_goes_on(tmp_path, slurm, which):
    job = start(tmp_path, slurm, 5000)
    for line in job.stderr:
        if "train 1/" in line:
            job.send_signal(which)  # to the shell alone, as --signal=B:USR1 does
            break
    out, err = job.communicate(timeout=60)
    assert job.returncode == 0 and "back into the queue" in out, err
    assert (tmp_path / "scontrol.log").read_text() == "requeue 17\n"
    done = len(metrics(tmp_path / "r"))
    again = start(tmp_path, slurm, done + 1)
    assert again.communicate(timeout=60)[1].count(f"goes on from step {done}") == 1 and again.returncode == 0
    assert len(metrics(tmp_path / "r")) == done + 1
    assert (tmp_path / "scontrol.log").read_text() == "requeue 17\n"  # not again


def test_an_error_ends_the_job_with_its_code(tmp_path, slurm):
    job = start(tmp_path, slurm, 5, "--set", "net.widht=3")
    assert "did you mean net.width" in job.communicate(timeout=60)[1] and job.returncode == 2
    assert not (tmp_path / "scontrol.log").exists()
    assert subprocess.run([SCRIPT], env=slurm, capture_output=True).returncode == 2


@pytest.mark.parametrize("script", ["slurm_train.sbatch", "package", "build", "test", "demo", "get-vgg19", "bench-cpu", "install-dependencies"])
def test_scripts_are_sound_shell(script):
    path = SCRIPT.parent / script
    subprocess.run(["bash", "-n", path], check=True)
    if not shutil.which("shellcheck"):
        pytest.skip("shellcheck is not installed")
    subprocess.run(["shellcheck", path], check=True)
