"""The Markdown page of scripts/bench-cpu: docs/benchmarks/cpu.md."""

import importlib.metadata
import pathlib
import platform
import statistics
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
RUNS = {"eager": "eager", "compiled": "compiled", "max-autotune": "compiled with max-autotune"}
ONNX_RUNTIME = "ONNX Runtime, float32"


def name_of(mode):
    """Of a mode of peer.py: 'bf16-compiled-padded' is 'PyTorch, compiled, bf16 autocast, channels padded to 8'."""
    if mode == "onnxruntime":
        return ONNX_RUNTIME
    run = mode.removesuffix("-padded").removeprefix("bf16").removeprefix("-") or "eager"
    precision = "bf16 autocast" if mode.startswith("bf16") else "float32"
    return f"PyTorch, {RUNS[run]}, {precision}" + (", channels padded to 8" if mode.endswith("-padded") else "")


TASKS = {"inference": "the generator in inference", "step": "a training step"}


def gpu():
    query = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    try:
        lines = subprocess.run(query, capture_output=True, text=True).stdout.splitlines()
    except OSError:
        lines = []
    return lines[0] if lines else "unknown"


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
        "device": arguments.device,
        "gpu": gpu() if arguments.device == "cuda" else None,
        "batches": arguments.batches,
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


def batches_of(results, task):
    """Those that were timed, in order."""
    keys = [name.split("/") for name in results]
    return sorted({int(key[2]) for key in keys if len(key) == 3 and key[0] == task})


def share_of_roof(profile, device, seconds):
    """The CPU's: of what the multiply-add units can do in this time. CUDA's: the time of our graph's bytes or FLOPs at the
    roof, launch by launch, in this time."""
    if not profile:
        return ""
    if device == "cuda":
        return f"{100 * profile['all']['least_seconds'] / seconds:.0f} %"
    return f"{100 * profile['all']['flops'] * 1e-9 / profile['roof']['gflop_s'] / seconds:.0f} %"


def memory(found, name):
    return f"{found[name]:.0f}" if found.get(name) else "unknown"


def comparison(results, task, batch):
    profile, device = results.get(f"{task}/profile/{batch}"), results["machine"]["device"]
    keys = [name.split("/") for name in results]
    modes = [key[1] for key in keys if key[::2] == [task, str(batch)] and key[1] != "profile"]
    pairs = {mode: results[f"{task}/{mode}/{batch}"] for mode in modes}
    if not pairs:
        return []
    on_cuda = device == "cuda"
    rows, all_ours = [], []
    for mode, pair in pairs.items():
        ours, theirs = zip(*pair["seconds"])
        all_ours += ours
        median, best = statistics.median(theirs), min(theirs)
        faster = f"{median / statistics.median(ours):.2f} ({best / min(ours):.2f})"
        speed = [f"{batch / seconds:.3f}" for seconds in (median, best, statistics.median(ours), min(ours))]
        row = [name_of(mode), *speed, faster, share_of_roof(profile, device, best), memory(pair["peer"], "mib"), len(ours)]
        rows.append(row + ([memory(pair["peer"], "smi_mib"), pair["peer"].get("launches", "unknown")] if on_cuda else []))
    speed = [f"{batch / seconds:.3f}" for seconds in (statistics.median(all_ours), min(all_ours))]
    of_ours = [pair["ours"] for pair in pairs.values()]
    peak = {name: max((o.get(name) or 0 for o in of_ours), default=0) for name in ("mib", "smi_mib")}
    if on_cuda and profile:
        peak["mib"] = profile["arena_mib"]
    row = [f"**ipamedgan, {'bf16' if on_cuda else 'float32'}**", *speed, "", "", "", share_of_roof(profile, device, min(all_ours))]
    row += [memory(peak, "mib"), len(all_ours)]
    rows.append(row + ([memory(peak, "smi_mib"), profile["all"]["launches"] if profile else "unknown"] if on_cuda else []))
    head = ["images/s", "at best", "ours beside it", "at best", "ours is faster by (at best)", "of roof", "peak MiB", "rounds"]
    head += ["MiB by nvidia-smi", "launches"] if on_cuda else []
    return [f"## {TASKS[task].capitalize()}, batch {batch}", "", *table(["", *head], rows)]


def aims(results, batch):
    """What was asked of us on a CPU, beside what these rounds show."""

    def faster(task, *modes):  # than the fastest of these that were timed
        keys = [f"{task}/{mode}/{batch}" for mode in modes if f"{task}/{mode}/{batch}" in results]
        medians = [[statistics.median(column) for column in zip(*results[key]["seconds"])] for key in keys]
        ours, theirs = min(medians, key=lambda pair: pair[1], default=(None, None))
        return f"{theirs / ours:.2f}" if ours else None

    rows = [
        ["inference, as the fastest float32 of the others", "2 times as fast", faster("inference", "eager", "compiled", "onnxruntime")],
        ["inference, as PyTorch's compiled bf16", "1", faster("inference", "bf16-compiled")],
        ["a training step, as PyTorch's compiled float32", "2.5", faster("step", "compiled")],
        ["a training step, as PyTorch's compiled bf16", "above 1", faster("step", "bf16-compiled")],
    ]
    compiled = results.get(f"step/compiled/{batch}")
    if compiled and compiled["ours"].get("mib") and compiled["peer"].get("mib"):
        share = f"{100 * compiled['ours']['mib'] / compiled['peer']['mib']:.0f} %"
        rows.append(["memory of a step, of PyTorch's compiled float32", "at most 60 %", share])
    rows = [row for row in rows if row[2]]
    return [f"## Beside what is aimed at, batch {batch}", "", *table(["float32 of ours", "aim", "seen here"], rows)] if rows else []


def agreement(results):
    rows = [
        [
            program if program == "ipamedgan" else name_of(program),
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


def profile(results, task, batch):
    found = results.get(f"{task}/profile/{batch}")
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
    head = f"""## Where our time goes: {TASKS[task]}, batch {batch}

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


def on_the_cpu(m, versions):
    return f"""# On a CPU: ipamedgan, PyTorch, ONNX Runtime

Made by `scripts/bench-cpu --page docs/benchmarks/cpu.md` on {m['cpu']} ({m['family']}), {m['threads']} threads,
{m['memory_gib']} GiB, {m['system']}; ipamedgan {m['commit']} by {m['compiler']};
from PyPI: {versions}.

{the_work(m)} PyTorch
runs the reference of `tests/golden`, in channels_last, with fused Adam; compiled is `torch.compile`, in inference with frozen
weights; bf16 is `torch.autocast`. Each peer is a process of its own, warm; ours and the peer take turns, and each is compared
with ours of those very runs, by medians and, in brackets, by the fastest. Peak memory is the process's largest resident
set, libraries included, compilers that it starts not. `of roof`: the arithmetic of our graph (multiply-adds of plain
convolutions) at the float32 multiply-add rate that this machine reached, over the fastest time; bf16 may do twice that.
"""


def on_a_gpu(m, versions):
    return f"""# {m['gpu']}: ipamedgan and PyTorch

Made by `bench/peers/compare.py --device cuda`; {m['system']}; ipamedgan {m['commit']}; from PyPI: {versions}.

{the_work(m)} PyTorch
runs the reference of `tests/golden` in channels_last with fused Adam; compiled is `torch.compile`, in inference with frozen
weights; with max-autotune it also records CUDA graphs; bf16 is `torch.autocast`. Each peer is a process of its own, warm; ours
and the peer take turns, and each is compared with ours of those very runs, by medians and, in brackets, by the fastest. Peak
memory: PyTorch's is the most that its allocator gave out, ours the plan's arena without weights, gradients and moments; of both
what nvidia-smi lists, CUDA's own included. `of roof`: the least time of our graph's bytes and FLOPs, launch by launch, over the
fastest time. Launches are kernels of one run, PyTorch's as its profiler counts them.
"""


def the_work(m):
    batches = ", ".join(map(str, m["batches"]))
    return f"""The work: width {m['width']}, discriminators {m['disc_width']}, six layers of VGG-19, batch {batches}, {m['size']}x{m['size']}. A step is both
discriminators' losses, gradients and Adam, then the generator's with the adversarial, perceptual, L1 and style terms."""


PADDED = """Channels padded to 8: the same networks with the channels within their blocks rounded up to multiples of 8 (8, 17, 26 to 8, 24,
32 and so on; images keep their 1 and 2). These are more channels and more work; with zeros for the weights that are added they
compute the same function (`bench/peers/padded.py`, tested on the CPU).
"""


def text(results):
    m = results["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in m["versions"].items())
    parts = [[on_a_gpu(m, versions) if m["device"] == "cuda" else on_the_cpu(m, versions)]]
    if any("-padded/" in name for name in results):
        parts.append([PADDED])
    for task in TASKS:
        parts += [comparison(results, task, batch) for batch in batches_of(results, task)]
    if m["device"] == "cpu":
        parts += [aims(results, batch) for batch in batches_of(results, "step")]
    parts.append(agreement(results))
    for task in TASKS:
        parts += [profile(results, task, batch) for batch in batches_of(results, task)]
    parts.append(ops(results))
    return "\n".join(line for part in parts for line in part).rstrip() + "\n"
