"""Each call that a command makes on files fails, one at a time: the n-th open, read, write, ... of n = 1, 2, 3 until a run
passes without meeting the fault. A command then succeeds, or exits with 4 and names the file; old files are whole; the same
command again makes what a run without faults makes, and nothing is left lying about."""
import shutil

import h5py
import pytest

from runs import (CHECKPOINT_TOOL, FACTOR, Faults, count, head_slices, leftovers, make_data, make_masks, make_volume, random, same_run, sample, succeed,
                  train)

# What may happen to each call, how a kernel may answer it. "+": from that call on, as on a disk that stays full.
ERRORS = [("open", "EACCES"), ("open", "ENOSPC"), ("read", "EIO"), ("write", "ENOSPC"), ("write", "ENOSPC+"), ("write", "EIO"), ("truncate", "EIO"),
          ("sync", "EIO"), ("close", "EIO"), ("rename", "ENOSPC"), ("unlink", "EIO")]
HARMLESS = [("read", "EINTR"), ("read", "short"), ("read", "short+"), ("write", "short"), ("write", "short+"), ("sync", "EINTR")]
INTERRUPTED = [("open", "EINTR"), ("write", "EINTR")]  # no local file system answers so; zlib and HDF5 do not try again
KILLS = [(call, "kill") for call in ("open", "write", "truncate", "sync", "close", "rename", "unlink")] + [("write", "torn")]
EVERY = ERRORS + HARMLESS + INTERRUPTED + KILLS


def inject(faults, command, call, n, action):
    """(outcome, file of the fault), having checked that the answer is one of those allowed."""
    at = f"{n}+" if action.endswith("+") else n
    outcome, _, file = faults.run(command, call, at, action.rstrip("+"))
    where = f"{call} {at} {action} on {file}: {outcome.code}, {outcome.err}"
    if file is None or (call, action) in HARMLESS:
        assert outcome.code == 0, where
    elif (call, action) in KILLS:
        assert outcome.code == -9, where
    else:
        allowed = [0, 4] + [3] * (call == "read")  # a library may take what it cannot read for damage
        assert outcome.code in allowed, where
        if outcome.code:
            assert outcome.last.startswith("ipamedgan: error: ") and str(faults.under) in outcome.last, where
    return outcome, file


def test_every_call_of_saving_a_checkpoint(tmp_path):
    folder, old = tmp_path / "run", tmp_path / "old.h5"
    folder.mkdir()
    faults, sound = Faults(folder, CHECKPOINT_TOOL), Faults(tmp_path / "nowhere", CHECKPOINT_TOOL)
    goal = folder / "c.h5"
    assert sound.run(["write", old, 1])[0].code == 0
    shutil.copy(old, goal)
    totals = faults.totals(["write", goal, 2])
    assert totals["sync"] == 2 and totals["rename"] == 1 and totals["write"] > 10 and totals["read"] > 0
    for call, action in EVERY:
        for n in range(1, totals.get(call, 0) + 2):
            shutil.copy(old, goal)
            outcome, file = inject(faults, ["write", goal, 2], call, n, action)
            assert (file is None) == (n > totals.get(call, 0)), (call, n, action)
            seen = sound.run(["read", goal])[0]
            assert seen.code == 0 and seen.out in (["2\n"] if outcome.code == 0 else ["1\n", "2\n"]), (call, n, action, seen.err)
            if leftovers(folder):
                assert outcome.code == -9 or call == "unlink", (call, n, action)
                assert sound.run(["write", goal, 3])[0].code == 0 and sound.run(["read", goal])[0].out == "3\n"
                assert not leftovers(folder), (call, n, action)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Data and a run of four steps, to go on from."""
    folder = make_data(tmp_path_factory.mktemp("made"))
    succeed(*train(folder, folder / "run", 4, every=2, validate=2))
    succeed(*train(folder, folder / "whole", 6, every=2, validate=2))
    make_masks(folder / "masks.h5", size=96)
    make_volume(folder / "v.nii.gz", head_slices(2, 96).transpose(1, 2, 0).astype("int16"))
    succeed("export", "--model", folder / "run", "--out", folder / "w.safetensors")
    return folder


def chosen(totals, most, rng):
    for call, action in EVERY:
        for n in sample(totals.get(call, 0), most, rng):
            yield call, n, action


def test_train(made, tmp_path):
    """Goes on from step 4 and saves step 6, with validation, a best checkpoint, and an old one to remove."""
    folder, rng = tmp_path / "run", random("train")
    command = train(made, folder, 6, "--quiet", every=2, validate=2)
    shutil.copytree(made / "run", folder)
    faults = Faults(folder)
    totals = faults.totals(command)
    for call, n, action in chosen(totals, FACTOR, rng):
        shutil.rmtree(folder)
        shutil.copytree(made / "run", folder)
        inject(faults, command, call, n, action)
        succeed(*command)
        same_run(folder, made / "whole", 6)


def test_an_import_over_a_run_keeps_it_until_the_new_one_is_safe(made, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(made / "run", folder)
    command = ["import", "--weights", made / "w.safetensors", "--run", folder, "--preset", "demo", "--set", "net.width=4", "--set", "net.disc_width=4",
               "--force"]
    outcome, _, file = Faults(folder).run(command, "write", "100+", "ENOSPC")
    assert outcome.code == 4 and "checkpoint_0.h5" in file
    assert summary(folder / "checkpoint_4.h5") == summary(made / "run/checkpoint_4.h5") and summary(folder / "best.h5")
    succeed(*command)
    assert [p.name for p in folder.glob("*.h5")] == ["checkpoint_0.h5"] and not leftovers(folder)


def summary(path):
    """What of a file has to be equal."""
    if path.suffix == ".h5":
        arrays = {}
        with h5py.File(path) as file:
            file.visititems(lambda name, item: arrays.update({name: item[()].tobytes()}) if isinstance(item, h5py.Dataset) else None)
        return arrays
    text = path.read_bytes()
    if path.suffix == ".html":
        assert text.rstrip().endswith(b"</html>")
    return len(text) > 0 if path.suffix in (".html", ".json") else text


COMMANDS = {  # {command line: its outputs}; {d} the data, {o} the folder of the outputs
    "inpaint a stack": ("inpaint --model {d}/run --in {d}/val.h5 --out {o}/o.h5", ["o.h5"]),
    "inpaint a volume": ("inpaint --model {d}/run --in {d}/v.nii.gz --out {o}/o.nii.gz", ["o.nii.gz", "o_change.nii.gz"]),
    "prepare": ("prepare {d}/train.h5 {d}/val.h5 --size 64 --holdout 0.4 --out {o}/o.h5 --holdout-out {o}/h.h5", ["o.h5", "h.h5"]),
    "corrupt": ("corrupt --in {d}/val.h5 --masks {d}/masks.h5 --out {o}/o.h5", ["o.h5"]),
    "masks": ("masks --kind square --split test --count 3 --size 96 --out {o}/o.h5", ["o.h5"]),
    "export": ("export --model {d}/run --out {o}/w.safetensors", ["w.safetensors"]),
    "evaluate": ("evaluate --model {d}/run --data {d}/val.h5 --masks {d}/masks.h5 --out {o}", ["scores.json", "per_slice.csv", "report.html"]),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_commands(made, tmp_path, name):
    out, rng = tmp_path / "out", random(name)
    line, outputs = COMMANDS[name]
    command = [*line.format(d=made, o=out).split(), "--force", "--threads", "1"]

    def begin_anew():
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        for output in outputs:
            (out / output).write_bytes(b"old " + output.encode())

    faults = Faults(out)
    begin_anew()
    totals = faults.totals(command)
    whole = {output: summary(out / output) for output in outputs}
    assert totals["rename"] >= len(outputs) and totals["sync"] >= 2 * len(outputs)
    for call, n, action in chosen(totals, FACTOR, rng):
        begin_anew()
        outcome, file = inject(faults, command, call, n, action)
        is_new = {}
        for output in outputs:
            is_new[output] = (out / output).read_bytes() != b"old " + output.encode()
            assert not is_new[output] or summary(out / output) == whole[output], (call, n, action, file, output)
        if outcome.code == 0:
            assert all(is_new.values())
        elif outcome.code > 0 and call not in ("rename", "unlink", "sync") and file != str(out):  # all is written before one is put in place
            assert not any(is_new.values()), (call, n, action, file, is_new)
        if outcome.code >= 0 and call != "unlink":
            assert not leftovers(out), (call, n, action)
        if outcome.code > 0 and not any(is_new.values()) and not leftovers(out):
            continue  # as before it
        succeed(*command)
        assert {output: summary(out / output) for output in outputs} == whole and not leftovers(out), (call, n, action)
    count(f"commands under faults: {name}")
