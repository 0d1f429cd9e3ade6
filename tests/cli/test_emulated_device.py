"""--device: CUDA emulated on the CPU (IPAMEDGAN_EMULATED) trains, resumes and inpaints; without CUDA its plans are told."""
import os
import signal
import subprocess

import h5py
import numpy as np
import pytest

import conftest
from conftest import head_slices, leftovers, make_stack, refuse, succeed
from test_train import content, kill_at, metrics

EMULATED = os.environ["IPAMEDGAN_EMULATED"]
TINY = ["--preset", "demo", "--set", "net.width=4", "--set", "net.disc_width=4", "--set", "data.size=96",
        "--set", "train.batch=2", "--set", "loss.style=0", "--set", "checkpoint.every=2", "--set", "validate.every=2"]


@pytest.fixture
def emulated(monkeypatch):
    monkeypatch.setattr(conftest, "BINARY", EMULATED)
    monkeypatch.setattr("test_train.BINARY", EMULATED)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    make_stack(folder / "train.h5", head_slices(5, 96))
    make_stack(folder / "val.h5", head_slices(2, 96, seed=5))
    return folder


def train(data, run_folder, device="cuda", steps=3):
    return ["train", "--run", run_folder, "--train", data / "train.h5", "--val", data / "val.h5", *TINY, "--steps", steps,
            "--device", device]


def inpainted(data, tmp_path, model, device):
    out = tmp_path / f"{device}.h5"
    succeed("inpaint", "--model", model, "--in", data / "val.h5", "--out", out, "--composite", "none", "--device", device)
    with h5py.File(out) as file:
        return file["images"][:].astype(float)


def test_training_is_killed_goes_on_and_its_checkpoint_works_on_both(emulated, data, tmp_path):
    succeed(*train(data, tmp_path / "whole"), timeout=600)
    rows = metrics(tmp_path / "whole")
    assert [int(r["step"]) for r in rows] == [1, 2, 3]
    assert all(np.isfinite(float(r["total"])) and float(r["grad_norm_g"]) > 0 for r in rows)

    assert kill_at(train(data, tmp_path / "killed"), 2) == -signal.SIGKILL
    succeed(*train(data, tmp_path / "killed"), timeout=600)
    assert content(tmp_path / "killed/checkpoint_3.h5") == content(tmp_path / "whole/checkpoint_3.h5")
    assert content(tmp_path / "killed/best.h5") == content(tmp_path / "whole/best.h5")
    assert metrics(tmp_path / "killed") == rows and not leftovers(tmp_path / "killed")

    # bf16 has 8 bits of mantissa; a few grey levels are what it may cost over the depth of the network.
    model = tmp_path / "whole/checkpoint_3.h5"
    cpu, cuda = (inpainted(data, tmp_path, model, device) for device in ("cpu", "cuda"))
    assert np.abs(cpu - cuda).max() <= 8 and np.abs(cpu - cuda).mean() <= 2 and cpu.std() > 0


def test_steps_under_way_change_nothing(emulated, data, tmp_path):
    """The emulated device is late: without checkpoints as many steps as may be are under way."""
    ahead, waited = [*train(data, tmp_path / "ahead", steps=7)], [*train(data, tmp_path / "waited", steps=7)]
    for command, every in ((ahead, 100), (waited, 1)):
        succeed(*command, "--set", f"checkpoint.every={every}", "--set", "validate.every=100", timeout=600)
    assert metrics(tmp_path / "ahead") == metrics(tmp_path / "waited")
    assert [int(r["step"]) for r in metrics(tmp_path / "ahead")] == list(range(1, 8))
    assert content(tmp_path / "ahead/checkpoint_7.h5") == content(tmp_path / "waited/checkpoint_7.h5")


def test_the_first_step_is_that_of_the_cpu(emulated, data, tmp_path):
    for device in ("cpu", "cuda"):
        succeed(*train(data, tmp_path / device, device, steps=1), timeout=600)
    cpu, cuda = (metrics(tmp_path / device)[0] for device in ("cpu", "cuda"))
    # The perceptual loss meets an updated discriminator, and Adam's first update is little more than the gradient's sign.
    for name, most in {"d_global": 0.01, "d_patch": 0.01, "adversarial": 0.02, "l1": 0.01, "perceptual": 0.1, "total": 0.1}.items():
        assert float(cuda[name]) == pytest.approx(float(cpu[name]), rel=most), name


def test_a_device_that_is_not_there(emulated, data, tmp_path):
    refuse(5, *train(data, tmp_path / "r", "cuda:7"), says=["cuda:7", "only 1 CUDA device", "use --device cpu"])


def test_a_program_without_cuda_plans_for_it():
    """The default build may have CUDA or not; the plan is the same."""
    def memory(device, *more):
        return succeed("info", "--preset", "demo", "--memory", "--json", "--device", device, *more).json["memory"]

    cpu, cuda, small = memory("cpu"), memory("cuda"), memory("cuda", "--set", "train.batch=1")
    assert cuda["device"] == "cuda" and cpu["device"] == "cpu"
    assert cuda["training_step_bytes"] != cpu["training_step_bytes"]
    assert small["training_step_bytes"] < cuda["training_step_bytes"]
    assert cuda["training_state_bytes"] > small["parameters_bytes"] > cuda["folded_bytes"] / 2 > 0
    done = subprocess.run([EMULATED, "info", "--preset", "demo", "--memory", "--json", "--device", "cuda"],
                          capture_output=True, text=True, check=True)
    assert conftest.Outcome(done).json["memory"] == cuda
    assert "Training step on CUDA" in succeed("info", "--preset", "demo", "--memory", "--device", "cuda").out
