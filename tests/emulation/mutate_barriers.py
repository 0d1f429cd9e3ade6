#!/usr/bin/env python3
"""Removes every barrier of the device code, one at a time, and demands that a test fails.

    mutate_barriers.py build/bin/test_emulated_ops --also OTHER_TESTS...   # all of them; about a minute
    ... --sample 6                                                         # some; another choice when device code changes

The emulator skips the barrier that IPA_EMULATION_SKIP names, so nothing is compiled. A barrier that no test executes is
a fault too. One that the emulator cannot show to be needed says why in its line, `// survives: ...`; those are listed at
the end, and it is a fault if a test does fail without one of them.
"""
import argparse
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import time
import zlib

ROOT = pathlib.Path(__file__).resolve().parents[2]


def barriers():
    """Places `kernels/x.cuh:LINE` of every barrier in the device code, and why it may survive (or None)."""
    found = {}
    for path in sorted((ROOT / "kernels").glob("*.cuh")):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            code, _, comment = line.partition("//")
            if re.search(r"\b__sync(threads|warp)\s*\(", code):
                why = re.match(r"\s*survives: (.+)", comment)
                found[f"kernels/{path.name}:{number}"] = why[1] if why else None
    return found


def run(test, cases, **variables):
    environment = {"IPA_CASES": cases, "GOMP_SPINCOUNT": "1000", "PATH": "/usr/bin:/bin",
                   **{f"IPA_EMULATION_{k.upper()}": v for k, v in variables.items()}}
    return subprocess.run([test, "--abort"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False, timeout=900)


def stems():
    """Stems of cases: "batch_norm: affine" belongs to batch_norm."""
    names = set()
    for path in (ROOT / "tests" / "cases").glob("*.cpp"):
        names.update(re.findall(r'"(\w+): ', path.read_text()))
    return sorted(names)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("test")
    parser.add_argument("--also", nargs="*", default=[], help="tests that run device code besides the cases")
    parser.add_argument("--sample", type=int, help="so many barriers, chosen by the content of the device code")
    arguments = parser.parse_args()

    everywhere = barriers()
    if not everywhere:
        sys.exit("mutate_barriers: no barrier found in kernels/*.cuh")
    tests = {stem: (arguments.test, stem + ":") for stem in stems()}
    tests.update({pathlib.Path(test).name: (test, "") for test in arguments.also})
    executed, seconds = {}, {}  # stems that execute a barrier; how long a stem's cases take
    for stem, test in tests.items():
        with tempfile.NamedTemporaryFile() as trace:
            begun = time.monotonic()
            result = run(*test, trace=trace.name)
            seconds[stem] = time.monotonic() - begun
            if result.returncode != 0:
                sys.exit(f"mutate_barriers: the cases of {stem} fail as they are\n{result.stdout[-2000:]}")
            for place in set(pathlib.Path(trace.name).read_text().split()):
                key = place[place.rindex("kernels/"):] if "kernels/" in place else place
                executed.setdefault(key, []).append(stem)

    chosen = sorted(everywhere)
    if arguments.sample and arguments.sample < len(chosen):
        seed = zlib.crc32(b"".join(p.read_bytes() for p in sorted((ROOT / "kernels").glob("*.cuh"))))
        chosen = sorted(random.Random(seed).sample(chosen, arguments.sample))

    faults, killed, survivors = [], 0, []
    for place in chosen:
        why = everywhere[place]
        using = sorted(executed.get(place, []), key=seconds.get)
        if not using:
            faults.append(f"{place} is executed by no case")
            continue
        fails = next((stem for stem in using if run(*tests[stem], skip=place).returncode != 0), None)
        print(f"{place:<36} {'killed by ' + fails if fails else 'survives'}", flush=True)
        if fails:
            killed += 1
            if why:
                faults.append(f"{place} is said to survive, but {fails} fails without it")
        elif why:
            survivors.append(f"{place}: {why}")
        else:
            faults.append(f"{place} can be removed and no test fails")
    print(f"{len(everywhere)} barriers, {len(chosen)} removed, {killed} killed, {len(survivors)} survive for a reason")
    print("".join(f"  {line}\n" for line in survivors), end="")
    if faults:
        sys.exit("mutate_barriers: " + "; ".join(faults))


if __name__ == "__main__":
    main()
