"""The Markdown page of gpu-bench: docs/benchmarks/h200.md. A figure stands in it only where it was measured."""

import platform
import subprocess

from gpu_stages import ROOT

MEMORY_BOUND_LEFT_OUT = ("conv", "gram", "matmul", "all-reduce")
PAPER_SLICES, PAPER_EPOCHS = 3028, 100
NOT = "not measured"


def table(head, rows):
    def line(cells):
        return "| " + " | ".join(str(cell) for cell in cells) + " |"

    return [line(head), line("---" if k == 0 else "--:" for k in range(len(head))), *map(line, rows), ""]


def output(command):
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def images_per_s(result, batch):
    return batch / result["seconds"] if result else None


def peers_ratio(peers, task, batch, padded):
    """Ours over the fastest bf16 PyTorch of that kind, of the runs beside each other."""
    ratios = []
    for name, pair in (peers or {}).items():
        parts = name.split("/")
        if len(parts) < 3 or parts[::2] != [task, str(batch)] or parts[1] == "profile" or ("padded" in parts[1]) != padded:
            continue
        ours, theirs = (sorted(column)[len(column) // 2] for column in zip(*pair["seconds"]))
        ratios.append(theirs / ours)
    return min(ratios) if ratios else None


def targets(results):
    """Issue's targets on one H200: what is asked, what was reached."""
    step, peers = images_per_s(results.get("step-16"), 16), results.get("peers")

    def told(value, wanted, unit):
        return NOT if value is None else f"{value:.2f} {unit} ({'reached' if value >= wanted else f'{100 * value / wanted:.0f} % of it'})"

    rows = [["training step, batch 16", "840 images/s", told(step, 840, "images/s")]]
    for text, task, batch, padded, wanted in [
        ("step over PyTorch's fastest, batch 16", "step", 16, False, 2),
        ("the same, padded to 8 channels", "step", 16, True, 1.5),
        ("inference over PyTorch's fastest, batch 32", "inference", 32, False, 2),
    ]:
        rows.append([text, f"{wanted} times", told(peers_ratio(peers, task, batch, padded), wanted, "times")])
    minutes = PAPER_SLICES * PAPER_EPOCHS / step / 60 if step else None
    reckoned = NOT if minutes is None else f"{minutes:.1f} minutes, reckoned from the step ({'below' if minutes < 6 else 'above'})"
    rows.append([f"{PAPER_EPOCHS} epochs of {PAPER_SLICES} slices", "below 6 minutes", reckoned])
    below, seen = [], 0
    for case in results.get("ops-16", {}).get("cases", []):
        for op in case["ops"]:
            if op["op"].startswith(MEMORY_BOUND_LEFT_OUT):
                continue
            seen += 1
            share = op["least_seconds"] / op["seconds"]
            if share < 0.8:
                below.append(f"{case['name']}: {op['op']} {100 * share:.0f} %")
    rows.append(["own memory-bound ops, batch 16", "80 % of a copy", f"{seen - len(below)} of {seen}" if seen else NOT])
    lines = table(["target on one H200", "asked", "seen here"], rows)
    return lines + (["Below 80 %: " + "; ".join(below) + ".", ""] if below else [])


def steps(results, task):
    rows = []
    for name in sorted((n for n in results if n.startswith(task + "-")), key=lambda n: int(n.split("-")[1])):
        found, batch = results[name], int(name.split("-")[1])
        least, whole = found["all"]["least_seconds"], found["seconds"]
        rows.append([batch, f"{whole * 1e3:.2f}", f"{batch / whole:.1f}", found["all"]["launches"], f"{100 * least / whole:.0f}",
                     f"{found['arena_mib']:.0f}"])
    if not rows:
        return [NOT + ".", ""]
    return table(["batch", "ms", "images/s", "launches", "% of roof", "arena MiB"], rows)


def rewritten(results):
    """The steps of one batch by what their graphs were rewritten with, or nothing."""
    rows = []
    for name in [n for n in results if n.startswith("rewrites-")]:
        which, batch = name.split("-")[1:]
        for label, found in ((which, results[name]), ("those known to pay", results.get(f"step-{batch}"))):
            row = found and [label, found["all"]["launches"], f"{found['all']['bytes'] * 1e-9:.2f}", f"{found['seconds'] * 1e3:.2f}",
                             f"{found['arena_mib']:.0f}"]
            if row and row not in rows:
                rows.append(row)
    return ["By rewrites of the graph (docs/fusion.md):", "", *table(["rewrites", "launches", "GB", "ms", "arena MiB"], rows)] if rows else []


def kinds(found):
    rows = [[row["op"], row["launches"], f"{row['seconds'] * 1e3:.2f}", f"{row['bytes'] * 1e-9 / row['seconds']:.0f}",
             f"{row['flops'] * 1e-12 / row['seconds']:.1f}", f"{100 * row['least_seconds'] / row['seconds']:.0f}"]
            for row in [*found["ops"], found["all"]] if row["seconds"] > 0]
    return table(["op", "launches", "ms", "GB/s", "TFLOP/s", "% of roof"], rows)


def ops(found):
    rows = [[case["name"] if k == 0 else "", op["op"], f"{op['seconds'] * 1e6:.1f}", f"{op['bytes'] * 1e-9 / op['seconds']:.0f}",
             f"{op['flops'] * 1e-12 / op['seconds']:.1f}", f"{100 * op['least_seconds'] / op['seconds']:.0f}"]
            for case in found["cases"] for k, op in enumerate(case["ops"]) if op["seconds"] > 0]
    return table(["case", "op", "us", "GB/s", "TFLOP/s", "% of roof"], rows)


def scaling(found):
    lines = ["**Simulated, not measured.** " + "; ".join(found["assumptions"]) + ".", ""]
    for kind in ("weak", "strong"):
        rows = [[r["ranks"], r["batch_of_rank"], f"{r['seconds'] * 1e3:.2f}", f"{r['exposed_seconds'] * 1e3:.2f}",
                 f"{100 * r['efficiency']:.1f}", f"{r['images_per_s']:.0f}"] for r in found[kind]]
        lines += [f"{kind.capitalize()} scaling:", "", *table(["ranks", "batch/rank", "ms", "exposed ms", "efficiency %", "images/s"], rows)]
    return lines


def text(bench, arguments):
    results, stages = bench.results, bench.stages
    copied = {k: v for k, v in results.items() if k != "peers"}
    roof = next((r["roof"] for r in copied.values() if "roof" in r), None)
    commit = output(["git", "describe", "--always", "--dirty"]) or "unknown"
    toolkit = (output(["nvcc", "--version"]).splitlines() or ["no nvcc here"])[-1]
    lines = [f"# {stages.title}", ""]
    if arguments.on != "cuda":
        lines += ["**Toy sizes without a GPU: this page shows that the script works, and nothing else.**", ""]
    lines += [f"Made by `scripts/gpu-bench` within {arguments.budget:.0f} s; ipamedgan {commit}, {toolkit}, {platform.platform()}."]
    if roof:
        lines += ["Roof in the same run: " + ", ".join(f"{k} {v:.4g}" for k, v in roof.items() if isinstance(v, (int, float))) + "."]
    lines += ["", "## Targets", ""]
    lines += targets(results) if arguments.on == "cuda" else ["They are those of a GPU: " + NOT + ".", ""]
    for task, title in (("step", "A training step"), ("inference", "The generator in inference")):
        lines += [f"## {title}", "", *steps(results, task)]
        if task == "step":
            lines += rewritten(results)
        profiles = [n for n in results if n.startswith(task + "-")]
        if profiles:
            lines += [f"By kind of op, batch {profiles[0].split('-')[1]}:", "", *kinds(results[profiles[0]])]
    lines += ["## From file to file", ""]
    made = [n for n in results if n.startswith("inpaint-")]
    rows = [[n.split("-")[1], results[n]["slices"], f"{results[n]['seconds']:.2f}", f"{results[n]['slices_per_s']:.1f}",
             f"{results[n]['network_seconds']:.2f}", f"{results[n]['slices'] / results[n]['network_seconds']:.1f}"] for n in made]
    lines += ["`ipamedgan inpaint`, HDF5 read, restored, composited and written; beside it the network alone in that run:", "",
              *table(["batch", "slices", "s", "slices/s", "network s", "slices/s"], rows)] if rows else [NOT + ".", ""]
    lines += ["## Beside PyTorch", ""]
    peers = arguments.out / "peers.md"
    lines += ["The tables are in `peers.md`, made by `bench/peers/compare.py`.", ""] if peers.exists() else [NOT + ".", ""]
    lines += ["## Every op", ""]
    for name in [n for n in results if n.startswith("ops-")]:
        lines += [f"Batch {name.split('-')[1]}:", "", *ops(results[name])]
    if not any(n.startswith("ops-") for n in results):
        lines += [NOT + ".", ""]
    lines += ["## Many GPUs", "", *(scaling(results["scaling"]) if "scaling" in results else [NOT + ".", ""])]
    lines += ["## What ran", "", stages.table(), ""]
    lines += [f"    {command}" for command in bench.commands.values()]
    return "\n".join(lines).rstrip() + "\n"
