#!/usr/bin/env python3
"""Times ipamedgan, PyTorch and ONNX Runtime at the same work on this machine's CPU or GPU and writes a Markdown page.

    scripts/bench-cpu [options]                      # installs the peers, builds, then runs this
    compare.py --device cuda --batches 16,32,1,8,64   # with a PyTorch that has CUDA; scripts/gpu-bench does that

Every peer is a process of its own. While both are warm, ours and the peer take turns, run by run, so that whatever else
the machine does hits both; a peer is compared with ours of those very runs. Results are kept in a JSON file; what is not timed anew keeps its figures.
"""

import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys

import page

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
MODES = {
    "cpu": {
        "inference": ["eager", "compiled", "onnxruntime", "bf16", "bf16-compiled"],
        "step": ["eager", "compiled", "bf16", "bf16-compiled"],
    },
    # What takes long to compile comes last. Ours is bf16 there.
    "cuda": dict.fromkeys(
        ["step", "inference"],
        ["bf16-compiled", "bf16", "bf16-compiled-padded", "bf16-max-autotune", "bf16-max-autotune-padded"],
    ),
}


def fail(text):
    sys.exit(f"bench-cpu: error: {text}")


def check_device(device):
    if device == "cpu":
        return
    probe = "import sys, torch; sys.exit(0 if torch.cuda.is_available() else f'PyTorch {torch.__version__} sees no CUDA device here')"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True)
    if done.returncode != 0:
        fail((done.stderr.strip() or "PyTorch does not start").splitlines()[-1])


def memory_on_gpu(pid):
    """-> MiB of a process as nvidia-smi lists it, with CUDA's own; None where it is not listed (another pid namespace)."""
    query = ["nvidia-smi", "--query-compute-apps=pid,used_memory", "--format=csv,noheader,nounits"]
    try:
        lines = subprocess.run(query, capture_output=True, text=True).stdout.splitlines()
    except OSError:
        return None
    listed = dict(line.split(",") for line in lines if line.count(",") == 1)
    return int(listed[str(pid)]) if listed.get(str(pid), "").strip().isdigit() else None


def environment(threads):
    return {**os.environ, "OMP_NUM_THREADS": str(threads)}


class Broken(Exception):
    pass


class Worker:
    """A program that runs once for each line it gets and answers with the seconds."""

    def __init__(self, command, threads):
        self.command = [str(word) for word in command]
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment(threads)
        )
        if self.answer() != "ready":
            raise Broken(f"{' '.join(self.command)} did not get ready")

    def answer(self):
        line = self.process.stdout.readline().strip()
        if not line:
            raise Broken(f"{' '.join(self.command)} ended before its time")
        return line

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def run(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return float(self.answer())

    def close(self, device):
        """-> {"mib": its peak memory, "launches": of a run where it tells}. On the CPU its largest resident set; on CUDA what
        PyTorch tells at its end, and what nvidia-smi lists of it, `smi_mib`."""
        found = {}
        if device == "cuda":
            found["smi_mib"] = memory_on_gpu(self.process.pid)
        else:
            status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
            found["mib"] = int(re.search(r"VmHWM:\s*(\d+) kB", status)[1]) / 1024
        last, _ = self.process.communicate()
        return {**found, **(json.loads(last) if last.strip() else {})}


def output_of(command, threads):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, env=environment(threads))
    if done.returncode not in (0, 1) or not done.stdout:
        fail(f"{' '.join(map(str, command))}: {done.stderr.strip()[-2000:]}")
    return json.loads(done.stdout)


class Benchmark:
    def __init__(self, arguments):
        self.arguments = arguments
        self.bin = arguments.bin
        self.device = ["--device", "cuda"] if arguments.device == "cuda" else []
        self.modes, self.broken = MODES[arguments.device], False
        self.results = json.loads(arguments.results.read_text()) if arguments.results.exists() else {}

    def shape(self, batch):
        names = {"size": "--size", "width": "--width", "disc_width": "--disc-width"}
        return ["--batch", batch, *(word for name, option in names.items() for word in (option, getattr(self.arguments, name)))]

    def hook(self, word):
        if self.arguments.around:
            subprocess.run([self.arguments.around, word], check=True)

    def keep(self, name, value):
        self.results[name] = value
        temporary = self.arguments.results.with_suffix(".tmp")
        temporary.write_text(json.dumps(self.results, indent=1))
        temporary.replace(self.arguments.results)

    def ours(self, task, batch, *options):
        what = ["--inference"] if task == "inference" else []
        return [self.bin / "bench_step", *self.device, *self.shape(batch), *what, *options]

    def pair(self, task, mode, batch):
        threads, device = self.arguments.threads, self.arguments.device
        script = ["onnxruntime_peer.py"] if mode == "onnxruntime" else ["peer.py", task, mode, *self.device]
        theirs = [sys.executable, HERE / script[0], *script[1:], "--threads", threads, *self.shape(batch)]
        seconds = []
        with Worker(theirs, threads) as peer, Worker(self.ours(task, batch, "--serve"), threads) as ours:
            for _ in range(self.arguments.rounds):
                self.hook("begin")
                seconds.append((ours.run(), peer.run()))
                self.hook("end")
            self.keep(f"{task}/{mode}/{batch}", {"seconds": seconds, "ours": ours.close(device), "peer": peer.close(device)})
        medians = [statistics.median(column) for column in zip(*seconds)]
        print(f"{task}, {mode}, batch {batch}: {medians[1]:.4g} s, ours {medians[0]:.4g} s", file=sys.stderr, flush=True)

    def profile(self, task, batch):
        """Where our time goes, beside the roof."""
        self.hook("begin")
        found = output_of(self.ours(task, batch, "--json", "--runs", self.arguments.runs), self.arguments.threads)
        self.keep(f"{task}/profile/{batch}", found)
        self.hook("end")

    def ops(self):
        self.hook("begin")
        timed = output_of(
            [self.bin / "bench_ops", *self.device, "--json", "--runs", self.arguments.runs], self.arguments.threads
        )
        self.hook("end")
        errors = output_of(
            [self.bin / "bench_ops", *self.device, "--json", "--runs", 1, "--errors"], self.arguments.threads
        )
        by_name = {case["name"]: case.get("error") for case in errors["cases"]}
        for case in timed["cases"]:
            case["error"] = by_name[case["name"]]
        self.keep("ops", timed)

    def agreement(self):
        """At the same widths, but on two slices of 128x128 at most: PyTorch in double is slow."""
        given = self.arguments
        modes = ",".join(mode for mode in self.chosen("inference"))
        command = [sys.executable, HERE / "agreement.py", "--ipamedgan", self.bin / "ipamedgan", "--modes", modes]
        command += ["--threads", given.threads, "--width", given.width, "--disc-width", given.disc_width]
        command += ["--batch", min(*given.batches, 2), "--size", min(given.size, 128), *self.device]
        found = output_of(command, given.threads)
        self.keep("agreement", {**self.results.get("agreement", {}), **found})
        lines = [(program, what, line) for program, of_program in found.items() for what, line in of_program.items()]
        for program, what, line in lines:
            if not line["agrees"]:
                print(f"bench-cpu: {program} does not agree in {what}: {line}", file=sys.stderr)

    def chosen(self, task):
        """--modes may name others than this device's usual ones, e.g. eager-padded."""
        if not self.arguments.modes:
            return self.modes[task]
        return [mode for mode in self.arguments.modes.split(",") if task == "inference" or mode != "onnxruntime"]

    def run(self):
        parts = self.arguments.parts.split(",")
        if "agreement" in parts:
            self.agreement()
        for batch in self.arguments.batches:
            for task in self.modes if "profile" in parts else []:
                self.profile(task, batch)
            for task in self.modes:
                for mode in self.chosen(task) if task in parts else []:
                    try:
                        self.pair(task, mode, batch)
                    except Broken as error:  # such as a batch that does not fit; the others count
                        print(f"bench-cpu: error: {task}, {mode}, batch {batch}: {error}", file=sys.stderr, flush=True)
                        self.broken = True
        if "ops" in parts:
            self.ops()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--bin", type=pathlib.Path, default=ROOT / "build/bin", help="folder of ipamedgan, bench_step, bench_ops"
    )
    parser.add_argument("--results", type=pathlib.Path, default=ROOT / "build/bench-cpu.json")
    parser.add_argument("--page", type=pathlib.Path, help="Markdown to write; else standard output")
    parser.add_argument("--parts", default="agreement,inference,step,profile,ops", help="what to do, with commas")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--modes", help="only these, with commas: those of peer.py, and onnxruntime")
    parser.add_argument("--rounds", type=int, default=5, help="runs of ours and of the peer each")
    parser.add_argument("--runs", type=int, default=5, help="of our profile and of each op")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument(
        "--batches", type=lambda text: [int(n) for n in text.split(",")], default=[4], help="with commas (default: 4)"
    )
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--disc-width", type=int, default=64)
    parser.add_argument(
        "--around", metavar="CMD", help="called as `CMD begin` and `CMD end` around what is timed, e.g. to pause other work"
    )
    arguments = parser.parse_args()
    for name in ("ipamedgan", "bench_step", "bench_ops"):
        if not (arguments.bin / name).exists():
            fail(f"there is no {arguments.bin / name}; scripts/bench-cpu builds it")
    check_device(arguments.device)
    benchmark = Benchmark(arguments)
    benchmark.keep("machine", page.machine(arguments))
    benchmark.run()
    text = page.text(benchmark.results)
    if arguments.page:
        arguments.page.write_text(text, encoding="utf-8")
    else:
        print(text)
    sys.exit(benchmark.broken)


if __name__ == "__main__":
    main()
