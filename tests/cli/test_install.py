"""cmake --install: what it puts where, and that a bundled folder works wherever it is moved, in an empty environment."""
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from conftest import BINARY, head_slices, make_stack
from inpaint_case import TINY

BUILD = pathlib.Path(BINARY).parents[1]


def install(prefix, *more):
    subprocess.run(["cmake", "--install", BUILD, "--prefix", prefix, *more], check=True, capture_output=True, text=True)


@pytest.fixture(scope="module")
def moved(tmp_path_factory):
    """Installed to one folder, with its libraries where that can be, and moved to another."""
    folder = tmp_path_factory.mktemp("install")
    install(folder / "first")
    needs = subprocess.run(["ldd", BINARY], capture_output=True, text=True, check=True).stdout
    bundled = shutil.which("dpkg-query") and "libcudart" not in needs  # NVIDIA's libraries are not Debian's
    if bundled:
        install(folder / "first", "--component", "bundle")
    (folder / "first").rename(folder / "second")
    return folder / "second", bool(bundled)


def call(prefix, *arguments):
    done = subprocess.run([prefix / "bin/ipamedgan", *map(str, arguments)], env={}, cwd="/", capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_everything_is_there(moved):
    prefix, _ = moved
    share = prefix / "share"
    for name in ["ipamedgan/presets/paper.toml", "ipamedgan/scripts/get-vgg19", "doc/ipamedgan/LICENSE", "doc/ipamedgan/README.md",
                 "doc/ipamedgan/docs/user_guide.md", "doc/ipamedgan/third_party/README.md", "man/man1/ipamedgan.1",
                 "bash-completion/completions/ipamedgan", "zsh/site-functions/_ipamedgan", "fish/vendor_completions.d/ipamedgan.fish"]:
        assert (share / name).stat().st_size > 100, name
    assert os.access(share / "ipamedgan/scripts/get-vgg19", os.X_OK)
    assert (share / "man/man1/ipamedgan.1").read_text() == call(prefix, "man")


def test_it_works_where_it_was_moved_to(moved, tmp_path):
    prefix, _ = moved
    assert f"{prefix.resolve()}/share/ipamedgan/scripts/get-vgg19" in call(prefix, "doctor")
    make_stack(tmp_path / "s.h5", head_slices(4, 96))
    call(prefix, "train", "--run", tmp_path / "r", "--train", tmp_path / "s.h5", *TINY, "--steps", 1, "--device", "cpu", "--threads", 1)
    call(prefix, "inpaint", "--model", tmp_path / "r", "--in", tmp_path / "s.h5", "--out", tmp_path / "o.h5", "--device", "cpu", "--threads", 1)
    assert "4 slices of 96x96" in call(prefix, "info", tmp_path / "o.h5")


def test_nothing_but_the_c_library_comes_from_the_system(moved):
    prefix, bundled = moved
    if not bundled:
        pytest.skip("not from Debian's packages alone")
    needs = subprocess.run(["ldd", prefix / "bin/ipamedgan"], env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=True)
    elsewhere = {m[1] for m in re.finditer(r"^\s+(\S+) => (\S+)", needs.stdout, re.M) if not m[2].startswith(str(prefix))}
    assert elsewhere <= {f"lib{name}.so.{n}" for name, n in [("c", 6), ("m", 6), ("dl", 2), ("rt", 1), ("pthread", 0), ("resolv", 2)]}


def test_the_licences_go_along(moved):
    prefix, bundled = moved
    if not bundled:
        pytest.skip("not from Debian's packages alone")
    doc = prefix / "share/doc/ipamedgan"
    notice = (doc / "NOTICE").read_text()
    named = {name for line in re.findall(r"^    files   (.*)$", notice, re.M) for name in line.split()}
    libraries = [p for p in (prefix / "lib/ipamedgan").iterdir() if p.name != "ipamedgan_mpi.so"]
    assert {"libdnnl.so.2", "libgomp.so.1", "libfmt.so.9"} <= named <= {p.name for p in libraries}
    reached = {(prefix / "lib/ipamedgan" / name).resolve() for name in named}
    assert {p.resolve() for p in libraries} == reached  # none without a line
    for package in re.findall(r"^(\S+)$", notice, re.M):
        assert (doc / "licences" / package).stat().st_size > 100
    assert len(re.findall(r"^    source  \S+ \S+$", notice, re.M)) == len(list((doc / "licences").iterdir()))
