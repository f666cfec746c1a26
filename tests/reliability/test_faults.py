"""Whatever happens: the old output or the complete new one, and nothing beside it."""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.reliability.conftest import Mount
from tests.reliability.tool import (
    Ran,
    Tool,
    bare_environment,
    check_error,
    ended,
    leftovers,
    when_writing,
)

OLD = b"old output, must survive"
QUANTIZE = ("--bits", "4", "--group-size", "64", "--force")


@dataclass(frozen=True)
class Box:
    """A folder in which an output already stands.

    :ivar good: what the output becomes when nothing happens.
    """

    tool: Tool
    source: Path
    good: bytes

    @property
    def folder(self) -> Path:
        return self.tool.folder

    @property
    def out(self) -> Path:
        return self.folder / "out.safetensors"

    @property
    def command(self) -> list[str]:
        return ["quantize", str(self.source), *QUANTIZE, "-o", "out.safetensors"]

    def check_old(self) -> None:
        assert self.out.read_bytes() == OLD
        self.check_alone()

    def check_new(self) -> None:
        assert self.out.read_bytes() == self.good
        self.check_alone()

    def check_alone(self) -> None:
        assert [path.name for path in self.folder.iterdir()] == ["out.safetensors"]


@pytest.fixture(scope="session")
def good(large: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The output of an undisturbed run."""
    tool = Tool(tmp_path_factory.mktemp("good"))
    ran = tool.run("quantize", large, *QUANTIZE, "-o", "out.safetensors")
    assert ran.code == 0, ran.err
    return (tool.folder / "out.safetensors").read_bytes()


@pytest.fixture
def box(tool: Tool, large: Path, good: bytes) -> Box:
    found = Box(tool, large, good)
    found.out.write_bytes(OLD)
    return found


def disturbed(box: Box, act: Callable[[int], None]) -> Ran:
    """A run to which something happens as soon as it writes; again, if it was too fast."""
    for _ in range(10):
        box.out.write_bytes(OLD)
        with box.tool.start(*box.command) as process:
            hit = when_writing(process, box.folder, lambda: act(process.pid))
            ran = ended(process)
        if hit and ran.code != 0:
            return ran
    pytest.fail("it was always done before anything could happen")


class TestFile:
    def test_nothing_happens(self, box: Box) -> None:
        before = box.source.stat()
        assert box.tool.run(*box.command).code == 0
        box.check_new()
        after = box.source.stat()
        assert (after.st_mtime_ns, after.st_size) == (before.st_mtime_ns, before.st_size)

    def test_kill_9_while_it_writes_and_the_next_run_tidies(self, box: Box) -> None:
        for _ in range(3):
            ran = disturbed(box, lambda pid: os.kill(pid, signal.SIGKILL))
            assert ran.code == -signal.SIGKILL
            assert box.out.read_bytes() in (OLD, box.good)
            assert len(leftovers(box.folder)) <= 1, "leftovers pile up"
        assert box.tool.run(*box.command).code == 0
        box.check_new()

    @pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
    def test_a_signal_at_any_time(self, box: Box, number: int) -> None:
        """Also while it starts, reads headers or ends."""
        rng = random.Random(number)
        started = time.monotonic()
        assert box.tool.run(*box.command).code == 0
        took = time.monotonic() - started
        for _ in range(4):
            box.out.write_bytes(OLD)
            with box.tool.start(*box.command) as process:
                time.sleep(rng.uniform(0.1, 1.1) * took)
                process.send_signal(number)
                ran = ended(process)
            assert "Traceback" not in ran.err or ran.code < 0, ran.err
            assert box.out.read_bytes() in (OLD, box.good)
            if number == signal.SIGKILL:
                assert len(leftovers(box.folder)) <= 1
            elif ran.code > 0:
                assert ran.code in (130, 143)
                box.check_alone()

    @pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
    def test_two_signals_in_a_row(self, box: Box, number: int, code: int) -> None:
        def twice(pid: int) -> None:
            os.kill(pid, number)
            os.kill(pid, number)

        ran = disturbed(box, twice)
        assert (ran.code, ran.err) == (code, "")
        box.check_old()

    def test_a_limit_on_the_size_of_files(self, box: Box) -> None:
        limit = len(box.good) // 2

        def lower() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

        check_error(box.tool.run(*box.command, before=lower), 4, "out.safetensors")
        box.check_old()

    def test_a_full_disk(self, box: Box, mount: Mount) -> None:
        place = mount(f"size={len(box.good) // 2048}k")
        full = Box(Tool(place), box.source, box.good)
        full.out.write_bytes(OLD)
        check_error(full.tool.run(*full.command), 4, "out.safetensors", "disk full")
        full.check_old()

    def test_a_disk_that_becomes_full_while_it_writes(self, box: Box, mount: Mount) -> None:
        """There was room when it began, and something else took it."""
        place = mount(f"size={2 * len(box.good) // 1024}k")
        full = Box(Tool(place), box.source, box.good)
        full.out.write_bytes(OLD)

        def fill(_: int) -> None:
            with open(place / "other", "wb", buffering=0) as other:
                try:
                    while other.write(bytes(1 << 16)):
                        pass
                except OSError:
                    return

        for _ in range(10):
            with full.tool.start(*full.command) as process:
                when_writing(process, place, lambda: fill(0))
                ran = ended(process)
            (place / "other").unlink(missing_ok=True)
            if ran.code:
                break
            full.out.write_bytes(OLD)
        check_error(ran, 4, "out.safetensors", "disk full")
        full.check_old()

    def test_a_read_only_file_system(self, box: Box, mount: Mount) -> None:
        place = mount("size=64k")
        stuck = Box(Tool(place), box.source, box.good)
        stuck.out.write_bytes(OLD)
        if os.system(f"mount -o remount,ro '{place}' 2>/dev/null"):
            pytest.skip("remounting is not allowed here")
        check_error(stuck.tool.run(*stuck.command), 4, "out.safetensors", "read-only")
        stuck.check_old()

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
    def test_a_read_only_folder(self, box: Box) -> None:
        box.folder.chmod(0o555)
        try:
            ran = box.tool.run(*box.command)
        finally:
            box.folder.chmod(0o755)
        check_error(ran, 4, "out.safetensors", "permission denied")
        box.check_old()

    def test_a_missing_folder(self, box: Box) -> None:
        ran = box.tool.run("quantize", box.source, *QUANTIZE, "-o", "no/such/out.safetensors")
        check_error(ran, 4, "no/such/out.safetensors")
        box.check_old()

    def test_the_output_is_a_folder(self, box: Box) -> None:
        box.out.unlink()
        box.out.mkdir()
        (box.out / "keep").write_bytes(OLD)
        check_error(box.tool.run(*box.command), 2, "out.safetensors")
        assert (box.out / "keep").read_bytes() == OLD
        box.check_alone()

    def test_the_output_is_a_symbolic_link(self, box: Box) -> None:
        os.rename(box.out, box.folder / "target.bin")
        box.out.symlink_to("target.bin")
        assert box.tool.run(*box.command).code == 0
        assert os.readlink(box.out) == "target.bin"
        assert box.out.read_bytes() == box.good
        assert sorted(os.listdir(box.folder)) == ["out.safetensors", "target.bin"]

    def test_the_output_is_a_named_pipe(self, box: Box) -> None:
        box.out.unlink()
        os.mkfifo(box.out)
        check_error(box.tool.run(*box.command), 2, "named pipe")
        assert stat.S_ISFIFO(box.out.lstat().st_mode)
        box.check_alone()

    @pytest.mark.parametrize("link", [os.link, os.symlink])
    def test_the_output_is_the_input(self, box: Box, link: Callable[[Path, Path], None]) -> None:
        copy = box.folder / "in.safetensors"
        shutil.copyfile(box.source, copy)
        content = copy.read_bytes()
        box.out.unlink()
        link(copy, box.out)
        for target in ("in.safetensors", "out.safetensors"):
            ran = box.tool.run("quantize", copy, *QUANTIZE, "-o", target)
            check_error(ran, 2, target, "the output is the input")
        assert copy.read_bytes() == box.out.read_bytes() == content
        assert sorted(os.listdir(box.folder)) == ["in.safetensors", "out.safetensors"]

    def test_the_mode_of_what_is_replaced_is_kept(self, box: Box) -> None:
        box.out.chmod(0o640)
        assert box.tool.run(*box.command).code == 0
        assert stat.S_IMODE(box.out.stat().st_mode) == 0o640
        box.check_new()

    @pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o027, 0o640), (0o077, 0o600)])
    def test_a_new_file_has_the_mode_of_the_umask(self, box: Box, mask: int, mode: int) -> None:
        box.out.unlink()

        def set_mask() -> None:
            os.umask(mask)

        assert box.tool.run(*box.command, before=set_mask).code == 0
        assert stat.S_IMODE(box.out.stat().st_mode) == mode

    def test_three_writers_at_once(self, box: Box) -> None:
        processes = [box.tool.start(*box.command) for _ in range(3)]
        for process in processes:
            with process:
                ran = ended(process)
            if ran.code:
                check_error(ran, 4, "out.safetensors")
        box.check_new()

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
    def test_stdout_is_full(self, box: Box) -> None:
        with open("/dev/full", "w") as full:
            ran = box.tool.run(*box.command, stdout=full)
        check_error(ran, 4, "stdout")
        box.check_new()

    def test_stdout_is_a_closed_pipe(self, box: Box) -> None:
        with box.tool.start(*box.command) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.close()
            said = process.stderr.read()
        assert (process.returncode, said) == (0, b"")
        box.check_new()

    def test_no_stream_is_open_at_all(self, box: Box) -> None:
        def close() -> None:
            for number in (0, 1, 2):
                os.close(number)

        assert box.tool.run(*box.command, before=close).code == 0
        box.check_new()

    @pytest.mark.parametrize(
        "more",
        [
            {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "TERM": "dumb"},
            {"COLUMNS": "20", "TZ": "Asia/Kathmandu", "PYTHONHASHSEED": "7"},
        ],
    )
    def test_a_bare_environment_gives_the_same_bytes(self, box: Box, more: dict[str, str]) -> None:
        assert "HOME" not in bare_environment()
        ran = box.tool.run(*box.command, "-j", "1", environment=bare_environment(**more))
        assert ran.code == 0, ran.err
        box.check_new()

    @pytest.mark.parametrize("change", ["cut", "grown"])
    def test_the_input_changes_while_it_is_read(self, box: Box, change: str) -> None:
        copy = box.folder.parent / "in.safetensors"
        mine = Box(box.tool, copy, box.good)
        size = box.source.stat().st_size

        def disturb(_: int) -> None:
            os.truncate(copy, 4096 if change == "cut" else size + 1)

        for _ in range(10):
            shutil.copyfile(box.source, copy)
            mine.out.write_bytes(OLD)
            with mine.tool.start(*mine.command) as process:
                when_writing(process, mine.folder, lambda: disturb(0))
                ran = ended(process)
            if ran.code:
                break
            mine.check_new()
        check_error(ran, 3, "in.safetensors", "changed while it was read")
        mine.check_old()


@dataclass(frozen=True)
class Shelf:
    """A folder with an input folder of three shards and an output folder that exists.

    :ivar good: name → bytes of every file of the output of an undisturbed run.
    """

    tool: Tool
    source: Path
    good: dict[str, bytes]

    @property
    def out(self) -> Path:
        return self.tool.folder / "out"

    @property
    def command(self) -> list[str]:
        return ["quantize", str(self.source), *QUANTIZE, "-o", "out"]

    def renew(self) -> None:
        shutil.rmtree(self.out, ignore_errors=True)
        self.out.mkdir()
        (self.out / "model.safetensors").write_bytes(OLD)

    @property
    def is_old(self) -> bool:
        return contents(self.out) == {"model.safetensors": OLD}


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="session")
def checkpoint(
    large: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, bytes]]:
    """A checkpoint folder of several shards, and what it becomes."""
    tool = Tool(tmp_path_factory.mktemp("checkpoint"))
    single = tool.folder / "single"
    single.mkdir()
    os.link(large, single / "model.safetensors")
    (single / "config.json").write_text("{}")
    (tool.folder / "copy.yaml").write_text("version: 1\noutput: {layout: dense}\n")
    arguments = ["--spec", "copy.yaml", "--shard-size", "5MiB", "-o", "sharded"]
    assert tool.run("compress", "single", *arguments).code == 0
    source = tool.folder / "sharded"
    assert len(list(source.glob("model-*.safetensors"))) >= 3
    assert tool.run("quantize", source, *QUANTIZE, "-o", "good").code == 0
    return source, contents(tool.folder / "good")


@pytest.fixture
def shelf(tool: Tool, checkpoint: tuple[Path, dict[str, bytes]]) -> Shelf:
    found = Shelf(tool, *checkpoint)
    found.renew()
    return found


class TestFolder:
    def test_a_new_folder_appears_with_all_its_files(self, shelf: Shelf) -> None:
        """Index and shards at once: nobody ever sees an index whose shards are missing."""
        shutil.rmtree(shelf.out)
        with shelf.tool.start(*shelf.command) as process:
            while not shelf.out.exists() and process.poll() is None:
                time.sleep(0.001)
            seen = sorted(os.listdir(shelf.out))
            ran = ended(process)
        assert ran.code == 0, ran.err
        assert seen == sorted(shelf.good)
        assert contents(shelf.out) == shelf.good
        assert os.listdir(shelf.tool.folder) == ["out"]

    @pytest.mark.parametrize(
        ("number", "code"),
        [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -signal.SIGKILL)],
    )
    def test_a_signal_while_it_writes(self, shelf: Shelf, number: int, code: int) -> None:
        for _ in range(10):
            shelf.renew()
            with shelf.tool.start(*shelf.command) as process:
                hit = when_writing(process, shelf.tool.folder, lambda: process.send_signal(number))
                ran = ended(process)
            if hit and ran.code:
                break
        assert ran.code == code, ran.err
        assert shelf.is_old or contents(shelf.out) == shelf.good
        if number == signal.SIGKILL:
            assert len(leftovers(shelf.tool.folder)) <= 1
            assert shelf.tool.run(*shelf.command).code == 0
            assert contents(shelf.out) == shelf.good
        assert os.listdir(shelf.tool.folder) == ["out"]

    def test_a_shard_that_cannot_be_written(self, shelf: Shelf) -> None:
        limit = max(map(len, shelf.good.values())) // 2

        def lower() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

        check_error(shelf.tool.run(*shelf.command, before=lower), 4, "out/model.packed-")
        assert shelf.is_old
        assert os.listdir(shelf.tool.folder) == ["out"]

    def test_a_full_disk(self, shelf: Shelf, mount: Mount) -> None:
        place = mount(f"size={sum(map(len, shelf.good.values())) // 2048}k")
        full = Shelf(Tool(place), shelf.source, shelf.good)
        full.renew()
        check_error(full.tool.run(*full.command), 4, "  out\n", "disk full")
        assert full.is_old
        assert os.listdir(place) == ["out"]

    def test_a_shard_of_the_input_that_is_cut_while_it_is_read(
        self, shelf: Shelf, tmp_path: Path
    ) -> None:
        copy = tmp_path / "copy"
        mine = Shelf(shelf.tool, copy, shelf.good)
        for _ in range(10):
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(shelf.source, copy)
            last = sorted(copy.glob("model-*.safetensors"))[-1]
            with mine.tool.start(*mine.command) as process:
                when_writing(process, mine.tool.folder, lambda: os.truncate(last, 4096))  # noqa: B023
                ran = ended(process)
            if ran.code:
                break
            mine.renew()
        check_error(ran, 3, last.name, "changed while it was read")
        assert mine.is_old
        assert os.listdir(mine.tool.folder) == ["out"]

    @pytest.mark.parametrize("keep", ["notes.txt", ".git"])
    def test_a_folder_of_other_things_is_not_replaced(self, shelf: Shelf, keep: str) -> None:
        shutil.rmtree(shelf.out)
        shelf.out.mkdir()
        (shelf.out / keep).write_bytes(OLD)
        check_error(shelf.tool.run(*shelf.command), 2, "  out\n")
        assert contents(shelf.out) == {keep: OLD}

    def test_the_output_is_in_the_input_or_holds_it(self, shelf: Shelf, tmp_path: Path) -> None:
        copy = tmp_path / "copy"
        shutil.copytree(shelf.source, copy)
        before = contents(copy)
        for target in (copy, copy / "sub", copy / "model-00001-of-00002.safetensors", tmp_path):
            check_error(shelf.tool.run("quantize", copy, *QUANTIZE, "-o", target), 2)
        assert contents(copy) == before

    def test_three_writers_at_once(self, shelf: Shelf) -> None:
        shutil.rmtree(shelf.out)
        processes = [shelf.tool.start(*shelf.command) for _ in range(3)]
        codes = []
        for process in processes:
            with process:
                ran = ended(process)
            codes.append(ran.code)
            if ran.code:
                check_error(ran, 4, "out")
        assert 0 in codes
        assert contents(shelf.out) == shelf.good
        assert os.listdir(shelf.tool.folder) == ["out"]
