"""A signal at any moment of a run: it saves, exits with 75, and goes on to the same end. The shim of Faults sends the signal
from within a chosen call, so that "during a save" is no matter of luck."""
import shutil
import signal
import time

import pytest

from runs import FACTOR, Faults, begin, count, make_data, random, same_run, sample, saved_steps, succeed, train

GOAL = 6


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = make_data(tmp_path_factory.mktemp("signals"))
    succeed(*train(folder, folder / "whole", GOAL, every=2, validate=2))
    return folder


@pytest.fixture(scope="module")
def totals(made):
    return Faults(made / "counted").totals(train(made, made / "counted", GOAL, every=2, validate=2))


def to_the_end(made, command, run_folder):
    succeed(*command)
    same_run(run_folder, made / "whole", GOAL)


@pytest.mark.parametrize("which", ["SIGTERM", "SIGINT", "SIGUSR1"])
@pytest.mark.parametrize("moment", ["open", "write", "sync", "rename", "unlink"])
def test_during_a_save(made, totals, tmp_path, which, moment):
    """Of settings, log, checkpoints, best checkpoint, one after another as n grows; the first of them before step 1."""
    command, rng = train(made, tmp_path / "r", GOAL, every=2, validate=2), random(which + moment)
    faults = Faults(tmp_path / "r")
    for n in sample(totals[moment], FACTOR, rng):
        shutil.rmtree(tmp_path / "r", ignore_errors=True)
        outcome, _, file = faults.run(command, moment, n, which)
        assert file and outcome.code in (75, 0), (n, outcome.err)  # 0: in the last save
        if outcome.code == 75:
            assert "state saved" in outcome.last and 1 <= max(saved_steps(tmp_path / "r")) < GOAL
        count("signals during a save")
        to_the_end(made, command, tmp_path / "r")


def test_before_the_first_step(made, tmp_path):
    """With the run folder's first file, before data and networks are read."""
    command, faults = train(made, tmp_path / "r", GOAL, every=2, validate=2), Faults(tmp_path / "r")
    outcome, _, file = faults.run(command, "open", 1, "SIGTERM")
    assert file.endswith("/lock") and outcome.code == 75 and saved_steps(tmp_path / "r") == [1]
    to_the_end(made, command, tmp_path / "r")


def test_a_second_interrupt_during_a_save_ends_at_once(made, totals, tmp_path):
    command, faults = train(made, tmp_path / "r", GOAL, every=2, validate=2), Faults(tmp_path / "r")
    for n in sample(totals["write"] - 1, 2 * FACTOR, random("second")):
        shutil.rmtree(tmp_path / "r", ignore_errors=True)
        outcome, _, _ = faults.run(command, "write", f"{n}+", "SIGINT")
        assert outcome.code == -signal.SIGINT, (n, outcome.err)
        count("second interrupts during a save")
        to_the_end(made, command, tmp_path / "r")


def test_a_second_signal_of_another_kind_changes_nothing(made, tmp_path):
    command, faults = train(made, tmp_path / "r", GOAL, every=2, validate=2), Faults(tmp_path / "r")
    outcome, lines, _ = faults.run(command, "write", "30+", "SIGTERM")
    assert outcome.code == 75 and sum(line.startswith("FAULT") for line in lines) > 100
    to_the_end(made, command, tmp_path / "r")


def test_during_validation(made, tmp_path):
    """Validation follows upon the line of its step."""
    command = train(made, tmp_path / "r", GOAL, every=2, validate=2)
    process = begin(command, stderr=-1)
    for line in process.stderr:
        if "train 2/" in line:
            process.send_signal(signal.SIGTERM)
    assert process.wait() == 75
    to_the_end(made, command, tmp_path / "r")


def test_at_random_moments_again_and_again(made, tmp_path):
    """Stopped and begun again until it is done: each start does a step at least."""
    rng, command = random("moments"), train(made, tmp_path / "r", GOAL, every=2, validate=2)
    for _ in range(FACTOR):
        shutil.rmtree(tmp_path / "r", ignore_errors=True)
        code, starts = 75, 0
        while code == 75:
            process = begin(command, stderr=-1)
            process.stderr.readline()  # it has something to say: begins or goes on
            time.sleep(rng.exponential(0.05))
            for which in rng.choice([signal.SIGTERM, signal.SIGUSR1], 2):
                process.send_signal(which)
            process.stderr.read()
            code, starts = process.wait(), starts + 1
            count("signals at random moments", 2)
        assert code == 0 and starts <= GOAL + 1
        same_run(tmp_path / "r", made / "whole", GOAL)
