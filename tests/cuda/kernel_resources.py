#!/usr/bin/env python3
"""Compiles every kernels/*.cu for sm_90a and prints what ptxas says of each kernel: registers, shared memory, spills.

    kernel_resources.py --nvcc /usr/local/cuda/bin/nvcc --root REPOSITORY [--markdown]

Fails where a kernel spills, uses local memory, or needs more registers than two blocks of 256 threads on a
multiprocessor allow (128); kernels on fp32 storage, which only checks use, may need more.
"""
import argparse
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import tempfile

MOST_REGISTERS = 128  # 65536 / (2 blocks of 256 threads)
MOST_OF_FP32 = 168  # where fp32 is the storage type, which only checks use
FLAGS = ["-std=c++20", "-gencode", "arch=compute_90a,code=sm_90a", "--expt-relaxed-constexpr", "-diag-suppress=20208",
         "-Xptxas", "-v", "-cubin"]


def compile_one(nvcc, root, source):
    with tempfile.TemporaryDirectory() as folder:
        run = subprocess.run([nvcc, *FLAGS, f"-I{root}", "-o", f"{folder}/kernel.cubin", str(source)],
                             capture_output=True, text=True, check=False)
    if run.returncode != 0:
        sys.exit(f"{source}: does not compile\n{run.stderr}")
    return source, run.stderr


def kernels_of(log):
    """(mangled name, registers, stack bytes, spilled bytes, static shared bytes) of each kernel."""
    name, stack, spilled = None, 0, 0
    for line in log.splitlines():
        if match := re.search(r"Compiling entry function '(\w+)'", line):
            name, stack, spilled = match[1], 0, 0
        elif match := re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", line):
            stack, spilled = int(match[1]), int(match[2]) + int(match[3])
        elif (match := re.search(r"Used (\d+) registers", line)) and name:
            shared = re.search(r"(\d+) bytes smem", line)
            yield name, int(match[1]), stack, spilled, int(shared[1]) if shared else 0
            name = None


def readable(names):
    run = subprocess.run(["c++filt"], input="\n".join(names), capture_output=True, text=True, check=True)
    short = []
    for name in run.stdout.splitlines():
        name = re.sub(r"\(anonymous namespace\)::|ipa::|cuda::", "", name)
        short.append(re.sub(r"^void ", "", name.split(">(", 1)[0] + (">" if ">(" in name else "")).split("(", 1)[0])
    return short


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nvcc", default="nvcc")
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parents[2])
    parser.add_argument("--markdown", action="store_true")
    arguments = parser.parse_args()

    sources = sorted((arguments.root / "kernels").glob("*.cu"))
    if not sources:
        sys.exit("kernel_resources: no kernels/*.cu found")
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        logs = list(pool.map(lambda s: compile_one(arguments.nvcc, arguments.root, s), sources))

    faults, count = [], 0
    row = "| {} | {} | {} | {} |" if arguments.markdown else "{:<16} {:>4} registers {:>6} B spilled  {}"
    if arguments.markdown:
        print("| file | registers | spilled bytes | kernel |\n|---|---|---|---|")
    for source, log in logs:
        found = sorted(kernels_of(log))
        for (_, registers, stack, spilled, _), name in zip(found, readable([k[0] for k in found])):
            print(row.format(source.stem, registers, spilled, f"`{name}`" if arguments.markdown else name))
            count += 1
            if spilled or stack:
                faults.append(f"{source.name}: {name} spills {spilled} bytes, stack {stack}")
            most = MOST_OF_FP32 if "<float" in name else MOST_REGISTERS
            if registers > most:
                faults.append(f"{source.name}: {name} needs {registers} registers, more than {most}")
    if count == 0:
        sys.exit("kernel_resources: ptxas reported no kernel")
    if faults:
        sys.exit("kernel_resources: " + "; ".join(faults))
    print(f"\n{count} kernels, none spills; none needs more than {MOST_REGISTERS} registers, on fp32 storage {MOST_OF_FP32}")


if __name__ == "__main__":
    main()
