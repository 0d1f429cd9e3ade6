"""train under kill -9 at random moments: every start finds a valid checkpoint and goes on; the end is that of a run never killed."""
import time

import pytest

from runs import FACTOR, begin, count, leftovers, make_data, random, same_run, saved_steps, succeed, train

KILLS = 50 * FACTOR


def killed(command, rng):
    """Kills a run at a random moment: of its start, or of the time that some steps take, counted from a step's end."""
    process = begin(command, stderr=-1)
    if rng.random() < 0.3:
        time.sleep(rng.uniform(0, 0.5))
    else:
        at = rng.integers(1, 4)
        for line in process.stderr:
            at -= "train " in line
            if at <= 0:
                break
        time.sleep(rng.exponential(0.05))
    process.kill()
    process.stderr.close()
    assert process.wait() == -9
    count("kills of train")


def test_killed_again_and_again(tmp_path):
    data, rng, before = make_data(tmp_path), random("kill"), 0
    for _ in range(KILLS):
        killed(train(data, tmp_path / "r", 1_000_000), rng)
        steps = saved_steps(tmp_path / "r") if (tmp_path / "r").exists() else []
        assert max(steps, default=0) >= before, "a checkpoint was lost"
        before = max(steps, default=0)
    assert before > 0
    goal = before + 2
    succeed(*train(data, tmp_path / "r", goal))
    succeed(*train(data, tmp_path / "whole", goal), timeout=7200)
    same_run(tmp_path / "r", tmp_path / "whole", goal)
    count("steps of killed runs compared with a run never killed", goal)


@pytest.mark.parametrize("command", ["inpaint", "prepare"])
def test_a_killed_command_leaves_the_old_file_and_the_next_one_no_litter(tmp_path, command):
    data, rng = make_data(tmp_path), random(command)
    succeed(*train(data, tmp_path / "r", 1))
    (tmp_path / "out").mkdir()
    goal = tmp_path / "out" / "o.h5"
    task = {"inpaint": ["inpaint", "--model", tmp_path / "r", "--in", data / "train.h5", "--batch", 1, "--threads", 1],
            "prepare": ["prepare", data / "train.h5", data / "val.h5", "--size", 64, "--holdout", 0.4, "--holdout-out", tmp_path / "out/h.h5"]}
    goal.write_bytes(b"old")
    for _ in range(10 * FACTOR):
        process = begin([*task[command], "--out", goal, "--force"], stderr=-3)
        time.sleep(rng.uniform(0, 0.3))
        process.kill()
        process.wait()
        count(f"kills of {command}")
        assert goal.read_bytes() == b"old" or succeed("info", goal)
    succeed(*task[command], "--out", goal, "--force")
    assert not leftovers(tmp_path / "out")
