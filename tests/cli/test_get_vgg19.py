"""scripts/get-vgg19 with local files: right and wrong sums, files already there; needs no network but 127.0.0.1."""
import functools
import hashlib
import http.server
import os
import pathlib
import shutil
import subprocess
import threading

import pytest

SCRIPT = pathlib.Path(__file__).parents[2] / "scripts/get-vgg19"
NAME = "vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5"
CONTENT = b"weights " * 1000
SUM = hashlib.md5(CONTENT).hexdigest()


@pytest.fixture
def mirror(tmp_path):
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror/weights file.h5").write_bytes(CONTENT)
    return f"file://{tmp_path}/mirror/weights file.h5"


def get(code, *arguments, **environment):
    done = subprocess.run([SCRIPT, *map(str, arguments)], capture_output=True, text=True, timeout=60, env={**os.environ, **environment})
    assert done.returncode == code, done.stderr
    assert ("get-vgg19: error: " in done.stderr) == (code != 0)
    return done.stdout if code == 0 else done.stderr.strip().splitlines()[-1]


def test_a_right_file_lands_where_train_looks(mirror, tmp_path):
    said = get(0, "--url", mirror, "--md5", SUM, XDG_CACHE_HOME=str(tmp_path / "cache"))
    goal = tmp_path / "cache/ipamedgan" / NAME
    assert goal.read_bytes() == CONTENT and str(goal) in said and os.listdir(goal.parent) == [NAME]
    get(0, "--url", mirror, "--md5", SUM.upper(), HOME=str(tmp_path / "home"), XDG_CACHE_HOME="")
    assert (tmp_path / "home/.cache/ipamedgan" / NAME).read_bytes() == CONTENT


def test_a_wrong_sum_leaves_nothing(mirror, tmp_path):
    message = get(3, "--url", mirror, "--out", tmp_path / "cache/v.h5")  # against the published sum
    assert SUM in message and "253f8cb515780f3b799900260a226db6" in message and "mirror" in message
    assert os.listdir(tmp_path / "cache") == []


def test_what_is_there_and_right_is_left_alone(mirror, tmp_path):
    goal = tmp_path / "v.h5"
    goal.write_bytes(CONTENT)
    before = goal.stat().st_mtime_ns
    assert "already" in get(0, "--url", "file:///nowhere", "--md5", SUM, "--out", goal)
    assert goal.stat().st_mtime_ns == before


def test_what_is_there_and_wrong_is_named_and_kept(mirror, tmp_path):
    goal = tmp_path / "v.h5"
    goal.write_bytes(b"something of mine")
    assert "remove it" in get(3, "--url", mirror, "--md5", SUM, "--out", goal)
    assert goal.read_bytes() == b"something of mine"
    assert "no file" in get(4, "--url", mirror, "--md5", SUM, "--out", tmp_path)


def test_a_source_that_is_not_there(tmp_path):
    message = get(4, "--url", f"file://{tmp_path}/none.h5", "--out", tmp_path / "v.h5")
    assert "none.h5" in message and "--url" in message and os.listdir(tmp_path) == []


def test_a_folder_that_cannot_be_made(mirror, tmp_path):
    (tmp_path / "file").write_text("")
    assert "cannot make the folder" in get(4, "--url", mirror, "--md5", SUM, "--out", tmp_path / "file/v.h5")


@pytest.mark.parametrize("arguments, says", [(["--md5"], "--md5 needs a value"), (["--md5", "123"], "32 hexadecimal"),
                                             (["--uri", "x"], "unknown option --uri"), (["v.h5"], "unknown option v.h5")])
def test_usage_errors(arguments, says):
    assert says in get(2, *arguments)


def test_help_names_every_option_and_the_defaults():
    said = get(0, "--help")
    for words in ["--url", "--md5", "--out", "file://", NAME, "253f8cb515780f3b799900260a226db6"]:
        assert words in said


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.mark.parametrize("tool", ["curl", "wget"])
def test_over_http(mirror, tmp_path, tool):
    """With only one of the two in reach."""
    if not shutil.which(tool):
        pytest.skip(f"{tool} is not installed")
    (tmp_path / "bin").mkdir()
    for name in ["bash", "env", "cat", "md5sum", "cut", "mkdir", "dirname", "rm", "mv", "chmod", "cp", tool]:
        (tmp_path / "bin" / name).symlink_to(shutil.which(name))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=tmp_path / "mirror")) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        environment = {"PATH": str(tmp_path / "bin"), "no_proxy": "127.0.0.1", "NO_PROXY": "127.0.0.1"}
        get(0, "--url", f"{url}/weights%20file.h5", "--md5", SUM, "--out", tmp_path / "v.h5", **environment)
        assert (tmp_path / "v.h5").read_bytes() == CONTENT
        assert "none.h5" in get(4, "--url", f"{url}/none.h5", "--out", tmp_path / "w.h5", **environment)
        server.shutdown()
    assert sorted(os.listdir(tmp_path)) == ["bin", "mirror", "v.h5"]
