"""Damaged and forged files by the thousand, through the shipped program: whatever the bytes are, it ends with exit code 0, 3 or 4 and
the agreed last line, within bounds of processor time and memory.

A mutant is a pure function of (SEED, format, number), so that a find can be made again. Environment: IPAMEDGAN the program,
IPA_SOAK_FACTOR what to multiply the counts by (1 in CI), IPA_SOAK_SEED another seed per round."""
import concurrent.futures
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time

import numpy as np

sys.path.append(str(pathlib.Path(__file__).parent.parent / "cli"))
from conftest import BINARY  # noqa: E402

FACTOR = int(os.environ.get("IPA_SOAK_FACTOR", "1"))
SEED = int(os.environ.get("IPA_SOAK_SEED", "0"))
PROCESSES = 2
MOST_SECONDS = 10  # of processor time; a hang without any is ended after MOST_WAIT, however busy the machine
MOST_WAIT = 600
MOST_MEMORY = 1152 << 20  # resident: what a child may take for files of kilobytes, and the program


class Ended:
    """What became of one call."""

    def __init__(self, arguments):
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            process = subprocess.Popen([BINARY, *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=out, stderr=err)
            alarm = threading.Timer(MOST_WAIT, process.kill)
            alarm.start()
            _, status, usage = os.wait4(process.pid, 0)
            alarm.cancel()
            process.returncode = self.code = os.waitstatus_to_exitcode(status)
            out.seek(0), err.seek(0)
            self.out, self.err = out.read(), err.read().decode(errors="replace")
        self.seconds = usage.ru_utime + usage.ru_stime  # of the program and of the child it waited for
        self.memory = usage.ru_maxrss << 10             # of the larger of the two

    def problem(self):
        last = self.err.strip().splitlines()[-1] if self.err.strip() else ""
        if self.code not in (0, 3, 4):
            return f"ended with {self.code}: {self.err[-300:]}"
        if self.code and not last.startswith("ipamedgan: error: "):
            return f"no last line: {self.err[-300:]}"
        if self.seconds > MOST_SECONDS:
            return f"took {self.seconds:.1f} s"
        if self.memory > MOST_MEMORY:
            return f"took {self.memory >> 20} MiB"
        return None


def mutant(good, rng, head):
    """Other bytes; three of four changes lie within the first `head`, where the structure is."""
    data = bytearray(good)

    def place(width=1):
        end = min(head, len(data)) if rng.random() < 0.75 else len(data)
        return int(rng.integers(0, max(end - width, 1)))

    kind = rng.choice(["flip", "flip", "field", "field", "cut", "insert", "erase", "zero", "copy"])
    if kind == "flip":
        for _ in range(rng.integers(1, 5)):
            data[place()] ^= 1 << int(rng.integers(8))
    elif kind == "field":  # an extreme number where a length, an offset or a type may stand
        width = int(rng.choice([1, 2, 4, 8]))
        at = place(width) // width * width
        values = [0, 1, 2**(8 * width) - 1, 2**(8 * width - 1), 2**(8 * width - 1) - 1, len(data), int(rng.integers(0, 256))]
        value = int(rng.choice(np.array(values, object))) % 2**(8 * width)
        data[at : at + width] = value.to_bytes(width, "big" if rng.random() < 0.2 else "little")
    elif kind == "cut":
        del data[int(rng.integers(0, len(data))) :]
    elif kind == "insert":
        at = place()
        data[at:at] = bytes(rng.integers(0, 256, int(rng.integers(1, 64)), dtype=np.uint8))
    elif kind == "erase":
        at = place()
        del data[at : at + int(rng.integers(1, 64))]
    elif kind == "zero":
        at = place()
        data[at : at + 16] = bytes(len(data[at : at + 16]))
    else:
        at, source = place(16), place(16)
        data[at : at + 16] = data[source : source + 16]
    return bytes(data)


def matrix(name, good, count, call, folder, head=2048, suffix=".h5", check=None):
    """Runs `call(path of a mutant)` on count x FACTOR mutants of the bytes `good`. `check(Ended)` says what is wrong with an end of
    code 0, or None. Returns how many ended with which code."""
    codes = {}

    def one(number):
        rng = np.random.default_rng([SEED, *name.encode(), number])
        path = folder / f"{name}-{number}{suffix}"
        path.write_bytes(mutant(good, rng, head))
        ended = Ended(call(path))
        problem = ended.problem() or (check(ended) if check and ended.code == 0 else None)
        if problem is None:
            path.unlink()
        return ended.code, problem, path

    begun = time.time()
    with concurrent.futures.ThreadPoolExecutor(PROCESSES) as pool:
        finds = []
        for code, problem, path in pool.map(one, range(count * FACTOR)):
            codes[code] = codes.get(code, 0) + 1
            if problem:
                finds.append(f"{path} (seed {SEED}): {problem}")
    print(f"{name}: {count * FACTOR} mutants in {time.time() - begun:.1f} s, exit codes {codes}")
    assert not finds, f"{len(finds)} finds, first of them:\n" + "\n".join(finds[:10])
    return codes
