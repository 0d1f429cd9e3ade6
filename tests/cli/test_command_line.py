"""What holds for every command: help, common options, the form of errors."""
import os
import subprocess

import pytest

from conftest import BINARY, make_stack, refuse, run, succeed

COMMANDS = [line.split()[0] for line in succeed("--help").out.split("Subcommands:\n")[1].split("\n\n")[0].splitlines()]


def test_commands_are_found():
    assert {"prepare", "masks", "corrupt", "score", "info"} <= set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_examples_and_the_common_options(command):
    text = succeed(command, "--help").out
    for words in ["Examples:", f"ipamedgan {command} ", "Research use only", "--json", "--quiet", "--threads", "--device",
                  "--seed", "--force"]:
        assert words in text


def test_version_and_notice():
    assert succeed("--version").out.startswith("ipamedgan ")
    assert "Research use only" in succeed("--help").out


@pytest.mark.parametrize("arguments, says", [
    ([], "no command given"),
    (["mask"], ["unknown command mask", "did you mean masks"]),
    (["xyzzyxyzzy"], "there are "),
    (["--json", "info", "x.h5"], "options stand behind the command"),
    (["info", "--jsn", "x.h5"], ["unknown option --jsn, ipamedgan info", "did you mean --json"]),
    (["info", "a", "b"], ['nothing takes the argument "b"', "see ipamedgan info --help"]),
    (["export"], "--model is required"),
    (["masks", "--kind", "square", "--split", "test"], "--out is required"),
    (["info", "x.h5", "--threads"], "--threads"),
    (["info", "x.h5", "--threads", "two"], '--threads takes an integer, not "two"'),
    (["info", "x.h5", "--threads", "-1"], "--threads -1 is out of range; it takes 0 to 4096"),
    (["info", "x.h5", "--seed", "-1"], "--seed takes an integer from 0"),
    (["info", "x.h5", "--seed", "99999999999999999999999"], "--seed takes an integer"),
    (["info", "x.h5", "--device", "gpu"], '--device has no choice "gpu"'),
    (["info", "x.h5", "--device", "cuda:x"], "--device takes cuda:N"),
    (["info", ""], "FILE is an empty path"),
    (["masks", "--kind", "round", "--split", "test", "--out", "x"], '--kind has no choice "round"'),
    (["masks", "--out", "x", "--out", "y", "--kind", "square", "--split", "test"], "--out"),
])
def test_usage_errors(arguments, says):
    refuse(2, *arguments, says=says)


def test_a_device_that_is_not_there(stack, tmp_path):
    assert succeed("info", stack, "--device", "cpu").code == 0
    for command in (["inpaint", "--in", stack], ["evaluate", "--data", stack, "--masks", stack]):
        refuse(5, *command, "--model", "m.h5", "--out", tmp_path / "o.h5", "--device", "cuda:99", says=["cuda:99", "use --device cpu"])
    refuse(5, "train", "--run", tmp_path / "r", "--train", stack, "--device", "cuda:99", says=["cuda:99", "use --device cpu"])


def test_an_error_is_one_line_even_where_a_name_holds_a_line_break(tmp_path):
    outcome = refuse(4, "info", tmp_path / "a\nb.h5", says="a b.h5")
    assert len(outcome.err.strip().splitlines()) == 1


def test_a_full_disk_behind_standard_output_is_reported(stack):
    with open("/dev/full", "w") as full:
        done = subprocess.run([BINARY, "info", str(stack)], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 4
    assert "standard output" in done.stderr.splitlines()[-1]


def test_quiet_and_json_leave_the_streams_to_the_result(stack, masks, tmp_path):
    outcome = succeed("corrupt", "--in", stack, "--masks", masks, "--out", tmp_path / "c.h5", "--json", "--quiet")
    assert outcome.err == ""
    assert outcome.json["slices"] == 4


def test_progress_goes_to_standard_error_without_control_characters(stack, masks, tmp_path):
    outcome = succeed("corrupt", "--in", stack, "--masks", masks, "--out", tmp_path / "c.h5")
    assert "corrupt 4/4" in outcome.err
    assert "\r" not in outcome.err and "\x1b" not in outcome.err


def test_names_that_are_not_utf8_do_not_break_json(tmp_path):
    path = os.fsencode(tmp_path) + b"/\xff.h5"
    make_stack(tmp_path / "plain.h5")
    os.rename(tmp_path / "plain.h5", path)
    done = subprocess.run([BINARY, "info", path, "--json"], capture_output=True)
    assert done.returncode == 0, done.stderr
    assert b'"kind": "stack"' in done.stdout
