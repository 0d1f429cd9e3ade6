"""What the peers' processes share: their options, and one run for each line on standard input, as bench_step --serve has it."""

import argparse
import json
import sys
import time

OPTIONS = {"threads": 2, "batch": 4, "size": 256, "width": 32, "disc_width": 64}


def parser(description):
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in OPTIONS.items():
        made.add_argument("--" + name.replace("_", "-"), type=int, default=default)
    return made


def add_device(options):
    options.add_argument("--device", choices=["cpu", "cuda"], default="cpu")


def serve(run, warm_up=1, wait=lambda: None, facts=None):
    """wait: for what a device was given to do. facts() -> what else to tell at the end, a dictionary; one JSON line."""
    for _ in range(warm_up):
        run()
    wait()
    print("ready", flush=True)
    for _ in sys.stdin:
        begin = time.perf_counter()
        run()
        wait()
        print(time.perf_counter() - begin, flush=True)
    if facts:
        print(json.dumps(facts()), flush=True)
