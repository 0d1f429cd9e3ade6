"""completion and man: what a bash offers at its prompt, that zsh, fish and roff take theirs."""
import os
import pathlib
import pty
import re
import select
import shutil
import subprocess
import time

import pytest

from conftest import BINARY, refuse, succeed
from test_command_line import COMMANDS

SHELLS = ["bash", "zsh", "fish"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where one completes: files of several kinds, and the program in PATH."""
    folder = tmp_path_factory.mktemp("completion")
    for name in ["a.h5", "b.toml", "notes.txt", "scan.nii.gz", "with space.h5"]:
        (folder / name).write_text("")
    (folder / "runs").mkdir()
    for shell in SHELLS:
        (folder / f"script.{shell}").write_text(succeed("completion", shell).out)
    return folder


def offered(folder, line):
    """What bash's completion function offers for the last word of `line`, split as readline splits it."""
    words = re.findall(r"=|[^\s=]+", line) + ([""] if line.endswith(" ") else [])
    call = "source script.bash; complete -p ipamedgan >/dev/null || exit 9; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); _ipamedgan; printf '%s\\n' \"${COMPREPLY[@]}\""
    done = subprocess.run(["bash", "--norc", "-uc", call, "bash", *words], cwd=folder, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return [w for w in done.stdout.splitlines() if w]


def test_commands_and_options(folder):
    assert offered(folder, "ipamedgan tr") == ["train"] and offered(folder, "ipamedgan co") == ["corrupt", "completion"]
    assert set(COMMANDS) <= set(offered(folder, "ipamedgan "))
    assert offered(folder, "ipamedgan train --pre") == ["--preset"]
    for command in COMMANDS:
        told = set(re.findall(r"^ +(?:-\w,)?(--[a-z-]+)", succeed(command, "--help").out, re.M))
        assert set(offered(folder, f"ipamedgan {command} -")) == told


def test_presets_settings_and_choices(folder):
    assert offered(folder, "ipamedgan train --preset ") == ["demo", "hour", "paper", "practical"]
    assert offered(folder, "ipamedgan info --preset=pr") == ["practical"]
    keys = [k + "=" for k in succeed("info", "--json").json["settings"]]
    assert offered(folder, "ipamedgan train --run r --set ") == keys
    assert offered(folder, "ipamedgan import --set net.w") == ["net.width="]
    assert offered(folder, "ipamedgan train --set net.residual=") == ["true", "false"]
    assert offered(folder, "ipamedgan train --set net.width=") == [] == offered(folder, "ipamedgan train --set net.width=3")
    assert offered(folder, "ipamedgan masks --kind ") == ["square", "arbitrary", "mixed"]
    assert offered(folder, "ipamedgan inpaint --composite m") == ["mask"]
    assert offered(folder, "ipamedgan completion ") == SHELLS
    assert offered(folder, "ipamedgan evaluate --device c") == ["cpu", "cuda"]
    assert offered(folder, "ipamedgan train --steps ") == []


def test_files_by_their_endings(folder):
    everything = sorted(os.listdir(folder))
    assert offered(folder, "ipamedgan train --train ") == ["a.h5", "runs", "with space.h5"]
    assert offered(folder, "ipamedgan train --config ") == ["b.toml", "runs"]
    assert offered(folder, "ipamedgan train --run ") == ["runs"]
    assert offered(folder, "ipamedgan inpaint --in ") == ["a.h5", "runs", "scan.nii.gz", "with space.h5"]
    assert offered(folder, "ipamedgan inpaint --model ") == ["a.h5", "runs", "with space.h5"]
    assert sorted(offered(folder, "ipamedgan info ")) == everything == sorted(offered(folder, "ipamedgan prepare x.nii "))
    assert offered(folder, "ipamedgan train --set data.masks=a") == ["a.h5"]


def test_at_a_prompt(folder):
    """A bash on a terminal, and the Tab key."""
    path = f"{pathlib.Path(BINARY).parent}:{os.environ['PATH']}"
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(folder)
        os.execvpe("bash", ["bash", "--norc", "--noprofile", "-i"], {"PATH": path, "PS1": "> ", "TERM": "dumb", "HOME": str(folder)})

    def until(words, seconds=20):
        seen, end = "", time.monotonic() + seconds
        while words not in seen:
            assert time.monotonic() < end, f"{words} never came: {seen}"
            if select.select([terminal], [], [], 0.1)[0]:
                seen += os.read(terminal, 4096).decode()
        return seen

    try:
        until("> ")
        os.write(terminal, b"source script.bash; bind 'set enable-bracketed-paste off'\n")
        until("> ")
        os.write(terminal, b"ipamedgan tra\t--pres\tpr\t--set net.wi\t")
        until("ipamedgan train --preset practical --set net.width=")
        os.write(terminal, b"8 --run ru\tx\x15")
        until("runs/x")
    finally:
        os.write(terminal, b"\x15exit\n")
        os.waitpid(child, 0)
        os.close(terminal)


@pytest.mark.parametrize("shell", SHELLS)
def test_syntax(folder, shell):
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    subprocess.run([shell, "-n", f"script.{shell}"], cwd=folder, check=True, env={**os.environ, "HOME": str(folder)})
    text = (folder / f"script.{shell}").read_text()
    assert all(command in text for command in COMMANDS) and "--shared-subjects" in text.replace("-l ", "--")


def test_fish_offers_the_same(folder):
    if not shutil.which("fish"):
        pytest.skip("fish is not installed")

    def fish(line):
        done = subprocess.run(["fish", "--no-config", "-c", f"source script.fish; complete -C '{line}'"], cwd=folder, text=True,
                              capture_output=True, check=True, env={**os.environ, "HOME": str(folder)})
        return [w.split("\t")[0] for w in done.stdout.splitlines()]

    assert fish("ipamedgan tr") == ["train"] and set(fish("ipamedgan info --preset ")) == {"demo", "hour", "paper", "practical"}
    assert fish("ipamedgan train --set net.w") == ["net.width="] and fish("ipamedgan train --run r") == ["runs/"]


def test_the_manual_page(tmp_path):
    page = succeed("man").out
    plain = page.replace("\\-", "-")
    for command in COMMANDS:
        assert f'.SS "ipamedgan {command}"' in page
        assert all(option in plain for option in re.findall(r"^ +(?:-\w,)?(--[a-z-]+)", succeed(command, "--help").out, re.M))
    for key, value in succeed("info", "--json").json["settings"].items():
        assert f"\\fB{key}\\fR = " in plain
    assert "\\fBnet.width\\fR = 32" in plain and "at least 96 and at most 4096, a multiple of 16" in plain
    (tmp_path / "ipamedgan.1").write_text(page)
    checkers = {"groff": ["-man", "-ww", "-Tutf8", "-z"], "mandoc": ["-Tlint", "-Wwarning"]}
    if not any(shutil.which(tool) for tool in checkers):
        pytest.skip("neither groff nor mandoc is installed")
    for tool, options in checkers.items():
        if shutil.which(tool):
            done = subprocess.run([tool, *options, tmp_path / "ipamedgan.1"], capture_output=True, text=True)
            said = [line for line in (done.stdout + done.stderr).splitlines() if "missing date" not in line]  # a page of no date
            assert said == [], said


def test_usage():
    refuse(2, "completion", says="SHELL is required")
    refuse(2, "completion", "powershell", says=['SHELL has no choice "powershell"', "bash, zsh, fish"])
    refuse(2, "man", "--json", says="--json")
