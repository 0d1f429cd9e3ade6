"""The Markdown page of scripts/bench-cpu: docs/benchmarks/cpu.md."""
import importlib.metadata
import pathlib
import platform
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
NAMES = {"eager": "PyTorch, eager, float32", "compiled": "PyTorch, compiled, float32", "onnxruntime": "ONNX Runtime, float32",
         "bf16": "PyTorch, eager, bf16 autocast", "bf16-compiled": "PyTorch, compiled, bf16 autocast"}
TASKS = {"inference": "the generator in inference", "step": "a training step"}


def machine(arguments):
    def first(path, key):
        lines = pathlib.Path(path).read_text().splitlines()
        return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(key)), "unknown")

    def version(package):
        try:
            return importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            return "not installed"

    commit = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    compiler = subprocess.run(["c++", "--version"], capture_output=True, text=True).stdout.splitlines()
    return {
        "cpu": first("/proc/cpuinfo", "model name"), "family": f"family {first('/proc/cpuinfo', 'cpu family')}, model {first('/proc/cpuinfo', 'model	')}",
        "memory_gib": round(int(first("/proc/meminfo", "MemTotal").split()[0]) / 2**20, 1), "system": platform.platform(), "threads": arguments.threads,
        "batch": arguments.batch, "size": arguments.size, "width": arguments.width, "disc_width": arguments.disc_width,
        "versions": {name: version(name) for name in ("torch", "onnx", "onnxruntime")}, "commit": commit,
        "compiler": compiler[0] if compiler else "unknown",
    }


def table(head, rows):
    def line(cells):
        return "| " + " | ".join(str(cell) for cell in cells) + " |"

    return [line(head), line("---" if k == 0 else "--:" for k in range(len(head))), *map(line, rows), ""]


def comparison(results, task):
    profile, batch = results.get(task), results["machine"]["batch"]
    pairs = {mode: results[f"{task}/{mode}"] for mode in NAMES if f"{task}/{mode}" in results}
    if not pairs:
        return []

    def share(seconds):  # of what the multiply-add units can do in this time
        return f"{100 * profile['all']['flops'] * 1e-9 / profile['roof']['gflop_s'] / seconds:.0f} %" if profile else ""

    rows = []
    for mode, pair in pairs.items():
        ours, theirs = pair["ours_seconds"], pair["seconds"]
        rows.append([NAMES[mode], f"{batch / theirs:.3f}", f"{batch / ours:.3f}", f"{theirs / ours:.2f}", share(theirs), f"{pair['mib']:.0f}", pair["rounds"]])
    ours = sorted(pair["ours_seconds"] for pair in pairs.values())[len(pairs) // 2]
    rows.append(["**ipamedgan, float32** (middle of the pairs)", f"**{batch / ours:.3f}**", "", "1", share(ours),
                 f"{max(pair['ours_mib'] for pair in pairs.values()):.0f}", ""])
    head = ["", "images/s", "ours beside it", "ours is faster by", "of roof", "peak MiB", "rounds"]
    return [f"## {TASKS[task].capitalize()}", "", *table(head, rows)]


def agreement(results):
    rows = [[program if program == "ipamedgan" else NAMES[program], what, line["worst"], f"{line['distance']:.1e}", f"{line['allowed']:.1e}", "yes" if line["agrees"] else "**no**"]
            for program, lines in results.get("agreement", {}).items() for what, line in lines.items()]
    if not rows:
        return []
    return ["## Do they compute the same?", "",
            "From weights that ipamedgan trained for two steps and exported: the generator's output, and three steps from there on one",
            "batch. Relative distances from PyTorch in double; of a step's metrics the worst (`bench/peers/agreement.py`).", "",
            *table(["", "what", "worst", "distance", "allowed", "agrees"], rows)]


def timing_cells(row):
    seconds = row["seconds"]
    return [f"{row['bytes'] * 1e-9 / seconds:.1f}", f"{row['flops'] * 1e-9 / seconds:.1f}", f"{100 * row['least_seconds'] / seconds:.0f}"]


def profile(results, task):
    found = results.get(task)
    if not found:
        return []
    rows = [[row["op"], row["launches"], f"{row['seconds'] * 1e3:.1f}", f"{100 * row['seconds'] / found['all']['seconds']:.1f}", *timing_cells(row)]
            for row in [*found["ops"], found["all"]] if row["seconds"] >= 1e-3 * found["all"]["seconds"]]
    roof = found["roof"]
    return [f"## Where our time goes: {TASKS[task]}", "",
            f"Roof in the same run: copy {roof['copy_gb_s']:.1f} GB/s, multiply-add {roof['gflop_s']:.0f} GFLOP/s. Whole: {found['seconds'] * 1e3:.0f} ms, arena {found['arena_mib']:.0f} MiB. Ops below 0.1 % are left out.", "",
            *table(["op", "launches", "ms", "% of time", "GB/s", "GFLOP/s", "% of roof"], rows)]


def ops(results):
    found = results.get("ops")
    if not found:
        return []
    rows = []
    for case in found["cases"]:
        error = case.get("error")
        errors = ", ".join("-" if e is None else f"{e:.0e}" for e in [error["value"], *error["gradients"]]) if error else ""
        for k, row in enumerate(case["ops"]):
            rows.append([case["name"] if k == 0 else "", row["op"], f"{row['seconds'] * 1e3:.3f}", *timing_cells(row), errors if k == 0 else ""])
    roof = found["roof"]
    return ["## Every op", "",
            f"`bench_ops --errors`; roof in the same run: copy {roof['copy_gb_s']:.1f} GB/s, multiply-add {roof['gflop_s']:.0f} GFLOP/s; medians of {found['runs']} runs.",
            "Bytes are the least that must move: what lies in a cache from the op before moves faster than a copy. Errors are relative, against",
            "the naive reference in double: of the value, then a sample of each input's gradient, - where differences in double do not resolve it",
            "(`bench/op_error.h`).", "",
            *table(["case", "op", "ms", "GB/s", "GFLOP/s", "% of roof", "errors"], rows)]


def text(results):
    m = results["machine"]
    lines = [
        "# On a CPU: ipamedgan, PyTorch, ONNX Runtime", "",
        f"Made by `scripts/bench-cpu --page docs/benchmarks/cpu.md` on {m['cpu']} ({m['family']}), {m['threads']} threads, {m['memory_gib']} GiB, {m['system']}; ipamedgan",
        f"{m['commit']} by {m['compiler']}; PyTorch {m['versions']['torch']}, ONNX Runtime {m['versions']['onnxruntime']}, onnx {m['versions']['onnx']}, from PyPI.", "",
        f"The work: width {m['width']}, discriminators {m['disc_width']}, six layers of VGG-19, batch {m['batch']}, {m['size']}x{m['size']}; a step is both discriminators' losses, gradients and",
        "Adam, then the generator's with the adversarial, perceptual, L1 and style terms. PyTorch runs the reference of `tests/golden`, in channels_last,",
        "with fused Adam; compiled is `torch.compile`, in inference with frozen weights. Each peer is a process of its own, warm; ours and the",
        "peer take turns, and each is compared with ours of those very runs; medians. Peak memory is the process's largest resident set with its",
        "libraries (PyTorch's CUDA build has larger ones, hardly touched) and, where compiled, its compiler. `of roof`: the arithmetic of our graph (multiply-adds",
        "of plain convolutions) at the float32 multiply-add rate that this machine reached, over the time taken; bf16 may do twice that.", "",
        *comparison(results, "inference"), *comparison(results, "step"), *agreement(results), *profile(results, "inference"), *profile(results, "step"), *ops(results),
    ]
    return "\n".join(lines).rstrip() + "\n"
