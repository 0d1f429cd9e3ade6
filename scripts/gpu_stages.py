"""What gpu-check and gpu-bench share: stages within a budget of time, told as they end; made volumes; what machine this is.
Python's standard library alone."""

import math
import os
import pathlib
import random
import signal
import struct
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]


class Failed(Exception):
    pass


class NoTime(Exception):
    pass


class Stages:
    """Runs one stage after another until the budget is spent. A stage that begins too late, or that its end finds at work, is
    told as `not run`, and never as passed. The table is written anew after each of them, so that a machine which is taken
    away leaves what was done."""

    def __init__(self, title, budget, out=None):
        self.title, self.out, self.rows, self.outcomes = title, out, [], set()
        self.end = self.stage_end = time.monotonic() + budget

    def left(self):
        """Seconds, of this stage."""
        return self.stage_end - time.monotonic()

    def call(self, command, **options):
        """-> exit code and output of both kinds. Everything that the command started ends with the stage's time."""
        seconds = self.left()
        if seconds <= 0:
            raise NoTime("no time left")
        process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE,
                                   stderr=options.pop("stderr", subprocess.STDOUT), text=True, start_new_session=True, **options)
        try:
            text, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            raise NoTime(f"stopped after {seconds:.0f} s") from None
        return process.returncode, text

    def must(self, command, **options):
        code, text = self.call(command, **options)
        if code != 0:
            raise Failed(f"{pathlib.Path(str(command[0])).name} ended with {code}: " + " / ".join(text.splitlines()[-3:]))
        return text

    def stage(self, name, body, most=float("inf")):
        """body() -> what to tell; None: cannot be done here. It may take `most` seconds."""
        begun = time.monotonic()
        self.stage_end = min(self.end, begun + most)
        try:
            if self.left() <= 0:
                raise NoTime("no time left")
            text = body()
            verdict, text = ("skipped", "not installed") if text is None else ("passed", text)
        except NoTime as error:
            verdict, text = "not run", str(error)
        except (Failed, OSError, ValueError, KeyError) as error:
            verdict, text = "FAILED", f"{type(error).__name__}: {error}" if isinstance(error, KeyError) else str(error)
        self.outcomes.add(verdict)
        self.rows.append((name, verdict, time.monotonic() - begun, text))
        print(f"{name}: {verdict} ({self.rows[-1][2]:.0f} s) {text}", flush=True)
        if self.out:
            self.out.write_text(self.table() + "\n", encoding="utf-8")
        return verdict == "passed"

    def table(self):
        lines = [f"{self.title}; {sum(row[2] for row in self.rows):.0f} s in all", "", "| stage | | seconds | |", "|---|---|--:|---|"]
        return "\n".join([*lines, *(f"| {name} | {verdict} | {seconds:.0f} | {text.replace('|', '/')} |"
                                    for name, verdict, seconds, text in self.rows)])

    def exit_code(self):
        """1: something failed; 4: something was not run; else 0."""
        return 1 if "FAILED" in self.outcomes else 4 if "not run" in self.outcomes else 0


def gpu():
    """-> name, driver and memory of the first GPU; None where there is none."""
    query = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip().splitlines()[0] if done.returncode == 0 and done.stdout.strip() else None


def build(name):
    folder = ROOT / "build-gpu"
    print("building", folder, flush=True)
    configure = ["cmake", "-S", ROOT, "-B", folder, "-G", "Ninja", "-DIPA_CUDA=ON", "-DIPA_TESTS=ON", "-DIPA_BENCH=ON"]
    for command in (configure, ["ninja", "-C", folder]):
        if subprocess.run([str(word) for word in command], check=False).returncode != 0:
            raise SystemExit(f"{name}: error: the build failed")
    return folder


def phantom(path, seed, size=96, slices=24, repeated=1):
    """A float32 NIfTI volume: a head of a few ellipsoids with texture, on black; `repeated` of it one upon another."""
    draw = random.Random(seed)
    shapes = [(1.0, 0, 0, 0, 0.8, 0.66)] + [
        (draw.uniform(-0.4, 0.5), draw.uniform(-0.4, 0.4), draw.uniform(-0.4, 0.4), draw.uniform(-0.5, 0.5),
         draw.uniform(0.1, 0.35), draw.uniform(0.1, 0.35)) for _ in range(8)]
    values = []
    for k in range(slices):
        z = 1.2 * (k / (slices - 1) - 0.5)
        for j in range(size):
            y = 2.0 * j / (size - 1) - 1
            for i in range(size):
                x = 2.0 * i / (size - 1) - 1
                inside = (x / 0.8) ** 2 + (y / 0.66) ** 2 + z * z < 1
                value = 0.0
                if inside:
                    value = 0.1 * math.sin(9 * x + seed) * math.cos(7 * y)
                    for amount, cx, cy, cz, rx, ry in shapes:
                        if ((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 + (z - cz) ** 2 < 1:
                            value += 400 * amount
                    value = max(value, 40.0)
                values.append(value)
    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, 3, size, size, slices * repeated, 1, 1, 1, 1)
    struct.pack_into("<2h", header, 70, 16, 32)
    struct.pack_into("<8f", header, 76, 1, 1, 1, 1, 0, 0, 0, 0)
    struct.pack_into("<f", header, 108, 352)
    struct.pack_into("<f", header, 112, 1)
    struct.pack_into("<2h", header, 252, 0, 1)
    struct.pack_into("<12f", header, 280, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0)
    header[344:348] = b"n+1\0"
    path.write_bytes(bytes(header) + struct.pack(f"<{len(values)}f", *values) * repeated)
