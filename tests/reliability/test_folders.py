"""Folders and files that are not as one hopes: in use, read-only, missing, full, links, devices, changed while they are read."""
import os
import resource
import shutil
import signal
import subprocess

import h5py
import numpy as np
import pytest

from runs import FACTOR, Faults, begin, count, head_slices, leftovers, make_data, make_stack, random, refuse, run, same_run, succeed, train


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = make_data(tmp_path_factory.mktemp("folders"))
    succeed(*train(folder, folder / "run", 2, every=2, validate=2))
    succeed(*train(folder, folder / "whole", 4, every=2, validate=2))
    return folder


def inpaint(made, source, goal, *more):
    return ["inpaint", "--model", made / "run", "--in", source, "--out", goal, "--threads", 1, *more]


def test_of_several_processes_in_one_run_folder_one_trains(made, tmp_path):
    """Begun at once, in a folder that no one has made yet."""
    command = train(made, tmp_path / "r", 4, every=2, validate=2)
    for _ in range(FACTOR):
        shutil.rmtree(tmp_path / "r", ignore_errors=True)
        processes = [begin(command, stderr=-1) for _ in range(4)]
        errors = [p.communicate()[1] for p in processes]
        codes = sorted(p.returncode for p in processes)
        # One that comes late finds the run at its end.
        assert set(codes) == {0, 4} or set(codes) == {0}, errors
        for process, error in zip(processes, errors):
            assert process.returncode == 0 or "the run folder is in use by" in error.splitlines()[-1]
        same_run(tmp_path / "r", made / "whole", 4)
        count("races for a run folder")


def test_a_run_folder_whose_holder_is_stopped_is_refused(made, tmp_path):
    command = train(made, tmp_path / "r", 1_000_000)
    process = begin(command, stderr=-1)
    process.stderr.readline()
    process.send_signal(signal.SIGSTOP)
    refuse(4, *command, says=f"process {process.pid}")
    process.kill()
    process.wait()


def as_nobody(*command, **options):
    """Root may write everywhere."""
    if os.geteuid() == 0:
        options |= {"user": 65534, "group": 65534, "extra_groups": []}
    return run(*command, **options)


def test_read_only_and_missing_folders(made, tmp_path):
    for folder in [tmp_path, *tmp_path.parents[:-2], made]:  # what pytest makes is private
        folder.chmod(0o755)
    for folder in made.parents[:-2]:
        folder.chmod(0o755)
    if as_nobody("info", made / "val.h5").code:
        pytest.skip("the build folder is closed to other users")
    locked = tmp_path / "locked"
    shutil.copytree(made / "run", locked)
    locked.chmod(0o555)
    for command in (train(made, locked, 4), train(made, locked / "new", 4), inpaint(made, made / "val.h5", locked / "o.h5")):
        outcome = as_nobody(*command)
        assert outcome.code == 4 and str(locked) in outcome.last and "Permission denied" in outcome.last, outcome.err
    refuse(4, *inpaint(made, made / "val.h5", tmp_path / "none/o.h5"), says="none")
    refuse(4, *train(made, made / "val.h5", 4), says="val.h5")


def limited(bytes_):
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_, bytes_))


@pytest.mark.parametrize("limit", [0, 500, 20_000, 1_000_000])
def test_a_limit_on_the_size_of_files(made, tmp_path, limit):
    """A shell's limit comes as a signal, SIGXFSZ, which must not end the process halfway."""
    shutil.copytree(made / "run", tmp_path / "r")
    refuse(4, *train(made, tmp_path / "r", 4, "--quiet", every=2, validate=2), says=str(tmp_path / "r"), preexec_fn=limited(limit))
    succeed(*train(made, tmp_path / "r", 4, every=2, validate=2))
    same_run(tmp_path / "r", made / "whole", 4)
    (tmp_path / "o.h5").write_bytes(b"old")
    refuse(4, *inpaint(made, made / "val.h5", tmp_path / "o.h5", "--force"), says="o.h5", preexec_fn=limited(min(limit, 2000)))
    assert (tmp_path / "o.h5").read_bytes() == b"old" and not leftovers(tmp_path)


def test_a_full_file_system(made, tmp_path):
    """A small one of its own, where the system allows to mount it."""
    script = 'mount -t tmpfs -o size=9m none "$0" && cp "$1"/run/* "$0" && shift && "$@"; code=$?; cp -r "$0"/. "$OUT"; exit $code'
    out = tmp_path / "out"
    out.mkdir()
    (tmp_path / "small").mkdir()
    if subprocess.run(["unshare", "-rm", "mount", "-t", "tmpfs", "none", tmp_path / "small"], capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    command = [os.environ["IPAMEDGAN"], *map(str, train(made, tmp_path / "small", 4, "--quiet", every=2, validate=2))]
    done = subprocess.run(["unshare", "-rm", "sh", "-c", script, tmp_path / "small", made, *command], text=True, capture_output=True,
                          env={**os.environ, "OUT": str(out)})
    assert done.returncode == 4 and "No space left on device" in done.stderr.splitlines()[-1], done.stderr
    assert not leftovers(out)
    succeed(*train(made, out, 4, every=2, validate=2))
    same_run(out, made / "whole", 4)


def test_outputs_that_are_folders_devices_and_links(made, tmp_path):
    (tmp_path / "d").mkdir()
    for goal in (tmp_path / "d", "/dev/full", "/dev/null"):
        for more in ([], ["--force"]):
            refuse(4, *inpaint(made, made / "val.h5", goal, *more), says=str(goal))
    os.mkfifo(tmp_path / "pipe")
    refuse(4, *inpaint(made, made / "val.h5", tmp_path / "pipe", "--force"), says="pipe")
    (tmp_path / "link.h5").symlink_to("d/o.h5")
    succeed(*inpaint(made, made / "val.h5", tmp_path / "link.h5"))
    assert (tmp_path / "link.h5").is_symlink() and (tmp_path / "d/o.h5").is_file()
    refuse(2, *inpaint(made, made / "val.h5", tmp_path / "link.h5"), says="--force")
    (tmp_path / "runs").symlink_to("d")
    succeed(*train(made, tmp_path / "runs", 1))
    assert (tmp_path / "d/checkpoint_1.h5").exists()
    with open("/dev/full", "w") as full:
        done = subprocess.run([os.environ["IPAMEDGAN"], "info", made / "val.h5"], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 4 and "standard output" in done.stderr


def make_long(path, seed):
    return make_stack(path, np.random.default_rng(seed).integers(1, 255, (40, 96, 96)).astype(np.uint8))


@pytest.mark.parametrize("change", ["replaced", "removed", "cut", "overwritten"])
def test_a_stack_changed_while_it_is_read(made, tmp_path, change):
    """inpaint reads as it goes. It keeps the file it opened; one cut short or written over in place is an error or noticed
    damage, or too late to matter: nothing crashes, and what exits with 0 is whole."""
    source, goal = make_long(tmp_path / "s.h5", 0), tmp_path / "o.h5"
    make_long(tmp_path / "other.h5", 1)
    expected = tmp_path / "expected.h5"
    succeed(*inpaint(made, source, expected, "--batch", 1))
    rng = random(change)
    for _ in range(2 * FACTOR):
        make_long(source, 0)
        goal.unlink(missing_ok=True)
        process = begin(inpaint(made, source, goal, "--batch", 1), stderr=-1)
        after = int(rng.integers(1, 20))
        for line in process.stderr:
            after -= "inpaint " in line
            if after == 0:
                if change == "replaced":
                    shutil.copy(tmp_path / "other.h5", tmp_path / "new.h5")
                    os.rename(tmp_path / "new.h5", source)
                elif change == "removed":
                    source.unlink()
                else:
                    with open(source, "r+b") as file:
                        file.truncate(int(rng.integers(source.stat().st_size))) if change == "cut" else file.write(bytes(source.stat().st_size))
        code = process.wait()
        assert code in ([0] if change in ("replaced", "removed") else [0, 3, 4]), (change, code)
        assert goal.exists() == (code == 0) and not leftovers(tmp_path)
        if code == 0 and change in ("replaced", "removed"):
            with h5py.File(goal) as one, h5py.File(expected) as other:
                assert (one["images"][()] == other["images"][()]).all()
        count("stacks changed while they were read")


@pytest.mark.parametrize("n", [1, 3, 10, 40])
def test_a_disk_that_fails_in_reading(made, tmp_path, n):
    (tmp_path / "in").mkdir()
    make_stack(tmp_path / "in/s.h5", head_slices(4, 96))
    outcome, _, file = Faults(tmp_path / "in").run(inpaint(made, tmp_path / "in/s.h5", tmp_path / "o.h5"), "read", n, "EIO")
    assert outcome.code == 0 if file is None else outcome.code in (3, 4) and "s.h5" in outcome.last, outcome.err
    assert (tmp_path / "o.h5").exists() == (outcome.code == 0) and not leftovers(tmp_path)
