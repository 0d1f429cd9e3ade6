"""The Markdown page of scripts/bench-cpu: docs/benchmarks/cpu.md."""

import importlib.metadata
import pathlib
import platform
import statistics
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
NAMES = {
    "eager": "PyTorch, eager, float32",
    "compiled": "PyTorch, compiled, float32",
    "onnxruntime": "ONNX Runtime, float32",
    "bf16": "PyTorch, eager, bf16 autocast",
    "bf16-compiled": "PyTorch, compiled, bf16 autocast",
}
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
        "cpu": first("/proc/cpuinfo", "model name"),
        "family": f"family {first('/proc/cpuinfo', 'cpu family')}, model {first('/proc/cpuinfo', 'model	')}",
        "memory_gib": round(int(first("/proc/meminfo", "MemTotal").split()[0]) / 2**20, 1),
        "system": platform.platform(),
        "threads": arguments.threads,
        "batch": arguments.batch,
        "size": arguments.size,
        "width": arguments.width,
        "disc_width": arguments.disc_width,
        "versions": {name: version(name) for name in ("torch", "onnx", "onnxruntime")},
        "commit": commit,
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

    rows, all_ours = [], []
    for mode, pair in pairs.items():
        ours, theirs = zip(*pair["seconds"])
        all_ours += ours
        median, best = statistics.median(theirs), min(theirs)
        faster = f"{median / statistics.median(ours):.2f} ({best / min(ours):.2f})"
        speed = [f"{batch / seconds:.3f}" for seconds in (median, best, statistics.median(ours), min(ours))]
        rows.append([NAMES[mode], *speed, faster, share(best), f"{pair['mib']:.0f}", len(ours)])
    speed = [f"{batch / seconds:.3f}" for seconds in (statistics.median(all_ours), min(all_ours))]
    peak = f"{max(pair['ours_mib'] for pair in pairs.values()):.0f}"
    rows.append(["**ipamedgan, float32**", *speed, "", "", "", share(min(all_ours)), peak, len(all_ours)])
    head = ["images/s", "at best", "ours beside it", "at best", "ours is faster by (at best)", "of roof", "peak MiB", "rounds"]
    return [f"## {TASKS[task].capitalize()}", "", *table(["", *head], rows)]


def agreement(results):
    rows = [
        [
            program if program == "ipamedgan" else NAMES[program],
            what,
            line["worst"],
            f"{line['distance']:.1e}",
            f"{line['allowed']:.1e}",
            "yes" if line["agrees"] else "**no**",
        ]
        for program, lines in results.get("agreement", {}).items()
        for what, line in lines.items()
    ]
    if not rows:
        return []
    head = """## Do they compute the same?

From weights that ipamedgan trained for two steps and exported: the generator's output, and three steps from there on one
batch, two slices of 128x128 at most (`bench/peers/agreement.py`). Relative distances from PyTorch in double; of a step's
metrics the worst.
"""
    return [head, *table(["", "what", "worst", "distance", "allowed", "agrees"], rows)]


def roof(found):
    copy, multiply_add = found["roof"]["copy_gb_s"], found["roof"]["gflop_s"]
    return (
        f"Roof in the same run: copy {copy:.1f} GB/s, multiply-add {multiply_add:.0f} GFLOP/s; medians of {found['runs']} runs."
    )


def timing_cells(row):
    seconds = row["seconds"]
    return [
        f"{row['bytes'] * 1e-9 / seconds:.1f}",
        f"{row['flops'] * 1e-9 / seconds:.1f}",
        f"{100 * row['least_seconds'] / seconds:.0f}",
    ]


def profile(results, task):
    found = results.get(task)
    if not found:
        return []
    rows = [
        [
            row["op"],
            row["launches"],
            f"{row['seconds'] * 1e3:.1f}",
            f"{100 * row['seconds'] / found['all']['seconds']:.1f}",
            *timing_cells(row),
        ]
        for row in [*found["ops"], found["all"]]
        if row["seconds"] >= 1e-3 * found["all"]["seconds"]
    ]
    head = f"""## Where our time goes: {TASKS[task]}

{roof(found)} Whole: {found['seconds'] * 1e3:.0f} ms, arena {found['arena_mib']:.0f} MiB. Ops below 0.1 % are left out.
"""
    return [head, *table(["op", "launches", "ms", "% of time", "GB/s", "GFLOP/s", "% of roof"], rows)]


def ops(results):
    found = results.get("ops")
    if not found:
        return []
    rows = []
    for case in found["cases"]:
        error = case.get("error")
        errors = ", ".join("-" if e is None else f"{e:.0e}" for e in [error["value"], *error["gradients"]]) if error else ""
        for k, row in enumerate(case["ops"]):
            rows.append(
                [
                    case["name"] if k == 0 else "",
                    row["op"],
                    f"{row['seconds'] * 1e3:.3f}",
                    *timing_cells(row),
                    errors if k == 0 else "",
                ]
            )
    head = f"""## Every op

`bench_ops --errors`. {roof(found)} Bytes are the least that must move: what lies in a cache moves faster than a copy.
Errors are relative, against the naive reference in double: of the value, then a sample of each input's gradient (-: not
resolved by differences in double; `bench/op_error.h`).
"""
    return [head, *table(["case", "op", "ms", "GB/s", "GFLOP/s", "% of roof", "errors"], rows)]


def text(results):
    m = results["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in m["versions"].items())
    head = f"""# On a CPU: ipamedgan, PyTorch, ONNX Runtime

Made by `scripts/bench-cpu --page docs/benchmarks/cpu.md` on {m['cpu']} ({m['family']}), {m['threads']} threads,
{m['memory_gib']} GiB, {m['system']}; ipamedgan {m['commit']} by {m['compiler']};
from PyPI: {versions}.

The work: width {m['width']}, discriminators {m['disc_width']}, six layers of VGG-19, batch {m['batch']}, {m['size']}x{m['size']}. A step is both
discriminators' losses, gradients and Adam, then the generator's with the adversarial, perceptual, L1 and style terms. PyTorch
runs the reference of `tests/golden`, in channels_last, with fused Adam; compiled is `torch.compile`, in inference with frozen
weights; bf16 is `torch.autocast`. Each peer is a process of its own, warm; ours and the peer take turns, and each is compared
with ours of those very runs, by medians and, in brackets, by the fastest. Peak memory is the process's largest resident
set, libraries included, compilers that it starts not. `of roof`: the arithmetic of our graph (multiply-adds of plain
convolutions) at the float32 multiply-add rate that this machine reached, over the fastest time; bf16 may do twice that.
"""
    parts = [comparison(results, "inference"), comparison(results, "step"), agreement(results)]
    parts += [profile(results, "inference"), profile(results, "step"), ops(results)]
    return "\n".join([head, *(line for part in parts for line in part)]).rstrip() + "\n"
