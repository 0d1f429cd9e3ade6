"""export and import: exactly the agreed names, nothing lost on the way, PyTorch's numbers come out again."""
import json
import os
import pathlib
import struct
import subprocess
import sys

import h5py
import numpy as np
import pytest

from conftest import leftovers, make_stack, refuse, succeed
from inpaint_case import TINY, smooth_heads, train_tiny

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"
WIDTHS = ["--set", "net.width=4", "--set", "net.disc_width=4"]


def read_weights(path):
    """name -> float32 array."""
    data = path.read_bytes()
    start = 8 + struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:start])
    header.pop("__metadata__", None)
    arrays = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        assert entry["dtype"] == "F32" and end - begin == 4 * np.prod(entry["shape"])
        arrays[name] = np.frombuffer(data[start + begin : start + end], "<f4").reshape(entry["shape"])
    return arrays


def write_weights(path, arrays, kind="F32"):
    header, blobs, at = {}, [], 0
    for name, array in arrays.items():
        blob = np.ascontiguousarray(array, "<f4").tobytes()
        header[name] = {"dtype": kind, "shape": list(np.shape(array)), "data_offsets": [at, at + len(blob)]}
        blobs.append(blob)
        at += len(blob)
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(blobs))
    return path


def contract_names():
    """docs/file_formats.md, "Weight names", written out."""
    running = ["running_mean", "running_var"]
    affine, shift = ["weight", "bias", *running], ["bias", *running]
    names = []

    def norm(prefix, fields):
        names.extend(f"{prefix}.{field}" for field in fields)

    def conv(prefix):
        names.append(f"{prefix}.conv.weight")
        norm(f"{prefix}.bn", shift)

    for i in (0, 1):
        for block in [f"enc{k}" for k in range(1, 6)] + [f"dec{k}" for k in range(6, 10)]:
            for part in ("shortcut", "conv_a", "conv_b", "conv_c"):
                conv(f"generator.{i}.{block}.{part}")
            norm(f"generator.{i}.{block}.bn_concat", affine)
            norm(f"generator.{i}.{block}.bn_out", affine)
        for path, units in zip(range(1, 5), (4, 3, 2, 1)):
            for unit in range(1, units + 1):
                conv(f"generator.{i}.path{path}.unit{unit}.shortcut")
                conv(f"generator.{i}.path{path}.unit{unit}.conv")
                norm(f"generator.{i}.path{path}.unit{unit}.bn", affine)
        for part in ["up6", "up7", "up8", "up9", "head"]:
            norm(f"generator.{i}.{part}", ["weight", "bias"])
    for disc, layers in (("disc_global", 6), ("disc_patch", 4)):
        norm(f"{disc}.layer1.conv", ["weight", "bias"])
        for k in range(2, layers + 1):
            names.append(f"{disc}.layer{k}.conv.weight")
            norm(f"{disc}.layer{k}.bn", affine)
        norm(f"{disc}.score", ["weight", "bias"])
    return names


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run folder and the weights it exports."""
    folder = tmp_path_factory.mktemp("weights")
    model = train_tiny(folder, steps=3)
    succeed("export", "--model", model, "--out", folder / "w.safetensors")
    return model, folder / "w.safetensors"


def test_the_names_are_exactly_those_agreed(trained):
    weights, golden = read_weights(trained[1]), read_weights(GOLDEN / "weights.safetensors")
    assert sorted(weights) == sorted(contract_names())
    assert {name: array.shape for name, array in weights.items()} == {name: array.shape for name, array in golden.items()}
    assert all(np.isfinite(array).all() for array in weights.values())


def test_a_checkpoint_holds_the_same_under_weights(trained):
    with h5py.File(trained[0] / "best.h5") as file:
        for name, array in read_weights(trained[1]).items():
            assert file["weights/" + name][()].tobytes() == array.tobytes()


def test_export_tells_what_it_wrote(trained, tmp_path):
    result = succeed("export", "--model", trained[0] / "checkpoint_3.h5", "--out", tmp_path / "w.safetensors", "--json").json
    weights = read_weights(tmp_path / "w.safetensors")
    assert result["tensors"] == len(weights) and result["numbers"] == sum(a.size for a in weights.values()) and result["step"] == 3
    refuse(2, "export", "--model", trained[0], "--out", tmp_path / "w.safetensors", says="--force")
    succeed("export", "--model", trained[0], "--out", tmp_path / "w.safetensors", "--force")
    refuse(4, "export", "--model", tmp_path / "none", "--out", tmp_path / "x.safetensors", says="none")
    assert not leftovers(tmp_path)


@pytest.mark.parametrize("which", ["trained", "golden"])
def test_what_is_imported_is_exported_again(trained, tmp_path, which):
    source = trained[1] if which == "trained" else GOLDEN / "weights.safetensors"
    result = succeed("import", "--weights", source, "--run", tmp_path / "r", "--preset", "demo", *WIDTHS, "--json").json
    assert result["tensors"] == len(contract_names()) and (tmp_path / "r/settings.toml").exists()
    succeed("export", "--model", tmp_path / "r", "--out", tmp_path / "again.safetensors")
    before, after = read_weights(source), read_weights(tmp_path / "again.safetensors")
    assert set(before) == set(after)
    assert all(before[name].tobytes() == after[name].tobytes() for name in before)


@pytest.mark.parametrize("kind", ["F32", "F16", "BF16"])
def test_narrow_types_are_read(tmp_path, kind):
    weights = read_weights(GOLDEN / "weights.safetensors")
    exact = {name: (array.view(np.uint32) & 0xFFFF0000).view(np.float32) if kind == "BF16" else array for name, array in weights.items()}
    if kind == "F16":
        exact = {name: array.astype(np.float16).astype(np.float32) for name, array in weights.items()}
    narrow = {"F32": lambda a: a.tobytes(), "F16": lambda a: a.astype("<f2").tobytes(),
              "BF16": lambda a: (np.ascontiguousarray(a).view(np.uint32) >> 16).astype("<u2").tobytes()}[kind]
    header, blobs, at = {}, [], 0
    for name, array in exact.items():
        blobs.append(narrow(array))
        header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": [at, at + len(blobs[-1])]}
        at += len(blobs[-1])
    text = json.dumps(header).encode()
    (tmp_path / "w.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + b"".join(blobs))
    succeed("import", "--weights", tmp_path / "w.safetensors", "--run", tmp_path / "r", *WIDTHS)
    succeed("export", "--model", tmp_path / "r", "--out", tmp_path / "o.safetensors")
    after = read_weights(tmp_path / "o.safetensors")
    assert all(after[name].tobytes() == exact[name].tobytes() for name in exact)


def changed(weights, name, array):
    return {**weights, name: array}


@pytest.mark.parametrize("name", ["generator.0.enc1.conv_a.conv.weight", "generator.1.path2.unit3.bn.running_var",
                                  "generator.1.head.bias", "disc_global.layer6.bn.weight", "disc_patch.score.weight"])
def test_what_does_not_fit_is_refused_by_name(tmp_path, name):
    weights = read_weights(GOLDEN / "weights.safetensors")
    missing = {key: array for key, array in weights.items() if key != name}
    grown = np.concatenate([weights[name], weights[name][:1]])
    nan = np.array(weights[name])
    nan.flat[0] = np.nan
    cases = {"missing": (missing, name), "shape": (changed(weights, name, grown), name), "nan": (changed(weights, name, nan), name),
             "surplus": (changed(weights, name + "2", weights[name]), name + "2"),
             "flat": (changed(weights, name, weights[name].reshape(-1, 1)), name)}
    for case, (arrays, named) in cases.items():
        file = write_weights(tmp_path / f"{case}.safetensors", arrays)
        refuse(3, "import", "--weights", file, "--run", tmp_path / case, *WIDTHS, says=[named, file.name])
        assert not (tmp_path / case / "checkpoint_0.h5").exists()


def test_other_networks_are_refused(tmp_path):
    weights = read_weights(GOLDEN / "weights.safetensors")
    file = write_weights(tmp_path / "w.safetensors", changed(weights, "encoder.weight", np.zeros(3)))
    refuse(3, "import", "--weights", file, "--run", tmp_path / "r", *WIDTHS, says=["encoder.weight", "w.safetensors"])
    refuse(3, "import", "--weights", GOLDEN / "weights.safetensors", "--run", tmp_path / "r", "--set", "net.width=8", "--set",
           "net.disc_width=4", says=["generator.0", "net.width"])


def test_damaged_files_are_refused(tmp_path):
    good = (GOLDEN / "weights.safetensors").read_bytes()
    header_end = 8 + struct.unpack("<Q", good[:8])[0]
    bad = {"empty": b"", "short": good[: len(good) // 2], "one": good[:-1], "more": good + b"\0", "length": b"\xff" * 8 + good[8:],
           "header": good[:header_end], "text": b"no weights at all, but long enough", "json": good[:8] + b"[" + good[9:]}
    for case, content in bad.items():
        file = tmp_path / f"{case}.safetensors"
        file.write_bytes(content)
        refuse(3, "import", "--weights", file, "--run", tmp_path / "r", *WIDTHS, says=file.name)
    integers = write_weights(tmp_path / "i.safetensors", {"generator.0.head.bias": np.zeros(1)}, kind="I32")
    refuse(3, "import", "--weights", integers, "--run", tmp_path / "r", *WIDTHS, says=["generator.0.head.bias", "I32"])
    refuse(4, "import", "--weights", tmp_path / "none", "--run", tmp_path / "r", *WIDTHS, says="none")
    assert not list(tmp_path.glob("r/checkpoint*"))


def test_a_run_that_has_begun_is_not_overwritten(trained, tmp_path):
    succeed("import", "--weights", trained[1], "--run", tmp_path / "r", *WIDTHS)
    before = (tmp_path / "r/checkpoint_0.h5").read_bytes()
    command = ["import", "--weights", GOLDEN / "weights.safetensors", "--run", tmp_path / "r", *WIDTHS]
    refuse(2, *command, says=["r", "--force"])
    assert (tmp_path / "r/checkpoint_0.h5").read_bytes() == before
    succeed(*command, "--force")
    assert (tmp_path / "r/checkpoint_0.h5").read_bytes() != before
    refuse(2, "import", "--weights", trained[1], "--run", tmp_path / "q", "--set", "net.wdith=4", says="net.width")
    refuse(4, "import", "--weights", trained[1], "--run", "/proc/nowhere", *WIDTHS, says="/proc/nowhere")


def test_training_goes_on_from_an_import(trained, tmp_path):
    make_stack(tmp_path / "t.h5", smooth_heads(4))
    succeed("import", "--weights", trained[1], "--run", tmp_path / "r", *TINY)
    outcome = succeed("train", "--run", tmp_path / "r", "--train", tmp_path / "t.h5", "--steps", 2, "--json")
    assert outcome.json["begun_at"] == 0 and outcome.json["step"] == 2
    succeed("export", "--model", tmp_path / "r", "--out", tmp_path / "w.safetensors")
    before, after = read_weights(trained[1]), read_weights(tmp_path / "w.safetensors")
    name = "generator.0.enc1.conv_b.conv.weight"
    step = np.abs(before[name] - after[name]).max()
    assert 0 < step < 0.02  # two steps of Adam from there, no new beginning


def test_an_imported_model_warns_that_it_is_not_calibrated(tmp_path):
    succeed("import", "--weights", GOLDEN / "weights.safetensors", "--run", tmp_path / "r", *WIDTHS, "--set", "data.size=96")
    make_stack(tmp_path / "s.h5", smooth_heads(1))
    command = ["inpaint", "--model", tmp_path / "r", "--in", tmp_path / "s.h5", "--json"]
    outcome = succeed(*command, "--out", tmp_path / "o.h5")
    assert "warning" in outcome.err and "no calibrated change threshold" in outcome.err and "0.05" in outcome.err
    assert outcome.json["calibrated"] is False and outcome.json["change_threshold"] == pytest.approx(0.1)
    assert "calibrated" not in succeed(*command, "--out", tmp_path / "p.h5", "--composite", "none").err


@pytest.mark.parametrize("residual", [False, True])
def test_pytorch_weights_give_pytorch_output(tmp_path, residual):
    script = [sys.executable, str(GOLDEN / "export_reference.py"), "--width", "8", "--disc-width", "4", "--images", "3", "--out",
              tmp_path / "w.safetensors", "--input", tmp_path / "in.npy", "--output", tmp_path / "out.npy"]
    done = subprocess.run([*map(str, script), *(["--residual"] if residual else [])], capture_output=True, text=True,
                          env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
    if done.returncode == 77:
        pytest.skip("PyTorch is not installed")
    assert done.returncode == 0, done.stderr
    images, wanted = np.load(tmp_path / "in.npy"), np.load(tmp_path / "out.npy")
    make_stack(tmp_path / "in.h5", images, intensity_range=(-1.0, 1.0))
    succeed("import", "--weights", tmp_path / "w.safetensors", "--run", tmp_path / "r", "--set", "net.width=8", "--set", "net.disc_width=4",
            "--set", "data.size=96", "--set", f"net.residual={str(residual).lower()}")
    for batch in (1, 3):
        succeed("inpaint", "--model", tmp_path / "r", "--in", tmp_path / "in.h5", "--out", tmp_path / "o.h5", "--composite", "none",
                "--batch", batch, "--force")
        with h5py.File(tmp_path / "o.h5") as file:
            made = file["images"][()]
        assert np.linalg.norm(wanted - images) > 0.1 * np.linalg.norm(images)  # the network does something
        assert np.linalg.norm(made - wanted) <= 1e-5 * np.linalg.norm(wanted)
