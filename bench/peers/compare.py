#!/usr/bin/env python3
"""Times ipamedgan, PyTorch and ONNX Runtime at the same work on this machine's CPU and writes a Markdown page.

    scripts/bench-cpu [options]        # installs the peers, builds, then runs this

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
    "inference": ["eager", "compiled", "onnxruntime", "bf16", "bf16-compiled"],
    "step": ["eager", "compiled", "bf16", "bf16-compiled"],
}


def fail(text):
    sys.exit(f"bench-cpu: error: {text}")


def environment(threads):
    return {**os.environ, "OMP_NUM_THREADS": str(threads)}


class Worker:
    """A program that runs once for each line it gets and answers with the seconds."""

    def __init__(self, command, threads):
        self.command = [str(word) for word in command]
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment(threads)
        )
        if self.answer() != "ready":
            fail(f"{' '.join(self.command)} did not get ready")

    def answer(self):
        line = self.process.stdout.readline().strip()
        if not line:
            fail(f"{' '.join(self.command)} ended before its time")
        return line

    def run(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return float(self.answer())

    def close(self):
        """-> its peak memory in MiB: the largest resident set of this process alone."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        self.process.stdin.close()
        self.process.wait()
        return int(re.search(r"VmHWM:\s*(\d+) kB", status)[1]) / 1024


def output_of(command, threads):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, env=environment(threads))
    if done.returncode not in (0, 1) or not done.stdout:
        fail(f"{' '.join(map(str, command))}: {done.stderr.strip()[-2000:]}")
    return json.loads(done.stdout)


class Benchmark:
    def __init__(self, arguments):
        self.arguments = arguments
        self.bin = arguments.bin
        names = ("batch", "size", "width", "disc_width")
        self.shape = [word for name in names for word in ("--" + name.replace("_", "-"), getattr(arguments, name))]
        self.results = json.loads(arguments.results.read_text()) if arguments.results.exists() else {}

    def hook(self, word):
        if self.arguments.around:
            subprocess.run([self.arguments.around, word], check=True)

    def keep(self, name, value):
        self.results[name] = value
        temporary = self.arguments.results.with_suffix(".tmp")
        temporary.write_text(json.dumps(self.results, indent=1))
        temporary.replace(self.arguments.results)

    def ours(self, task, *options):
        return [self.bin / "bench_step", *self.shape, *(["--inference"] if task == "inference" else []), *options]

    def pair(self, task, mode):
        threads, rounds = self.arguments.threads, self.arguments.rounds
        script = ["onnxruntime_peer.py"] if mode == "onnxruntime" else ["peer.py", task, mode]
        peer = Worker([sys.executable, HERE / script[0], *script[1:], "--threads", threads, *self.shape], threads)
        ours = Worker(self.ours(task, "--serve"), threads)
        seconds = []
        for _ in range(rounds):
            self.hook("begin")
            seconds.append((ours.run(), peer.run()))
            self.hook("end")
        self.keep(f"{task}/{mode}", {"seconds": seconds, "ours_mib": ours.close(), "mib": peer.close()})
        medians = [statistics.median(column) for column in zip(*seconds)]
        print(f"{task}, {mode}: {medians[1]:.2f} s, ours {medians[0]:.2f} s", file=sys.stderr, flush=True)

    def profile(self, task):
        """Where our time goes, beside the roof."""
        self.hook("begin")
        self.keep(task, output_of(self.ours(task, "--json", "--runs", self.arguments.runs), self.arguments.threads))
        self.hook("end")

    def ops(self):
        self.hook("begin")
        timed = output_of([self.bin / "bench_ops", "--json", "--runs", self.arguments.runs], self.arguments.threads)
        self.hook("end")
        errors = output_of([self.bin / "bench_ops", "--json", "--runs", 1, "--errors"], self.arguments.threads)
        by_name = {case["name"]: case.get("error") for case in errors["cases"]}
        for case in timed["cases"]:
            case["error"] = by_name[case["name"]]
        self.keep("ops", timed)

    def agreement(self):
        """At the same widths, but on two slices of 128x128 at most: PyTorch in double is slow."""
        given = self.arguments
        modes = ",".join(mode for mode in MODES["inference"] if self.chosen(mode))
        command = [sys.executable, HERE / "agreement.py", "--ipamedgan", self.bin / "ipamedgan", "--modes", modes]
        command += ["--threads", given.threads, "--width", given.width, "--disc-width", given.disc_width]
        command += ["--batch", min(given.batch, 2), "--size", min(given.size, 128)]
        found = output_of(command, given.threads)
        self.keep("agreement", {**self.results.get("agreement", {}), **found})
        lines = [(program, what, line) for program, of_program in found.items() for what, line in of_program.items()]
        for program, what, line in lines:
            if not line["agrees"]:
                print(f"bench-cpu: {program} does not agree in {what}: {line}", file=sys.stderr)

    def chosen(self, mode):
        return not self.arguments.modes or mode in self.arguments.modes.split(",")

    def run(self):
        parts = self.arguments.parts.split(",")
        if "agreement" in parts:
            self.agreement()
        for task in MODES:
            if task in parts:
                for mode in MODES[task]:
                    if self.chosen(mode):
                        self.pair(task, mode)
            if "profile" in parts:
                self.profile(task)
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
    parser.add_argument("--modes", help="only these of eager,compiled,bf16,bf16-compiled,onnxruntime")
    parser.add_argument("--rounds", type=int, default=5, help="runs of ours and of the peer each")
    parser.add_argument("--runs", type=int, default=5, help="of our profile and of each op")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--batch", type=int, default=4)
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
    benchmark = Benchmark(arguments)
    benchmark.keep("machine", page.machine(arguments))
    benchmark.run()
    text = page.text(benchmark.results)
    if arguments.page:
        arguments.page.write_text(text, encoding="utf-8")
    else:
        print(text)


if __name__ == "__main__":
    main()
