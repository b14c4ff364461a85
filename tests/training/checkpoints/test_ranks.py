"""A race of several processes that is killed and goes on from a checkpoint."""

import time

import psutil
import pytest
from helpers import process_groups
from helpers.command_line import FAST, ROOT, TINY, command, the_error

from speedrun.records import schema
from speedrun.records.files import CHECKPOINT, RECORD


@pytest.mark.slow
def test_a_race_of_two_processes_goes_on_in_two(stories, tmp_path):
    out = tmp_path / "runs"
    torchrun = [*process_groups.TORCHRUN, "2", str(ROOT / "run.py")]
    words = ["--minutes", "0.2", "--checkpoint-every", "0.02", "--data", stories, "--out", out]
    process = process_groups.launch([*torchrun, *map(str, words), *TINY, *FAST])
    try:
        process_groups.until_logged(out, process)
        deadline_s = time.monotonic() + 60
        while not list(out.glob(f".*.partial/{CHECKPOINT}")) and time.monotonic() < deadline_s:
            time.sleep(0.05)
        time.sleep(2.0)
        (hidden,) = out.glob(".*.partial")
        run = out / hidden.name.removeprefix(".").removesuffix(".partial")
        assert "a race is at work on it" in the_error(command("resume", run).err)
        children = psutil.Process(process.pid).children(recursive=True)
    finally:
        process_groups.kill_all(process)
    process.communicate()
    psutil.wait_procs(children, timeout=10)
    assert "in another number of processes" in the_error(command("resume", run).err)
    code, _, errors = process_groups.launched([*torchrun, "resume", str(run)])
    assert code == 0, errors
    record = schema.load(run / RECORD)
    assert record.status == "complete" and len(record.resumes) == 1 and record.resumes[0] > 0
    assert record.train.engine["world_size"] == 2 and record.train.engine["weights_apart"] == 0.0
