"""train under the real mpirun, as the user guide has it: by MPI, and by TCP where MASTER_ADDR says where to meet."""
import shutil
import signal
import subprocess

import pytest

from conftest import BINARY, head_slices, make_stack, succeed
from test_train import content, metrics
from test_train_ranks import TINY, Ranks, environment, free_port

pytestmark = pytest.mark.skipif(not shutil.which("mpirun"), reason="no mpirun")
BY_MPI = "Open MPI" in succeed("doctor").out.split(" MPI  ")[1].splitlines()[0]
# More ranks than cores; as root, as CI may be.
ALLOWED = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMPI_MCA_rmaps_base_oversubscribe": "1"}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mpirun")
    make_stack(folder / "train.h5", head_slices(9, 96))
    return folder


def train(data, run_folder, steps):
    return ["train", "--run", run_folder, "--train", data / "train.h5", *TINY, "--steps", steps]


def mpirun(command, *more, **variables):
    return subprocess.Popen(["mpirun", "-n", "2", *more, BINARY, *map(str, command)], text=True, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, env=environment(**ALLOWED, **variables))


def test_it_gives_the_bytes_of_ranks_started_by_hand(data, tmp_path):
    by_hand = Ranks(*[train(data, tmp_path / "hand", 3)] * 2)
    assert by_hand.end() == [0, 0]
    job = mpirun(train(data, tmp_path / "mpi", 3))
    out, err = job.communicate(timeout=120)
    assert job.returncode == 0, err
    assert out.count("at step 3") == 1  # rank 0 alone reports
    assert ("on each of 2 processes by MPI" if BY_MPI else "on each of 2 processes,") in err
    job = mpirun(train(data, tmp_path / "tcp", 3), "-x", "MASTER_ADDR", "-x", "MASTER_PORT", MASTER_ADDR="127.0.0.1", MASTER_PORT=free_port())
    out, err = job.communicate(timeout=120)
    assert job.returncode == 0 and "on each of 2 processes," in err, err
    for way in ("mpi", "tcp"):
        assert content(tmp_path / way / "checkpoint_3.h5") == content(tmp_path / "hand/checkpoint_3.h5")
        assert metrics(tmp_path / way) == metrics(tmp_path / "hand")


def test_usr1_to_mpirun_saves_and_goes_on(data, tmp_path):
    job = mpirun(train(data, tmp_path / "r", 5000))
    for line in job.stderr:
        if "train 2/" in line:
            job.send_signal(signal.SIGUSR1)
            break
    err = job.communicate(timeout=120)[1]
    assert job.returncode == 75 and "state saved" in err, err
    step = len(metrics(tmp_path / "r"))
    again = mpirun(train(data, tmp_path / "r", step + 1))
    assert f"goes on from step {step}:" in again.communicate(timeout=120)[1] and again.returncode == 0
    assert len(metrics(tmp_path / "r")) == step + 1


def test_an_error_of_a_rank_is_told(data, tmp_path):
    job = mpirun([*train(data, tmp_path / "r", 3), "--set", "net.widht=3"])
    err = job.communicate(timeout=120)[1]
    assert job.returncode == 2 and "did you mean net.width" in err
    assert not (tmp_path / "r").exists()
