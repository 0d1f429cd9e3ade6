#!/usr/bin/env python3
"""Small seeds for the fuzz targets, made anew for each run: FOLDER/<target>/*. What a target once found lies in tests/fuzz/regressions
and is copied beside them."""
import gzip
import json
import pathlib
import shutil
import struct
import sys
import tempfile

import h5py
import nibabel
import numpy as np

HERE = pathlib.Path(__file__).parent
FOLDER = pathlib.Path(sys.argv[1])


def seed(target, name, data):
    folder = FOLDER / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data if isinstance(data, bytes) else data.encode())


def nifti(kind, values, affine=np.diag([1, 1, 2, 1]), slope=None):
    image = kind(values, affine)
    if slope:
        image.header.set_slope_inter(slope, 1)
    return image.to_bytes()


def volumes():
    values = np.arange(60).reshape(3, 4, 5)
    for kind, name in [(nibabel.Nifti1Image, "one"), (nibabel.Nifti2Image, "two")]:
        for dtype in ["u1", "i2", ">i2", "f4", ">f8"]:
            data = nifti(kind, values.astype(dtype))
            seed("fuzz_nifti", f"{name}_{dtype.replace('>', 'big_')}.nii", data)
        seed("fuzz_nifti", f"{name}.nii.gz", gzip.compress(data, mtime=0))
    seed("fuzz_nifti", "slope.nii", nifti(nibabel.Nifti1Image, values.astype("i2"), slope=0.5))
    qform = nibabel.Nifti1Image(values.astype("u1"), None)
    qform.set_qform(np.diag([-1, 2, 3, 1]), 1)
    seed("fuzz_nifti", "qform.nii", qform.to_bytes())


def weights():
    for kind, width in [("F32", 4), ("F16", 2), ("BF16", 2), ("F64", 8)]:
        header = json.dumps({"__metadata__": {"format": "pt"}, "a.weight": {"dtype": kind, "shape": [2, 1], "data_offsets": [0, 2 * width]},
                             "b": {"dtype": kind, "shape": [], "data_offsets": [2 * width, 3 * width]}}).encode()
        seed("fuzz_safetensors", kind, struct.pack("<Q", len(header)) + header + bytes(3 * width))


def settings():
    for preset in (HERE / "../../apps/presets").glob("*.toml"):
        seed("fuzz_settings", preset.stem, b"\0" + preset.read_bytes())
    for i, text in enumerate(["net.width=16", "data.masks=my masks.h5", "train.decay = 1e-3", "data.flip=true", 'data.masks="a\\u00e9"']):
        seed("fuzz_settings", f"set{i}", b"\1" + text.encode())


def launchers():
    for i, text in enumerate(["RANK=1\nWORLD_SIZE=4\nLOCAL_RANK=1\nMASTER_ADDR=node1\nMASTER_PORT=29500",
                              "SLURM_PROCID=0\nSLURM_STEP_NUM_TASKS=8\nSLURM_LOCALID=0\nSLURM_STEP_NODELIST=rack[1-2]n[01-04]\nSLURM_JOB_ID=77",
                              "OMPI_COMM_WORLD_RANK=2\nOMPI_COMM_WORLD_SIZE=3\nOMPI_COMM_WORLD_LOCAL_RANK=2"]):
        seed("fuzz_launch", f"variables{i}", b"\0" + text.encode())
    for i, text in enumerate(["node[03-07,9],login", "rack[1-2]n[01-04]", "a", "a[1", "[9-10]"]):
        seed("fuzz_launch", f"hosts{i}", b"\1" + text.encode())
    body = struct.pack("<QQQ", 1, 2, 4) + b"host" + struct.pack("<Q", 3) + b"abc"
    for name, length in [("message", len(body)), ("long", 1 << 21), ("half", len(body) + 1)]:
        seed("fuzz_launch", name, b"\2" + struct.pack("<III", 0x4B415249, 1, length) + body)


def stacks():
    images = np.arange(2 * 4 * 5, dtype="u1").reshape(2, 4, 5)
    with tempfile.TemporaryDirectory() as folder:
        for name, options in [("old", {}), ("new", {"libver": "latest"})]:
            path = pathlib.Path(folder) / name
            with h5py.File(path, "w", **options) as file:
                file.create_dataset("images", data=images, chunks=(1, 4, 5), compression="gzip", shuffle=True, fletcher32=name == "new")
                file["target"] = images
                file["subject"] = np.array([b"a", b"b"])
                file["group/text"] = ["x", "yz"]
                file["link"] = h5py.SoftLink("/group")
                file.attrs["intensity_range"] = [0, 255]
                file.attrs["modality"] = "T1"
            seed("fuzz_stack", name, path.read_bytes())


def answers():
    def number(n):
        return struct.pack("<Q", n)

    def text(t):
        return number(len(t)) + t

    images = number(3) + number(2) + number(4) + number(5) + number(0) + number(0) + number(40)
    told = [b"", number(1) + text(b"images"), number(1), images, b"\1", number(1) + number(8) + text(bytes(16)),
            number(1) + number(10) + text(b"T1"), number(1) + number(2) + number(10) + number(1) + number(8),
            number(2) + text(b"a") + text(b"b")]
    seed("fuzz_answers", "stack", b"".join(bytes([len(answer)]) + answer for answer in told))


def others():
    seed("fuzz_seal", "bytes", bytes(range(100)))
    seed("fuzz_seal", "seal", b"abc" + b"ipaseal1 0000000000000003 06b05ab6733a618578af5f94892f3950".ljust(63) + b"\n")
    seed("fuzz_plan_cache", "plan", "3 4\nkeyplan")
    seed("fuzz_metrics", "run", "step,total,l1\n1,0.5,0.25\n2,0.4,nan\n3,inf,0.1\n")
    seed("fuzz_metrics", "other", "step,d_global\n1,0.5\n2,")


for make in (volumes, weights, settings, launchers, stacks, answers, others):
    make()
for found in (HERE / "regressions").glob("fuzz_*/*"):
    shutil.copy(found, FOLDER / found.parent.name / found.name)
