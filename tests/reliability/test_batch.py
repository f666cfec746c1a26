"""A batch that is killed, starved or run twice at once ends as if nothing had happened."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from tests.reliability.batches import (
    INT4,
    alive,
    done,
    journal,
    make_inputs,
    marked,
    outputs,
    wait_until_gone,
)
from tests.reliability.conftest import Mount
from tests.reliability.tool import PATIENCE, Ran, Tool, ended

FILES = 20
KILLS = 20

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_inputs(tmp_path_factory.mktemp("inputs") / "models", FILES)


@pytest.fixture(scope="module")
def expected(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The outputs of a batch that nobody disturbs."""
    tool = Tool(tmp_path_factory.mktemp("undisturbed"))
    assert batch(tool, inputs, "-j", "2").code == 0
    found = outputs(tool.folder / "out")
    assert len(found) == FILES
    return found


def batch(tool: Tool, inputs: Path, *flags: str, out: str = "out") -> Ran:
    return tool.run("batch", inputs, *INT4, "-O", out, *flags)


class Victim:
    """A batch in ``out`` that is killed again and again."""

    def __init__(self, tool: Tool, inputs: Path, chance: random.Random) -> None:
        self.tool = tool
        self.inputs = inputs
        self.chance = chance
        self.kills = 0

    def kill_once(self) -> None:
        """Begin, kill with -9 at some moment, the parent alone or its whole group."""
        before, seen = done(self.tool.folder / "out"), set(journal(self.tool.folder / "out"))
        mark = f"{os.getpid()}.{self.kills}"
        process = self.tool.start(
            "batch",
            self.inputs,
            *INT4,
            *("-O", "out", "-j", "2"),
            environment=marked(mark),
            start_new_session=True,
        )
        time.sleep(self.chance.uniform(0.1, 0.8))
        known = [pid for pid in alive(mark) if pid != process.pid]
        if process.poll() is None:
            self.kills += 1
            kill = self.chance.choice([os.kill, os.killpg])
            kill(process.pid, signal.SIGKILL)
        ended(process)
        wait_until_gone(mark, known)
        self.check_redone(before, seen)

    def check_redone(self, before: set[str], seen: set[Path]) -> None:
        """What was done is not begun again; what is there is whole."""
        begun = {
            line["item"]
            for path, lines in journal(self.tool.folder / "out").items()
            for line in lines
            if path not in seen
        }
        assert begun & before == set()


@pytest.mark.slow
@on_linux
def test_killed_at_20_random_moments(tool: Tool, inputs: Path, expected: dict[str, bytes]) -> None:
    victim = Victim(tool, inputs, random.Random(20))
    finished = count()
    while victim.kills < KILLS:
        victim.kill_once()
        whole = {
            name: data
            for name, data in outputs(tool.folder / "out").items()
            if not Path(name).name.startswith(".")
        }
        assert whole.items() <= expected.items()
        if len(whole) == FILES:
            assert batch(tool, inputs).code == 0
            assert outputs(tool.folder / "out") == expected
            # a run may also end before it is killed, so kills do not number the folders
            (tool.folder / "out").rename(tool.folder / f"out{next(finished)}")
    before, seen = done(tool.folder / "out"), set(journal(tool.folder / "out"))
    ran = batch(tool, inputs, "-j", "2")
    assert ran.code == 0, ran.err
    victim.check_redone(before, seen)
    assert outputs(tool.folder / "out") == expected


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@on_linux
def test_interrupted(
    tool: Tool, inputs: Path, expected: dict[str, bytes], number: signal.Signals, code: int
) -> None:
    mark = f"{os.getpid()}.{number.name}"
    flags = ("batch", inputs, *INT4, "-O", "out", "-j", "2")
    process = tool.start(*flags, environment=marked(mark))
    wait_for(lambda: bool(done(tool.folder / "out")))
    process.send_signal(number)
    ran = ended(process)
    assert (ran.code, ran.out, ran.err) == (code, "", "")
    assert alive(mark) == []
    left = outputs(tool.folder / "out")
    assert left.items() <= expected.items()
    assert tool.run(*flags).code == 0
    assert outputs(tool.folder / "out") == expected


@on_linux
def test_a_worker_that_is_killed_fails_its_item_and_no_other(tool: Tool, inputs: Path) -> None:
    mark = f"{os.getpid()}.worker"
    flags = ("batch", inputs, *INT4, "-O", "out", "-j", "1", "--keep-going")
    process = tool.start(*flags, environment=marked(mark))
    wait_for(lambda: bool(done(tool.folder / "out")))
    (worker,) = (pid for pid in alive(mark) if pid != process.pid)
    os.kill(worker, signal.SIGKILL)
    ran = ended(process)
    assert ran.code == 5, ran.err
    assert f"{FILES - 1} done, 1 failed · exit 5" in ran.out
    assert "killed by SIGKILL" in ran.err
    assert tool.run(*flags).code == 0


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_one_damaged_input_stops_nothing_else(tool: Tool, inputs: Path, jobs: str) -> None:
    damaged = tool.folder / "damaged.safetensors"
    damaged.write_bytes(next(inputs.rglob("*.safetensors")).read_bytes()[:5000])
    flags = ("batch", *INT4, "-O", "out", "-j", jobs, "--root", "/", str(damaged), str(inputs))
    ran = tool.run(*flags, "--keep-going")
    assert ran.code == 5, ran.err
    assert f"{FILES} done, 1 failed · exit 5" in ran.out
    assert "Traceback" not in ran.err
    assert len(outputs(tool.folder / "out")) == FILES
    again = tool.run(*flags)
    assert again.code == 5
    assert "1 failed" in again.out


def test_processes_and_shards_change_no_byte(
    tool: Tool, inputs: Path, expected: dict[str, bytes]
) -> None:
    assert batch(tool, inputs, "-j", "1", out="one").code == 0
    assert outputs(tool.folder / "one") == expected
    for shard in ("2/3", "3/3", "1/3"):
        ran = batch(tool, inputs, "--shard", shard, out="shared")
        assert ran.code == 0, ran.err
        assert "resumed" not in ran.out
    assert outputs(tool.folder / "shared") == expected
    assert f"{FILES} resumed" in batch(tool, inputs, out="shared").out


def test_two_runs_at_once(tool: Tool, inputs: Path, expected: dict[str, bytes]) -> None:
    flags = ("batch", inputs, *INT4, "-O", "out", "-j", "2")
    both = [tool.start(*flags) for _ in range(2)]
    ran = [ended(process) for process in both]
    assert [one.code for one in ran] == [0, 0], ran[0].err + ran[1].err
    assert outputs(tool.folder / "out") == expected
    begun = [
        line["item"]
        for lines in journal(tool.folder / "out").values()
        for line in lines
        if line["status"] == "started"
    ]
    assert len(begun) == len(set(begun)) == FILES


def test_a_full_disk(tool: Tool, inputs: Path, expected: dict[str, bytes], mount: Mount) -> None:
    place = mount("size=600k")
    ran = batch(tool, inputs, "--keep-going", out=str(place / "out"))
    assert ran.code == 5, ran.err
    assert "disk full" in ran.err
    left = outputs(place / "out")
    assert left
    assert left.items() <= expected.items()
    kept = done(place / "out")
    subprocess.run(["mount", "-o", "remount,size=16m", str(place)], check=True)
    again = batch(tool, inputs, out=str(place / "out"))
    assert again.code == 0, again.err
    assert f"{len(kept)} resumed" in again.out
    assert outputs(place / "out") == expected


def wait_for(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.005)
