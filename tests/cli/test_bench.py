"""bench_step and bench_ops: what is predicted of the full-size networks agrees with counts made independently of the graph,
the pages in docs are what the program says today, and reports can be compared. Skipped where no benchmarks were built."""

import json
import pathlib
import subprocess
import xml.etree.ElementTree

import pytest

from conftest import BINARY

BIN = pathlib.Path(BINARY).parent
DOCS = pathlib.Path(__file__).parents[2] / "docs"
H200 = ["--predict", "--device", "cuda", "--roof", "h200"]
pytestmark = pytest.mark.skipif(not (BIN / "bench_step").exists(), reason="the benchmarks were not built")

# Multiply-adds of one 256x256 image, counted layer by layer from the networks' tables without this program: one
# MultiRes-UNet (the generator is two), both discriminators on two channels, VGG-19 up to conv3_2 on three.
UNET, DISC_PATCH, DISC_GLOBAL, VGG = 15_658_031_616, 3_130_032_128, 2_118_418_432, 9_776_922_624
FIRST_OF_UNET = (8 * 9 + 51) * 256**2  # its first 3x3 and 1x1, of one channel
FIRST_OF_DISC = 2 * 64 * 16 * 128**2
SCORE_OF_PATCH = 512 * 16 * 30**2
# The sum over the six layers of VGG-19 of pixels times channels squared: one product that makes Gram matrices.
GRAM = sum(2 * (256 // s) ** 2 * c**2 for s, c in ((1, 64), (2, 128), (4, 256)))


def call(program, *arguments, code=0):
    done = subprocess.run([BIN / program, *map(str, arguments)], capture_output=True, text=True, timeout=300)
    assert done.returncode == code, done.stderr
    return done


def predicted(*arguments):
    return json.loads(call("bench_step", *H200, "--json", *arguments).stdout)


def total(report, kinds, what="flops"):
    return sum(row[what] for row in report["ops"] if row["op"].startswith(kinds))


def test_flops_of_the_step_are_those_of_the_networks():
    step, batch = predicted("--batch", 16), 16
    # The transposed convolutions' forward pass is a convolution's gradient by its input, and the other way round.
    made = total(step, "conv ") / 2 / batch - total(step, "conv wgrad") / 2 / batch
    update = 2 * (DISC_PATCH + DISC_GLOBAL)  # on real and on fake pairs
    weights = 2 * UNET + update
    forward = 2 * UNET + update + DISC_GLOBAL + DISC_PATCH + VGG  # and of the targets, forward only:
    targets = DISC_PATCH - SCORE_OF_PATCH + VGG
    # No gradient reaches the generator's input or, while a discriminator learns, its.
    inputs = forward - FIRST_OF_UNET - 4 * FIRST_OF_DISC
    assert total(step, "conv wgrad") == 2 * batch * weights
    assert made == forward + targets + inputs
    assert total(step, ("style loss", "gram")) == 2 * batch * 3 * GRAM  # of both images, and one gradient


def test_bytes_of_the_generator_are_those_of_padded_bf16():
    """Every convolution of the folded generator reads x, w and a bias and writes y, channels padded to 8, in bf16."""
    batch, size = 16, 256

    def padded(c):
        return (c + 7) // 8 * 8

    def conv(pixels, c_in, c_out, kernel, bias=True, pixels_in=None):
        x = 2 * (pixels_in or pixels) * batch * padded(c_in)
        y, w = 2 * pixels * batch * padded(c_out), 2 * kernel**2 * padded(c_in) * padded(c_out)
        return x + w + y + bias * 4 * (padded(c_out) if c_out > 1 else 1)  # of a scalar no padding is read

    def block(pixels, c_in, u):
        a, b, c = (int(1.67 * u * part) for part in (0.167, 0.333, 0.5))
        made = conv(pixels, c_in, a, 3) + conv(pixels, a, b, 3) + conv(pixels, b, c, 3) + conv(pixels, c_in, a + b + c, 1)
        return made, a + b + c

    expected = 0
    for c_image in (1, 1):
        x, skips = c_image, []
        for level in range(5):
            pixels, u = (size >> level) ** 2, 32 << level
            made, x = block(pixels, x, u)
            expected += made
            if level == 4:
                break
            c = x
            for _ in range(4 - level):  # units of the ResPath
                expected += conv(pixels, c, u, 3) + conv(pixels, c, u, 1)
                c = u
        for level in (3, 2, 1, 0):
            pixels, u = (size >> level) ** 2, 32 << level
            expected += conv(pixels, x, u, 2, bias=False, pixels_in=pixels // 4)
            made, x = block(pixels, 2 * u, u)
            expected += made
        expected += conv(size**2, x, 1, 1)
    inference = predicted("--inference", "--batch", batch)
    assert total(inference, "conv ", "bytes") == expected
    assert total(inference, "conv ") == 2 * batch * 2 * UNET


def test_sums_agree_and_floors_are_the_longer_of_bytes_and_flops():
    step = predicted("--batch", 2, "--shapes")
    assert step["predicted"] and "seconds" not in step and "seconds" not in step["all"]
    assert step["roof"] == {"name": "h200", "copy_gb_s": 4300, "gflop_s": 790000}
    for rows in (step["parts"], step["ops"]):
        for what in ("launches", "bytes", "flops", "least_seconds"):
            assert sum(row[what] for row in rows) == pytest.approx(step["all"][what], rel=1e-12)
    for row in step["ops"]:  # one shape each, so that the longer of the two holds for the sum
        slower = max(row["bytes"] / 4300e9, row["flops"] / 790e12)
        assert row["least_seconds"] == pytest.approx(slower, rel=1e-12), row
        assert row["bytes"] > 0
    assert [row["op"] for row in step["parts"]][:1] == ["forward: forward generator"]
    assert {"disc_global update: Adam", "disc_patch update: backward disc_patch", "generator update: backward vgg19",
            "generator update: backward generator", "generator update: Adam"} <= {row["op"] for row in step["parts"]}
    twice = predicted("--batch", 4)["all"]
    assert twice["launches"] == step["all"]["launches"] and 1.8 < twice["bytes"] / step["all"]["bytes"] < 2


def test_the_cpus_bytes_are_those_of_float32_without_padding():
    cpu = json.loads(call("bench_step", "--predict", "--roof", "24,221", "--json", "--inference", "--batch", 1).stdout)
    cuda = predicted("--inference", "--batch", 1)
    assert cpu["device"] == "cpu" and cpu["roof"]["copy_gb_s"] == 24 and cpu["roof"]["gflop_s"] == 221
    assert total(cpu, "conv ") == total(cuda, "conv ") and 1.5 < total(cpu, "conv ", "bytes") / total(cuda, "conv ", "bytes") < 2


def test_the_page_and_the_picture_are_what_the_program_says(tmp_path):
    """After a change of the graph: run the command on the page, and put what it prints there."""
    picture = tmp_path / "r.svg"
    said = call("bench_step", *H200, "--batch", 16, "--roofline", picture).stdout
    assert said.strip() in (DOCS / "performance.md").read_text(encoding="utf-8")
    assert picture.read_bytes() == (DOCS / "benchmarks/roofline_h200_predicted.svg").read_bytes()
    root = xml.etree.ElementTree.parse(picture).getroot()
    texts = [t.text for t in root.iter("{http://www.w3.org/2000/svg}text")]
    assert texts[0].startswith("PREDICTED, not measured: A training step of 16 slices")
    assert not list(root.iter("{http://www.w3.org/2000/svg}circle")) and any("respath_tail gradient" in t for t in texts)


TOY = ["--batch", 1, "--size", 96, "--width", 4, "--disc-width", 4, "--runs", 1]


def test_measured_beside_predicted(tmp_path):
    toy = [*TOY, "--style", 0, "--roof", "24,221"]
    step = json.loads(call("bench_step", *toy, "--json", "--roofline", tmp_path / "r.svg").stdout)
    alone = json.loads(call("bench_step", *toy, "--json", "--predict").stdout)
    assert not step["predicted"] and step["seconds"] > 0
    for what in ("launches", "bytes", "flops", "least_seconds"):
        assert step["all"][what] == alone["all"][what]
    assert all(row["seconds"] > 0 for row in [*step["ops"], *step["parts"], step["all"]])
    root = xml.etree.ElementTree.parse(tmp_path / "r.svg").getroot()
    assert len(list(root.iter("{http://www.w3.org/2000/svg}circle"))) > 5
    text = call("bench_step", *toy).stdout
    assert "gap ms" in text and "at the roof" in text and "\nall " in text


def test_what_cannot_be_predicted_is_told():
    assert "--predict needs a roof" in call("bench_step", "--predict", code=2).stderr
    assert "no such machine" in call("bench_step", "--predict", "--roof", "b200x", code=2).stderr
    assert "no such device" in call("bench_step", "--device", "tpu", code=2).stderr


def test_ops_are_measured_and_compared(tmp_path):
    old = tmp_path / "old.json"
    wanted = ["--filter", "conv s1 p0", "--batch", 1, "--size", 96, "--width", 4, "--disc-width", 4, "--runs", 3, "--errors"]
    old.write_text(call("bench_ops", *wanted, "--json").stdout)
    report = json.loads(old.read_text())
    assert report["device"] == "cpu" and report["runs"] == 3 and not report["flushed"]
    assert report["roof"]["copy_gb_s"] > 0 and report["roof"]["gflop_s"] > 0
    assert len(report["cases"]) > 10
    for case in report["cases"]:
        (op,) = case["ops"]
        assert case["name"].startswith("batch 1: conv s1 p0 (1, ") and op["op"] == "conv s1 p0"
        assert 0 < op["quartiles"][0] <= op["seconds"] <= op["quartiles"][1] and op["least_seconds"] > 0
        assert 0 <= case["error"]["value"] < 1e-5
    said = call("bench_ops", *wanted, "--flush", "--compare", old).stdout
    assert said.count("batch 1: conv s1 p0") == len(report["cases"]) and "filled with other data" in said


def test_comparison_of_two_reports(tmp_path):
    def report(name, **seconds):
        ops = [{"op": op, "seconds": s, "quartiles": [s, s], "least_seconds": 1e-4, "bytes": 1, "flops": 1}
               for op, s in seconds.items()]
        whole = {"device": "cpu", "threads": 2, "runs": 7, "roof": {"copy_gb_s": 24, "gflop_s": 221},
                 "cases": [{"name": "a case", "ops": ops}]}
        (tmp_path / name).write_text(json.dumps(whole))
        return tmp_path / name

    then, now = report("then.json", add=2e-3, old=1e-3), report("now.json", add=1e-3, new=4e-3)
    rows = {line.split(" | ")[1].split()[0]: line.split()[-3:] for line in
            call("bench_ops", "--from", now, "--compare", then).stdout.splitlines() if line.startswith("a case | ")}
    assert rows == {"add": ["2.0000", "1.0000", "0.5000"], "new": ["-", "4.0000", "-"], "old": ["1.0000", "-", "-"]}
    assert "a case" in call("bench_ops", "--from", now).stdout
    assert json.loads(call("bench_ops", "--from", now, "--json").stdout)["cases"][0]["ops"][0]["op"] == "add"
    assert "cannot be read" in call("bench_ops", "--from", tmp_path / "none.json", code=4).stderr
    (tmp_path / "bad.json").write_text('{"threads": 2}')
    assert "bench_ops --json" in call("bench_ops", "--from", tmp_path / "bad.json", code=3).stderr
