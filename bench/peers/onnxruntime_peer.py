#!/usr/bin/env python3
"""ONNX Runtime at the generator's inference. PyTorch exports the model in a process of its own, so that this one's memory is
ONNX Runtime's.

    onnxruntime_peer.py [--threads 2] [--batch 4] [--size 256] [--width 32]
"""

import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnxruntime

from serve import OPTIONS, parser, serve


def session(path, threads):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def main():
    arguments = parser(__doc__).parse_args()
    export = [sys.executable, pathlib.Path(__file__).with_name("export_onnx.py")]
    for name in OPTIONS:
        export += ["--" + name.replace("_", "-"), str(getattr(arguments, name))]
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "generator.onnx"
        subprocess.run([*export, path], check=True, stdout=sys.stderr)
        runs = session(path, arguments.threads)
        feed = {"y": np.load(path.with_suffix(".npy"))}
    serve(lambda: runs.run(None, feed))


if __name__ == "__main__":
    main()
