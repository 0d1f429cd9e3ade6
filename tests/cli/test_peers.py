"""bench/peers: PyTorch from our weights computes what we compute, and the comparison runs from end to end, at toy sizes."""

import json
import pathlib
import subprocess
import sys

import pytest

from conftest import BINARY

PEERS = pathlib.Path(__file__).parents[2] / "bench/peers"
TOY = ["--threads", 2, "--size", 96, "--width", 4, "--disc-width", 4]


def run(script, *arguments, codes=(0,)):
    done = subprocess.run(
        [sys.executable, PEERS / script, *map(str, arguments)], capture_output=True, text=True, timeout=300
    )
    if done.returncode == 77:
        pytest.skip(done.stderr)
    assert done.returncode in codes, done.stderr + done.stdout
    return done


def test_pytorch_agrees_from_the_same_weights_on_the_same_slices_and_masks():
    report = json.loads(run("agreement.py", "--ipamedgan", BINARY, "--style-layers", 2, "--batch", 2, *TOY, codes=(0, 1)).stdout)
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
        "eager,eager-padded",
        "--rounds",
        1,
        "--runs",
        1,
        *TOY,
        "--batches",
        "2,1",
    )
    results = json.loads((tmp_path / "r.json").read_text())
    pair = results["inference/eager-padded/1"]
    assert all(0 < seconds < 60 for seconds in pair["seconds"][0]) and pair["peer"]["mib"] > pair["ours"]["mib"] > 1
    page = (tmp_path / "cpu.md").read_text()
    for batch in (2, 1):
        assert f"## The generator in inference, batch {batch}" in page
        assert f"Where our time goes: a training step, batch {batch}" in page
    assert "| PyTorch, eager, float32 |" in page and "| PyTorch, eager, float32, channels padded to 8 |" in page


def test_aims_stand_beside_what_was_seen():
    sys.path.insert(0, str(PEERS))
    import page

    results = {
        "inference/compiled/4": {"seconds": [[1, 4], [2, 6]]},
        "inference/onnxruntime/4": {"seconds": [[1, 3], [1, 3]]},  # the fastest
        "step/compiled/4": {"seconds": [[2, 5]], "ours": {"mib": 30}, "peer": {"mib": 60}},
    }
    rows = [line for line in page.aims(results, 4) if line.startswith("| ")][2:]
    assert [row.split(" | ")[-1] for row in rows] == ["3.00 |", "2.50 |", "50 % |"]
    assert page.aims({}, 4) == []


def test_what_is_missing_is_told(tmp_path):
    done = run("compare.py", "--bin", tmp_path, "--results", tmp_path / "r.json", codes=(1,))
    assert done.stderr.startswith("bench-cpu: error: there is no") and "Traceback" not in done.stderr


def test_without_cuda_it_says_so(tmp_path):
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("ipamedgan", "bench_step", "bench_ops"):
        (folder / name).touch()
    done = run("compare.py", "--device", "cuda", "--bin", folder, "--results", tmp_path / "r.json", codes=(1,))
    assert "sees no CUDA device here" in done.stderr and "Traceback" not in done.stderr
    done = run("peer.py", "step", "bf16", "--device", "cuda", *TOY, codes=(1,))
    assert "sees no CUDA device here" in done.stderr and "Traceback" not in done.stderr


def test_padded_channels_compute_the_same_and_train_the_same():
    torch = pytest.importorskip("torch")
    sys.path.insert(0, str(PEERS))
    import networks
    import padded

    torch.manual_seed(0)
    narrow = networks.data.random_gan(networks.np.random.RandomState(0), 4, 4).double()
    wide = padded.pad(narrow, 4, 4)
    for name, module in wide.generator.named_modules():
        if name.endswith(("conv_a.conv", "conv_b.conv", "conv_c.conv")):
            assert module.out_channels % 8 == 0, name
    batch = [t.double() for t in networks.batch(*networks.slices(2, 96))]
    with torch.no_grad():
        outputs = [gan.eval().generator(batch[0]) for gan in (narrow, wide)]
    assert (outputs[0] - outputs[1]).abs().max() < 1e-12 < outputs[0].std()
    trainers = [networks.step.Trainer(gan, networks.vgg(2).double()) for gan in (narrow, wide)]
    for _ in range(2):
        metrics = [trainer.step(*batch) for trainer in trainers]
        for name in metrics[0]:
            assert torch.isclose(*(m[name] for m in metrics), rtol=1e-8), name
