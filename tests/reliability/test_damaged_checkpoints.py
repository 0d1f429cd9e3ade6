"""Checkpoints cut short and with a byte changed, anywhere: never loaded, never a crash; train takes the one before."""
import shutil

import pytest

from runs import FACTOR, count, make_data, random, refuse, run, same_run, sample, succeed, train


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = make_data(tmp_path_factory.mktemp("damage"))
    succeed(*train(folder, folder / "run", 4, every=2, validate=2))
    succeed(*train(folder, folder / "whole", 6, every=2, validate=2))
    return folder


def mutants(whole, most, rng):
    """Cut at, and changed at, `most` places each: denser at both ends, where HDF5's structures and the seal lie."""
    ends = [*range(0, 64), *range(len(whole) - 80, len(whole))]
    places = rng.choice(ends, most // 2).tolist() + rng.integers(0, len(whole), most - most // 2).tolist()
    for at in places:
        yield f"cut at {at}", whole[:at]
        yield f"bit changed at {at}", whole[:at] + bytes([whole[at] ^ 1 << int(rng.integers(8))]) + whole[at + 1 :]
    yield "bytes added", whole + b"more"
    yield "a page of zeros", whole[: len(whole) // 4096 // 2 * 4096] + bytes(4096) + whole[len(whole) // 4096 // 2 * 4096 + 4096 :]


@pytest.mark.parametrize("command", ["info {m}", "inpaint --model {m} --in {d}/val.h5 --out {d}/never.h5", "export --model {m} --out {d}/never.safetensors"])
def test_readers_refuse_every_mutant(made, tmp_path, command):
    whole, mutant = (made / "run/checkpoint_4.h5").read_bytes(), tmp_path / "mutant.h5"
    for what, damaged in mutants(whole, 15 * FACTOR, random(command)):
        mutant.write_bytes(damaged)
        outcome = run(*command.format(m=mutant, d=made).split())
        assert outcome.code == 3 and str(mutant) in outcome.last, (what, outcome.code, outcome.err)
        count("damaged checkpoints refused")
    assert not list(made.glob("never*"))


def test_train_takes_the_one_before(made, tmp_path):
    whole = (made / "run/checkpoint_4.h5").read_bytes()
    for what, damaged in mutants(whole, 2 * FACTOR, random("before")):
        shutil.copytree(made / "run", tmp_path / "r")
        (tmp_path / "r/checkpoint_4.h5").write_bytes(damaged)
        outcome = succeed(*train(made, tmp_path / "r", 6, every=2, validate=2))
        assert "checkpoint_4.h5" in outcome.err and "goes on from step 2" in outcome.err, (what, outcome.err)
        same_run(tmp_path / "r", made / "whole", 6)
        shutil.rmtree(tmp_path / "r")
        count("damaged checkpoints passed over by train")


def test_where_all_are_damaged_train_does_not_begin_anew(made, tmp_path):
    shutil.copytree(made / "run", tmp_path / "r")
    for step in (2, 4):
        (tmp_path / f"r/checkpoint_{step}.h5").write_bytes(b"")
    refuse(3, *train(made, tmp_path / "r", 6), says=["every checkpoint", str(tmp_path / "r")])


def test_a_damaged_best_one_is_an_error_that_says_the_way_out(made, tmp_path):
    """Nobody but the user can tell whether a copy of the best model exists: it is not written over."""
    shutil.copytree(made / "run", tmp_path / "r")
    best = tmp_path / "r/best.h5"
    best.write_bytes(best.read_bytes()[:-1])
    refuse(3, *train(made, tmp_path / "r", 6, every=2, validate=2), says=[str(best), "move it away"])
    refuse(3, "inpaint", "--model", tmp_path / "r", "--in", made / "val.h5", "--out", tmp_path / "o.h5", says=str(best))
    best.unlink()
    succeed(*train(made, tmp_path / "r", 6, every=2, validate=2))
    assert best.exists()


def test_the_sample_has_both_ends():
    assert sample(5, 9, random("s")) == [1, 2, 3, 4, 5] and {1, 100} < set(sample(100, 5, random("s"))) and len(sample(100, 5, random("s"))) == 5
