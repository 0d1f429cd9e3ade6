"""Odd and hostile files, one by one: each gives the right output, or exit code 2, 3 or 4 with a last line that names the file."""
import gzip
import os
import signal
import struct
import subprocess
import time
import zlib

import h5py
import nibabel
import numpy as np
import pytest

from mutants import BINARY, FACTOR, Ended
from conftest import head_slices, make_masks, make_stack, make_volume, refuse, run, succeed
from inpaint_case import TINY, bits, inpaint, stored


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    make_stack(folder / "train.h5", head_slices(4, 96))
    succeed("train", "--run", folder / "run", "--train", folder / "train.h5", *TINY, "--steps", 1)
    return folder / "run"


# ---- Odd slices ----

FLOAT = head_slices(2, 40).astype("f4")
ODD = {
    "constant": np.full((2, 40, 40), 7, "i2"),
    "zero": np.zeros((2, 40, 40), "f4"),
    "one_pixel": np.array([[[3]], [[200]]], "u1"),
    "one_row": head_slices(2, 40)[:, 20:21],
    "uneven": head_slices(1, 257)[:, 1:256],
    "extremes": np.array([-32768, 32767], "i2")[np.arange(3200) % 2].reshape(2, 40, 40),
    "negative": -FLOAT,
    "tiny": FLOAT * np.float32(1e-38),
    "huge": (FLOAT + 1) * np.float32(1e35),
    "big_endian": head_slices(2, 40).astype(">u2"),
    "big_endian_float": FLOAT.astype(">f8"),
    "one_slice": head_slices(1, 40),
    "channel": head_slices(2, 40)[..., None],
}


@pytest.mark.parametrize("name", ODD)
def test_odd_slices_come_back(model, tmp_path, name):
    images = ODD[name]
    make_stack(tmp_path / "in.h5", images)
    result, change, _ = inpaint(model, tmp_path / "in.h5", tmp_path / "out.h5")
    assert result.shape == images.shape and result.dtype == images.dtype.newbyteorder("=")
    native = images.astype(images.dtype.newbyteorder("="))
    assert (bits(result) == bits(native)).all(-1)[change == 0].all()
    assert np.isfinite(result.astype("f8")).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("command", ["info", "inpaint", "score", "prepare", "corrupt"])
def test_one_pixel_that_is_no_number(model, tmp_path, command, bad):
    images = FLOAT.copy()
    images[1, 5, 6] = bad
    path = make_stack(tmp_path / "bad.h5", images)
    make_masks(tmp_path / "m.h5", np.ones((1, 40, 40), "u1"))
    out = ["--out", tmp_path / "o.h5"]
    refuse(3, *{"info": ["info", path], "inpaint": ["inpaint", "--model", model, "--in", path, *out],
                "score": ["score", "--target", path, "--output", path], "prepare": ["prepare", path, "--size", 40, *out],
                "corrupt": ["corrupt", "--in", path, "--masks", tmp_path / "m.h5", *out]}[command], says=["bad.h5", "slice 1"])
    assert not (tmp_path / "o.h5").exists()


# ---- Odd names ----

@pytest.mark.parametrize("name", ["new\nline.h5", "größe 脳.h5", "-dash.h5", "--json.h5", "quote'\".h5", "%s%n.h5", "\x01\x7f.h5", b"\xff\xfe.h5", "a" * 200 + ".h5"])
def test_odd_names(tmp_path, name):
    path = os.path.join(os.fsencode(tmp_path), os.fsencode(name))
    make_stack(tmp_path / "s.h5")
    os.rename(tmp_path / "s.h5", path)
    done = subprocess.run([BINARY, "info", path], capture_output=True)
    assert done.returncode == 0, done.stderr
    os.truncate(path, 3000)
    done = subprocess.run([BINARY, "info", path], capture_output=True)
    assert done.returncode == 3
    last = done.stderr.rstrip(b"\n")
    assert last.startswith(b"ipamedgan: error: ") and b"\n" not in last


def test_a_name_that_begins_with_a_dash(tmp_path):
    make_stack(tmp_path / "-dash.h5")
    refuse(2, "info", "-dash.h5", cwd=tmp_path, says="-dash.h5")
    succeed("info", "--", "-dash.h5", cwd=tmp_path)
    succeed("info", "./-dash.h5", cwd=tmp_path)


def test_names_that_are_too_long(tmp_path):
    refuse(4, "info", tmp_path / ("a" * 300), says="aaa")
    refuse(4, "info", "/".join(["b" * 200] * 20) + ".h5", says="bbb")  # 4096 characters and more
    refuse(4, "info", "c" * 100000, says="ccc")


# ---- HDF5 that reaches elsewhere, or promises too much ----

def hostile(path, make, **options):
    with h5py.File(path, "w", **options) as file:
        make(file)
    return path


def external_link(f):
    f["images"] = h5py.ExternalLink("/etc/passwd", "/images")


def external_link_to_a_stack(f):
    f["images"] = h5py.ExternalLink("secret.h5", "/images")


def external_raw_file(f):
    f.create_dataset("images", (1, 8, 8), "u1", external=[("/etc/passwd", 0, 64)])


def virtual(f):
    layout = h5py.VirtualLayout((4, 64, 64), "u1")
    layout[:] = h5py.VirtualSource("secret.h5", "images", (4, 64, 64))
    f.create_virtual_dataset("images", layout)


def cyclic(f):
    f["images"] = h5py.SoftLink("/other")
    f["other"] = h5py.SoftLink("/images")


def lzf(f):
    f.create_dataset("images", data=head_slices(2), compression="lzf")


def promises(f):
    f.create_dataset("images", (1 << 20, 1024, 1024), "f4", chunks=(1, 1024, 1024), compression="gzip")[0] = 1


def overflow(f):
    f.create_dataset("images", (1 << 60, 1 << 60, 1), "u1", chunks=(1, 1024, 1))


def text(f):
    f["images"] = np.full((2, 4, 4), "x", h5py.string_dtype())


def ragged(f):
    f.create_dataset("images", (2, 4, 4), h5py.vlen_dtype("u1"))


def compound(f):
    f["images"] = np.zeros((2, 4, 4), [("a", "f4"), ("b", "f8")])


def complex_numbers(f):
    f["images"] = np.zeros((2, 4, 4), "c8")


def bomb(f):  # 256 MiB in a quarter of one
    f.create_dataset("images", (16, 4096, 4096), "u1", chunks=(1, 4096, 4096), compression="gzip", compression_opts=9)
    chunk = zlib.compress(bytes(4096 * 4096), 9)
    for i in range(16):
        f["images"].id.write_direct_chunk((i, 0, 0), chunk)


def short_chunk(f):  # a chunk that unpacks to less than it should
    f.create_dataset("images", (2, 64, 64), "u1", chunks=(1, 64, 64), compression="gzip")
    for i in range(2):
        f["images"].id.write_direct_chunk((i, 0, 0), zlib.compress(bytes(100)))


@pytest.mark.parametrize("make", [external_link, external_link_to_a_stack, external_raw_file, virtual, cyclic, lzf, promises, overflow, text,
                                  ragged, compound, complex_numbers])
@pytest.mark.parametrize("command", ["info", "inpaint", "score", "prepare"])
def test_hostile_hdf5(model, tmp_path, make, command):
    make_stack(tmp_path / "secret.h5")
    path = hostile(tmp_path / "h.h5", make)
    out = ["--out", tmp_path / "o.h5"]
    refuse(3, *{"info": ["info", path], "inpaint": ["inpaint", "--model", model, "--in", path, *out],
                "score": ["score", "--target", path, "--output", path], "prepare": ["prepare", path, *out]}[command], says="h.h5")
    assert not (tmp_path / "o.h5").exists()


@pytest.mark.parametrize("filter_number", [32015, 32000, 305, 65535])
def test_filters_that_are_not_built_in(tmp_path, filter_number):
    """32015 is Zstandard; the number in the file is changed, and no plugin is looked for."""
    path = make_stack(tmp_path / "f.h5")
    with h5py.File(path, "w") as file:
        file.create_dataset("images", data=head_slices(2), chunks=(1, 64, 64), shuffle=True, compression="gzip")
    data, deflate = path.read_bytes(), struct.pack("<HHHH", 1, 8, 1, 1)  # H5Z_FILTER_DEFLATE with an 8-byte name, optional, one value
    assert data.count(deflate) == 1
    path.write_bytes(data.replace(deflate, struct.pack("<HHHH", filter_number, 8, 1, 1)))
    refuse(3, "info", path, says=[f"filter {filter_number}", "h5repack"], env={**os.environ, "HDF5_PLUGIN_PATH": str(tmp_path)})


def test_what_lies_beside_the_slices_is_not_followed(model, tmp_path):
    """Links elsewhere, groups in a circle: left out of the copy with a warning, or refused, but never read."""
    make_stack(tmp_path / "secret.h5")

    def make(f):
        f["images"] = head_slices(2)
        f["out"] = h5py.ExternalLink("secret.h5", "/images")

    refuse(3, "inpaint", "--model", model, "--in", hostile(tmp_path / "l.h5", make), "--out", tmp_path / "o.h5", says=["out", "external link"])

    def circle(f):
        f["images"] = head_slices(2)
        f["group/again"] = f["/"]

    refuse(3, "inpaint", "--model", model, "--in", hostile(tmp_path / "c.h5", circle), "--out", tmp_path / "o.h5", says="circle")
    assert not (tmp_path / "o.h5").exists()


def test_a_bomb_takes_a_slice_of_memory_at_a_time(tmp_path):
    path = hostile(tmp_path / "b.h5", bomb)
    assert path.stat().st_size < 512 << 10
    ended = Ended(["info", path, "--json"])
    assert ended.code == 0, ended.err
    assert ended.memory < 384 << 20  # the slice, as numbers too, and the program


@pytest.mark.parametrize("length", [9, 1 << 20, 1 << 29, (1 << 31) - 1, (1 << 32) - 1])
def test_texts_of_forged_length(tmp_path, length):
    """HDF5 1.10 takes as much memory as a text says it needs: a find of test_mutants.py."""
    def make(f):
        f["images"] = head_slices(2)
        f["subject"] = ["a", "longer"]

    path = hostile(tmp_path / "t.h5", make)
    data = path.read_bytes()
    heap = data.index(b"GCOL")
    said = struct.pack("<IQ", len("longer"), heap)
    assert data.count(said) == 1
    path.write_bytes(data.replace(said, struct.pack("<IQ", length, heap)))
    ended = Ended(["info", path])
    assert ended.code in (0, 3) and ended.problem() is None, (ended.err, ended.memory)


def test_a_chunk_that_is_too_short(tmp_path):
    ended = Ended(["info", hostile(tmp_path / "s.h5", short_chunk)])
    assert ended.code in (0, 3), ended.err


def test_a_hundred_thousand_groups(model, tmp_path):
    """A million in a soak."""
    def make(f):
        f["images"] = head_slices(1, 96)
        for i in range(min(100_000 * FACTOR, 1_000_000)):
            f.create_group(f"g{i}")

    path = hostile(tmp_path / "g.h5", make, libver="latest")
    ended = Ended(["info", path])
    assert ended.code == 0 and ended.memory < 1 << 30
    refuse(3, "inpaint", "--model", model, "--in", path, "--out", tmp_path / "o.h5", says="too many groups")


def test_what_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "fifo.h5")
    for path in [tmp_path / "fifo.h5", "/dev/null", "/dev/zero", tmp_path]:
        assert run("info", path).code in (3, 4)
        assert run("score", "--target", path, "--output", path).code in (3, 4)
    (tmp_path / "empty.h5").write_bytes(b"")
    refuse(3, "info", tmp_path / "empty.h5", says="empty.h5")
    (tmp_path / "loop.h5").symlink_to(tmp_path / "loop.h5")
    refuse(4, "info", tmp_path / "loop.h5", says="loop.h5")


# ---- Volumes ----

def header(path, offset, kind, *values):
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(struct.pack("<" + kind, *values))


DIM, DATATYPE, PIXDIM, VOX_OFFSET, SLOPE, QFORM, SFORM, SROW = 40, 70, 76, 108, 112, 252, 254, 280
HEADERS = {
    "rank_negative": (DIM, "h", -50), "rank_200": (DIM, "h", 200), "rank_0": (DIM, "h", 0), "side_negative": (DIM + 2, "h", -5),
    "side_0": (DIM + 4, "h", 0), "sides_largest": (DIM, "8h", 7, *[32767] * 7), "sides_100_GB": (DIM, "4h", 3, 32767, 32767, 100),
    "type_0": (DATATYPE, "h", 0), "type_rgb": (DATATYPE, "h", 128), "type_complex": (DATATYPE, "h", 32), "type_f128": (DATATYPE, "h", 1536),
    "offset_negative": (VOX_OFFSET, "f", -352), "offset_nan": (VOX_OFFSET, "f", np.nan), "offset_huge": (VOX_OFFSET, "f", 1e30),
    "offset_0": (VOX_OFFSET, "f", 0), "affine_nan": (SROW, "f", np.nan), "affine_inf": (SROW + 16, "f", np.inf), "affine_0": (SROW, "12f", *[0] * 12),
    "header_size": (0, "i", 347), "inter_nan": (SLOPE, "2f", 2, np.nan),
}


@pytest.mark.parametrize("name", HEADERS)
@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_forged_headers(tmp_path, name, ending):
    path = make_volume(tmp_path / "v.nii")
    header(path, *HEADERS[name])
    if ending == ".nii.gz":
        (tmp_path / "v.nii.gz").write_bytes(gzip.compress(path.read_bytes()))
    for command in (["info"], ["prepare", "--out", tmp_path / "o.h5"]):
        refuse(3, command[0], tmp_path / ("v" + ending), *command[1:], says="v.nii")


def test_a_slope_that_is_no_number_is_none(tmp_path):
    path = make_volume(tmp_path / "v.nii")
    plain = succeed("info", path, "--json").json
    header(path, SLOPE, "f", np.nan)
    assert succeed("info", path, "--json").json == plain


def test_gzip_bombs(tmp_path):
    """A header that fits what is promised, and one that does not; nothing is unpacked beyond it."""
    path = tmp_path / "b.nii.gz"
    good = nibabel.Nifti1Image(np.zeros((4, 4, 4), "u1"), np.eye(4)).to_bytes()
    with gzip.open(path, "wb", 6) as out:
        out.write(good)
        for _ in range(32):
            out.write(bytes(16 << 20))  # 512 MiB behind the voxels
    assert path.stat().st_size < 2 << 20
    ended = Ended(["info", path])
    assert ended.code in (0, 3) and ended.memory < 256 << 20, ended.err
    promised = bytearray(good[:352])
    struct.pack_into("<4h", promised, DIM, 3, 30000, 30000, 1000)
    path.write_bytes(gzip.compress(bytes(promised)))
    ended = Ended(["info", path])
    assert ended.code == 3 and ended.memory < 256 << 20, ended.err


@pytest.mark.parametrize("dtype", [">i2", "<i2", ">f4", ">f8", "u1", ">u4"])
def test_volumes_of_either_byte_order_come_back(model, tmp_path, dtype):
    values = np.moveaxis(head_slices(3, 40), 0, -1).astype(dtype)
    image = nibabel.Nifti1Image(values.astype(np.dtype(dtype).newbyteorder("=")), np.diag([1, 1, 2, 1]))
    if dtype.startswith(">"):
        image = nibabel.Nifti1Image(values, np.diag([1, 1, 2, 1]), nibabel.Nifti1Header(endianness=">"))
    image.to_filename(tmp_path / "v.nii")
    succeed("inpaint", "--model", model, "--in", tmp_path / "v.nii", "--out", tmp_path / "o.nii")
    change = stored(tmp_path / "o_change.nii.gz")
    before, after = stored(tmp_path / "v.nii"), stored(tmp_path / "o.nii")
    assert before.dtype == after.dtype and (before == after)[change == 0].all()


def test_extremes_of_a_volume(model, tmp_path):
    values = np.array([-32768, 32767], "i2")[np.arange(40 * 40 * 2) % 2].reshape(40, 40, 2)
    make_volume(tmp_path / "v.nii", values)
    succeed("inpaint", "--model", model, "--in", tmp_path / "v.nii", "--out", tmp_path / "o.nii", "--composite", "none")
    assert stored(tmp_path / "o.nii").dtype == np.int16


# ---- The child process ----

def test_a_child_ends_with_its_parent(tmp_path):
    """Killed in the middle of reading, the program leaves no process behind."""
    path = hostile(tmp_path / "b.h5", bomb)
    for _ in range(3):
        process = subprocess.Popen([BINARY, "info", path], stdout=subprocess.DEVNULL)
        children = []
        for _ in range(2000):
            found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(process.pid)], capture_output=True, text=True).stdout.split()
            if found or process.poll() is not None:
                children = [int(pid) for pid in found]
                break
        process.send_signal(signal.SIGKILL)
        process.wait()
        until = time.monotonic() + 60
        while any(os.path.exists(f"/proc/{pid}") and open(f"/proc/{pid}/stat").read().split()[2] != "Z" for pid in children):
            assert time.monotonic() < until, "a reader outlived its parent"
            time.sleep(0.01)
