"""Outputs are whole or absent, whatever happens."""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from compress_core.atomic import (
    PartFile,
    PartFolder,
    check_file,
    check_folder,
    check_space,
    refuse_input,
    refuse_nested,
    scratch_folder,
    write_text,
)
from compress_core.errors import OutputError, OutputExistsError

Failing = Callable[[str, int], None]


@pytest.fixture
def umask() -> Iterator[None]:
    old = os.umask(0o027)
    yield
    os.umask(old)


@pytest.fixture
def dead_pid() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Failing:
    """Make a function of ``os`` fail with an error number."""

    def fail(name: str, code: int) -> None:
        def refuse(*_: object, **__: object) -> None:
            raise OSError(code, os.strerror(code))

        monkeypatch.setattr(os, name, refuse)

    return fail


def write(target: Path, data: bytes, *, replace: bool = False) -> None:
    with PartFile(target, replace=replace) as out:
        out.pwrite(data, 0)
        out.commit()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def model(folder: Path, content: str = "old") -> Path:
    """A folder that looks like a checkpoint."""
    folder.mkdir()
    (folder / "model.safetensors").write_text(content)
    return folder


def build(target: Path, content: str, *, replace: bool = False) -> PartFolder:
    folder = PartFolder(target, replace=replace)
    (folder.path / "model.safetensors").write_text(content)
    return folder


class TestPartFile:
    def test_appears_only_when_committed(self, tmp_path: Path) -> None:
        target = tmp_path / "out"
        with PartFile(target, replace=False) as out:
            out.pwrite(b"cd", 2)
            out.pwrite(b"ab", 0)
            assert [path.name for path in tmp_path.iterdir()] == [f".out.{os.getpid()}.part"]
            out.commit()
        assert target.read_bytes() == b"abcd"
        assert list(tmp_path.iterdir()) == [target]

    def test_without_commit_nothing_stays(self, tmp_path: Path) -> None:
        target = tmp_path / "out"
        target.write_bytes(b"old")
        with PartFile(target, replace=True) as out:
            out.pwrite(b"new", 0)
        assert target.read_bytes() == b"old"
        assert list(tmp_path.iterdir()) == [target]

    def test_commit_and_abort_may_be_repeated(self, tmp_path: Path) -> None:
        out = PartFile(tmp_path / "out", replace=False)
        out.commit()
        out.commit()
        out.abort()
        out.abort()
        assert (tmp_path / "out").exists()

    def test_commit_after_abort_is_a_bug(self, tmp_path: Path) -> None:
        out = PartFile(tmp_path / "out", replace=False)
        out.abort()
        with pytest.raises(RuntimeError):
            out.commit()

    def test_write_after_abort_fails(self, tmp_path: Path) -> None:
        out = PartFile(tmp_path / "out", replace=False)
        out.abort()
        with pytest.raises(OutputError):
            out.pwrite(b"late", 0)

    def test_existing_needs_replace(self, tmp_path: Path) -> None:
        target = tmp_path / "out"
        target.write_bytes(b"old")
        with pytest.raises(OutputExistsError) as caught:
            PartFile(target, replace=False)
        assert "--force" in (caught.value.hint or "")
        assert caught.value.where == str(target)
        write(target, b"new", replace=True)
        assert target.read_bytes() == b"new"

    def test_target_that_appears_meanwhile_is_not_replaced(self, tmp_path: Path) -> None:
        target = tmp_path / "out"
        out = PartFile(target, replace=False)
        target.write_bytes(b"theirs")
        with pytest.raises(OutputExistsError):
            out.commit()
        assert target.read_bytes() == b"theirs"
        assert list(tmp_path.iterdir()) == [target]

    @pytest.mark.usefixtures("umask")
    def test_mode_follows_umask(self, tmp_path: Path) -> None:
        write(tmp_path / "out", b"")
        assert mode(tmp_path / "out") == 0o640

    @pytest.mark.usefixtures("umask")
    @pytest.mark.parametrize("old", [0o600, 0o644, 0o666])
    def test_mode_of_a_replaced_file_is_kept(self, tmp_path: Path, old: int) -> None:
        target = tmp_path / "out"
        target.write_bytes(b"old")
        target.chmod(old)
        write(target, b"new", replace=True)
        assert mode(target) == old

    def test_symlink_is_followed_and_kept(self, tmp_path: Path) -> None:
        (tmp_path / "far").mkdir()
        real, link = tmp_path / "far" / "real", tmp_path / "out"
        real.write_bytes(b"old")
        link.symlink_to("far/real")
        write(link, b"new", replace=True)
        assert link.is_symlink()
        assert real.read_bytes() == b"new"
        assert list((tmp_path / "far").iterdir()) == [real]

    def test_dangling_symlink_gets_its_target(self, tmp_path: Path) -> None:
        (tmp_path / "out").symlink_to("real")
        write(tmp_path / "out", b"new")
        assert (tmp_path / "real").read_bytes() == b"new"

    @pytest.mark.parametrize("replace", [False, True])
    def test_named_pipe_is_refused(self, tmp_path: Path, replace: bool) -> None:
        os.mkfifo(tmp_path / "out")
        with pytest.raises(OutputExistsError, match="named pipe"):
            PartFile(tmp_path / "out", replace=replace)
        assert stat.S_ISFIFO((tmp_path / "out").lstat().st_mode)

    @pytest.mark.parametrize("replace", [False, True])
    def test_folder_is_refused(self, tmp_path: Path, replace: bool) -> None:
        with pytest.raises(OutputExistsError, match="folder"):
            PartFile(tmp_path, replace=replace)

    def test_device_is_refused_before_anything_is_opened(self, failing: Failing) -> None:
        # whatever the verdict, nothing can be created beside a device here
        failing("open", errno.EPERM)
        failing("replace", errno.EPERM)
        with pytest.raises(OutputExistsError, match="device"):
            PartFile(Path(os.devnull), replace=True)

    def test_missing_folder(self, tmp_path: Path) -> None:
        with pytest.raises(OutputError, match="no such folder") as caught:
            PartFile(tmp_path / "no" / "out", replace=False)
        assert caught.value.hint == f"mkdir -p {tmp_path / 'no'}"
        assert not (tmp_path / "no").exists()

    def test_file_in_place_of_the_folder(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"")
        with pytest.raises(OutputError, match="not a folder"):
            PartFile(tmp_path / "file" / "out", replace=False)

    def test_short_writes_are_continued(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = os.pwrite
        monkeypatch.setattr(os, "pwrite", lambda fd, data, at: real(fd, data[:3], at))
        write(tmp_path / "out", b"0123456789")
        assert (tmp_path / "out").read_bytes() == b"0123456789"

    @pytest.mark.parametrize(
        ("code", "said"),
        [
            (errno.ENOSPC, r"disk full: needs 1.00 KiB, .* free"),
            (errno.EDQUOT, r"quota exceeded: needs 1.00 KiB"),
            (errno.EFBIG, r"larger than files may be here: needs 1.00 KiB"),
            (errno.EROFS, "read-only file system"),
            (errno.EIO, "input/output error"),
        ],
    )
    def test_errors_of_the_disk(
        self, tmp_path: Path, failing: Failing, code: int, said: str
    ) -> None:
        target = tmp_path / "out"
        target.write_bytes(b"old")
        with PartFile(target, replace=True) as out:
            out.reserve(1024)
            failing("pwrite", code)
            with pytest.raises(OutputError, match=said) as caught:
                out.pwrite(b"new", 0)
        assert caught.value.where == str(target)
        assert target.read_bytes() == b"old"
        assert list(tmp_path.iterdir()) == [target]

    @pytest.mark.parametrize("call", ["fsync", "replace"])
    def test_failed_commit_leaves_the_old_file(
        self, tmp_path: Path, failing: Failing, call: str
    ) -> None:
        target = tmp_path / "out"
        target.write_bytes(b"old")
        out = PartFile(target, replace=True)
        failing(call, errno.EIO)
        with pytest.raises(OutputError):
            out.commit()
        assert target.read_bytes() == b"old"
        assert list(tmp_path.iterdir()) == [target]

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
    def test_folder_that_must_not_be_written_to(self, tmp_path: Path) -> None:
        tmp_path.chmod(0o555)
        try:
            with pytest.raises(OutputError, match="permission denied"):
                PartFile(tmp_path / "out", replace=False)
        finally:
            tmp_path.chmod(0o755)

    def test_reserve_refuses_what_does_not_fit(self, tmp_path: Path) -> None:
        with (
            PartFile(tmp_path / "out", replace=False) as out,
            pytest.raises(OutputError, match=r"disk full: needs 8388608\.00 TiB, .* free"),
        ):
            out.reserve(1 << 63)

    def test_several_at_once(self, tmp_path: Path) -> None:
        outs = [PartFile(tmp_path / name, replace=False) for name in "abc"]
        for out in outs:
            out.commit()
        assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "c"]

    def test_the_same_target_twice_at_once(self, tmp_path: Path) -> None:
        with PartFile(tmp_path / "out", replace=False) as first:
            with pytest.raises(OutputError, match="another run"):
                PartFile(tmp_path / "out", replace=False)
            first.commit()
        assert (tmp_path / "out").exists()

    def test_a_part_that_was_swapped_is_not_published(self, tmp_path: Path) -> None:
        target = tmp_path / "out"
        out = PartFile(target, replace=False)
        part = tmp_path / f".out.{os.getpid()}.part"
        part.unlink()
        part.write_bytes(b"theirs")
        with pytest.raises(OutputError, match="another run"):
            out.commit()
        assert not target.exists()
        assert part.read_bytes() == b"theirs"


class TestLeftovers:
    def test_of_dead_processes_are_removed(self, tmp_path: Path, dead_pid: int) -> None:
        (tmp_path / f".out.{dead_pid}.part").write_bytes(b"half")
        (tmp_path / ".out.4294967295000.part").write_bytes(b"no process number at all")
        (tmp_path / f".other.{dead_pid}.part").write_bytes(b"not ours to judge")
        (tmp_path / f".out.{dead_pid}.part.bak").write_bytes(b"nor this")
        write(tmp_path / "out", b"new")
        assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
            [
                ".out.4294967295000.part",
                f".other.{dead_pid}.part",
                f".out.{dead_pid}.part.bak",
                "out",
            ]
        )

    def test_of_living_processes_stay(self, tmp_path: Path) -> None:
        theirs = tmp_path / f".out.{os.getppid()}.part"
        theirs.write_bytes(b"half")
        write(tmp_path / "out", b"new")
        assert theirs.exists()

    def test_of_our_own_number_are_removed(self, tmp_path: Path) -> None:
        # in containers every run may have the number 7
        (tmp_path / f".out.{os.getpid()}.part").write_bytes(b"half")
        write(tmp_path / "out", b"new")
        assert [path.name for path in tmp_path.iterdir()] == ["out"]

    def test_that_are_locked_stay(self, tmp_path: Path, dead_pid: int) -> None:
        # the same file seen from another container: its process looks dead, its lock does not
        theirs = tmp_path / f".out.{dead_pid}.part"
        with PartFile(tmp_path / "out", replace=False) as living:
            os.rename(tmp_path / f".out.{os.getpid()}.part", theirs)
            write(tmp_path / "out", b"new")
            assert theirs.exists()
            living.abort()

    def test_of_folders_are_removed(self, tmp_path: Path, dead_pid: int) -> None:
        model(tmp_path / f".out.{dead_pid}.part")
        build(tmp_path / "out", "new").commit()
        assert [path.name for path in tmp_path.iterdir()] == ["out"]

    def test_a_folder_moved_aside_is_put_back(self, tmp_path: Path, dead_pid: int) -> None:
        model(tmp_path / f".out.{dead_pid}.old")
        with pytest.raises(OutputExistsError):
            PartFolder(tmp_path / "out", replace=False)
        assert [path.name for path in tmp_path.iterdir()] == ["out"]
        assert (tmp_path / "out" / "model.safetensors").read_text() == "old"

    def test_a_folder_moved_aside_and_replaced_is_removed(
        self, tmp_path: Path, dead_pid: int
    ) -> None:
        model(tmp_path / f".out.{dead_pid}.old")
        model(tmp_path / "out", "newer")
        build(tmp_path / "out", "newest", replace=True).commit()
        assert [path.name for path in tmp_path.iterdir()] == ["out"]


class TestPartFolder:
    def test_appears_only_when_committed(self, tmp_path: Path) -> None:
        with build(tmp_path / "out", "new") as folder:
            assert not (tmp_path / "out").exists()
            folder.commit()
            folder.commit()
        assert (tmp_path / "out" / "model.safetensors").read_text() == "new"
        assert [path.name for path in tmp_path.iterdir()] == ["out"]

    def test_without_commit_nothing_stays(self, tmp_path: Path) -> None:
        with build(tmp_path / "out", "new"):
            pass
        assert list(tmp_path.iterdir()) == []

    def test_commit_after_abort_is_a_bug(self, tmp_path: Path) -> None:
        folder = build(tmp_path / "out", "new")
        folder.abort()
        with pytest.raises(RuntimeError):
            folder.commit()

    def test_replaces_a_model_whole(self, tmp_path: Path) -> None:
        old = model(tmp_path / "out")
        (old / "extra").write_text("gone afterwards")
        old.chmod(0o750)
        build(old, "new", replace=True).commit()
        assert [path.name for path in old.iterdir()] == ["model.safetensors"]
        assert mode(old) == 0o750
        assert list(tmp_path.iterdir()) == [old]

    def test_replaces_an_empty_folder(self, tmp_path: Path) -> None:
        (tmp_path / "out").mkdir()
        build(tmp_path / "out", "new", replace=True).commit()
        assert (tmp_path / "out" / "model.safetensors").exists()

    def test_existing_needs_replace(self, tmp_path: Path) -> None:
        model(tmp_path / "out")
        with pytest.raises(OutputExistsError, match="exists"):
            PartFolder(tmp_path / "out", replace=False)

    @pytest.mark.parametrize("members", [["keep"], ["config.json"], ["model.safetensors", ".git"]])
    def test_never_replaces_a_folder_with_other_things(
        self, tmp_path: Path, members: list[str]
    ) -> None:
        for name in members:
            (tmp_path / "out" / name).mkdir(parents=True)
        with pytest.raises(OutputExistsError, match="other things"):
            PartFolder(tmp_path / "out", replace=True)
        assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(members)

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
    def test_never_replaces_what_could_not_be_removed(self, tmp_path: Path) -> None:
        old = model(tmp_path / "out")
        old.chmod(0o555)
        with pytest.raises(OutputError, match="permission denied"):
            PartFolder(old, replace=True)
        old.chmod(0o755)
        assert list(tmp_path.iterdir()) == [old]

    def test_never_replaces_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "out").write_bytes(b"old")
        with pytest.raises(OutputExistsError, match="regular file"):
            PartFolder(tmp_path / "out", replace=True)

    def test_never_replaces_the_root(self) -> None:
        with pytest.raises(OutputExistsError):
            PartFolder(Path("/"), replace=True)

    def test_symlink_is_followed_and_kept(self, tmp_path: Path) -> None:
        real = model(tmp_path / "real")
        (tmp_path / "out").symlink_to("real")
        build(tmp_path / "out", "new", replace=True).commit()
        assert (tmp_path / "out").is_symlink()
        assert (real / "model.safetensors").read_text() == "new"

    def test_old_one_is_put_back_when_the_second_rename_fails(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        old = model(tmp_path / "out")
        folder = build(old, "new", replace=True)
        real = os.rename

        def fail(source: Path, target: Path) -> None:
            if source == folder.path:
                raise OSError(errno.EIO, "rename")
            real(source, target)

        monkeypatch.setattr(os, "rename", fail)
        with pytest.raises(OutputError):
            folder.commit()
        assert (old / "model.safetensors").read_text() == "old"
        assert list(tmp_path.iterdir()) == [old]

    def test_interrupt_between_the_renames(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        old = model(tmp_path / "out")
        folder = build(old, "new", replace=True)
        real = os.rename

        def interrupted(source: Path, target: Path) -> None:
            real(source, target)
            if source == old:
                raise KeyboardInterrupt

        monkeypatch.setattr(os, "rename", interrupted)
        with pytest.raises(KeyboardInterrupt):
            folder.commit()
        assert (old / "model.safetensors").read_text() == "old"
        assert list(tmp_path.iterdir()) == [old]

    def test_a_complete_result_of_another_run_wins(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        target = model(tmp_path / "out")
        folder = build(target, "ours", replace=True)
        real = os.rename

        def overtaken(source: Path, target: Path) -> None:
            real(source, target)
            if source == tmp_path / "out":
                model(tmp_path / "out", "theirs")

        monkeypatch.setattr(os, "rename", overtaken)
        with pytest.raises(OutputError):
            folder.commit()
        assert (target / "model.safetensors").read_text() == "theirs"
        assert list(tmp_path.iterdir()) == [target]

    def test_missing_parent(self, tmp_path: Path) -> None:
        with pytest.raises(OutputError, match="no such folder"):
            PartFolder(tmp_path / "no" / "out", replace=False)


class TestInterrupts:
    """An interrupt may come between any two steps, also of the making of a part."""

    @pytest.mark.parametrize(
        ("make", "step"), [(PartFile, "open"), (PartFolder, "open"), (PartFolder, "mkdir")]
    )
    def test_right_after_the_system_has_made_it(
        self,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        make: Callable[..., Any],
        step: str,
    ) -> None:
        real = getattr(os, step)

        def interrupted(*args: Any, **details: Any) -> Any:
            real(*args, **details)
            monkeypatch.setattr(os, step, real)
            raise KeyboardInterrupt

        monkeypatch.setattr(os, step, interrupted)
        with pytest.raises(KeyboardInterrupt):
            make(tmp_path / "out", replace=False)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("make", [PartFile, PartFolder])
    def test_before_its_lock(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[..., Any]
    ) -> None:
        def interrupted(*_: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr("fcntl.flock", interrupted)
        with pytest.raises(KeyboardInterrupt):
            make(tmp_path / "out", replace=False)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("make", [PartFile, PartFolder])
    def test_before_anybody_has_taken_hold_of_it(
        self, tmp_path: Path, make: Callable[..., Any]
    ) -> None:
        make(tmp_path / "out", replace=False)
        assert list(tmp_path.iterdir()) == []


class TestInputs:
    """An output is never an input; no option changes that."""

    def test_same_file_under_any_name(self, tmp_path: Path) -> None:
        source = tmp_path / "in"
        source.write_bytes(b"")
        (tmp_path / "link").symlink_to("in")
        os.link(source, tmp_path / "hard")
        for target in (source, tmp_path / "link", tmp_path / "hard", tmp_path / "." / "in"):
            with pytest.raises(OutputExistsError, match="is the input"):
                refuse_input(target, source)
        refuse_input(tmp_path / "out", source)

    def test_hard_link_of_a_shard(self, tmp_path: Path) -> None:
        source = model(tmp_path / "in")
        os.link(source / "model.safetensors", tmp_path / "hard")
        with pytest.raises(OutputExistsError, match="is the input"):
            refuse_input(tmp_path / "hard", source, ["model.safetensors"])

    def test_file_in_the_input_folder(self, tmp_path: Path) -> None:
        source = model(tmp_path / "in")
        with pytest.raises(OutputExistsError, match="lies in"):
            refuse_input(source / "sub" / "new.safetensors", source)

    def test_nested_folders(self, tmp_path: Path) -> None:
        source = model(tmp_path / "in")
        (tmp_path / "link").symlink_to("in")
        for target in (source, source / "out", tmp_path, tmp_path / "link" / "out"):
            with pytest.raises(OutputExistsError):
                refuse_nested(target, source)
        refuse_nested(tmp_path / "out", source)

    def test_folder_that_holds_the_input_file(self, tmp_path: Path) -> None:
        source = tmp_path / "out" / "in.safetensors"
        source.parent.mkdir()
        source.write_bytes(b"")
        with pytest.raises(OutputExistsError, match="holds"):
            refuse_nested(tmp_path / "out", source)


class TestChecks:
    """What can be told before anything is read or written."""

    def test_free_targets(self, tmp_path: Path) -> None:
        check_file(tmp_path / "out", replace=False)
        check_folder(tmp_path / "out", replace=False)
        assert list(tmp_path.iterdir()) == []

    def test_taken_targets(self, tmp_path: Path) -> None:
        old = model(tmp_path / "out")
        check_folder(old, replace=True)
        check_file(old / "model.safetensors", replace=True)
        with pytest.raises(OutputExistsError):
            check_folder(old, replace=False)
        with pytest.raises(OutputExistsError):
            check_folder(old / "model.safetensors", replace=True)
        with pytest.raises(OutputExistsError):
            check_file(old, replace=True)
        with pytest.raises(OutputExistsError):
            check_file(old / "model.safetensors", replace=False)

    @pytest.mark.parametrize("check", [check_file, check_folder])
    def test_missing_parent(self, tmp_path: Path, check: Callable[..., None]) -> None:
        with pytest.raises(OutputError, match="no such folder"):
            check(tmp_path / "no" / "out", replace=False)


def test_write_text(tmp_path: Path) -> None:
    write_text(tmp_path / "out", "ä\n", replace=False)
    assert (tmp_path / "out").read_bytes() == b"\xc3\xa4\n"
    with pytest.raises(OutputExistsError):
        write_text(tmp_path / "out", "", replace=False)


def test_check_space(tmp_path: Path) -> None:
    check_space(tmp_path, 1)
    with pytest.raises(OutputError, match="disk full") as caught:
        check_space(tmp_path, 1 << 62, where="out.safetensors")
    assert caught.value.where == "out.safetensors"


def test_uncounted_disk_is_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result([4096, 4096] + [0] * 8))
    check_space(tmp_path, 1 << 62)


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_order_of_system_calls(tmp_path: Path) -> None:
    """Data reach the disk before the name does, and the name before success is told."""
    code = (
        "from pathlib import Path; from compress_core.atomic import PartFile; import sys\n"
        "out = PartFile(Path(sys.argv[1]), replace=False); out.pwrite(b'x', 0); out.commit()"
    )
    log = tmp_path / "log"
    calls = "trace=openat,pwrite64,fsync,rename,renameat,renameat2"
    command = ["strace", "-f", "-o", str(log), "-e", calls, sys.executable, "-c", code]
    if subprocess.run([*command, str(tmp_path / "out")], capture_output=True).returncode:
        pytest.skip("tracing is not allowed here")
    seen = re.findall(r"(pwrite64|fsync|rename)\w*\(", log.read_text())
    assert seen[-4:] == ["pwrite64", "fsync", "rename", "fsync"]


@pytest.mark.parametrize("name", ["absent", "file"])
def test_a_folder_of_temporary_files_that_is_none_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("TMPDIR", str(tmp_path / name))
    with pytest.raises(OutputError, match="TMPDIR names no folder") as caught:
        scratch_folder()
    assert caught.value.where == str(tmp_path / name)
    monkeypatch.setenv("TMPDIR", "")
    scratch_folder()


def test_a_missing_folder_can_be_made_as_the_hint_says(tmp_path: Path) -> None:
    folder = tmp_path / "no such"
    with pytest.raises(OutputError) as caught:
        PartFile(folder / "out", replace=False)
    assert caught.value.hint == f"mkdir -p '{folder}'"
