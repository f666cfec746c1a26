"""The journal: what was written is found again, what was damaged is as good as nothing."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from compress_core.errors import OutputError
from compress_core.fingerprint import Fingerprint
from compress_core.journal import FOLDER, Entry, Journal, Ledger


@pytest.fixture
def entry(tmp_path: Path) -> Entry:
    (tmp_path / "w").write_bytes(b"abc")
    print_ = Fingerprint.of(tmp_path / "w")
    return Entry(
        item="a/w.safetensors",
        status="done",
        spec="5" * 64,
        version="1.0",
        source=print_,
        output=print_,
        layout="packed",
        totals={"bytes_in": 3, "error": 0.25},
    )


def write(folder: Path, *entries: Entry) -> Path:
    """A journal with these lines."""
    journal = Journal(folder, "1of1")
    for entry in entries:
        journal.append(entry)
    journal.close()
    return max((folder / FOLDER).glob("*.jsonl"), key=lambda path: path.stat().st_mtime_ns)


def found(folder: Path, entry: Entry) -> list[Entry]:
    return Ledger(folder).done(entry.item, entry.spec, entry.version)


def test_there_and_back(entry: Entry) -> None:
    assert Entry.from_json(json.loads(json.dumps(entry.to_json()))) == entry
    failed = Entry(os.fsdecode(b"\xff"), "failed", "s", "v", message="no such file")
    assert Entry.from_json(failed.to_json()) == failed


def test_a_folder_without_journals_knows_nothing(tmp_path: Path, entry: Entry) -> None:
    assert found(tmp_path, entry) == []
    assert not (tmp_path / FOLDER).exists()


def test_only_the_same_work_counts(tmp_path: Path, entry: Entry) -> None:
    write(tmp_path, entry)
    ledger = Ledger(tmp_path)
    assert ledger.done(entry.item, entry.spec, entry.version) == [entry]
    assert ledger.done("other", entry.spec, entry.version) == []
    assert ledger.done(entry.item, "other", entry.version) == []
    assert ledger.done(entry.item, entry.spec, "other") == []


def test_the_latest_comes_first(tmp_path: Path, entry: Entry) -> None:
    later = replace(entry, layout="dense")
    write(tmp_path, entry, later)
    assert found(tmp_path, entry) == [later, entry]


def test_every_process_has_a_file_of_its_own(tmp_path: Path, entry: Entry) -> None:
    write(tmp_path, entry)
    write(tmp_path, entry)
    names = [path.name for path in (tmp_path / FOLDER).glob("*.jsonl")]
    assert len(names) == 2
    assert all(name.startswith(f"1of1-{os.getpid()}-") for name in names)
    assert len(found(tmp_path, entry)) == 2


def test_nothing_is_written_before_there_is_something_to_say(tmp_path: Path) -> None:
    Journal(tmp_path, "1of1").close()
    assert not (tmp_path / FOLDER).exists()


def test_what_was_begun_or_done_is_known_and_what_failed_is_not(
    tmp_path: Path, entry: Entry
) -> None:
    for status in ("started", "failed"):
        write(tmp_path, Entry(status, status, "s", "v"))
    write(tmp_path, entry)
    ledger = Ledger(tmp_path)
    assert ledger.knows("started")
    assert ledger.knows(entry.item)
    assert not ledger.knows("failed")


def test_a_ledger_follows_what_is_written(tmp_path: Path, entry: Entry) -> None:
    journal = Journal(tmp_path, "1of1")
    journal.append(replace(entry, item="first"))
    ledger = Ledger(tmp_path)
    journal.append(entry)
    write(tmp_path, replace(entry, item="third"))
    assert not ledger.knows(entry.item)
    ledger.refresh()
    assert ledger.knows(entry.item)
    assert ledger.knows("third")
    assert len(ledger.done("first", entry.spec, entry.version)) == 1
    journal.close()


def test_a_torn_line_is_none_until_it_is_whole(tmp_path: Path, entry: Entry) -> None:
    path = write(tmp_path, entry)
    whole = path.read_bytes()
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        ledger = Ledger(tmp_path)
        assert not ledger.knows(entry.item)
    path.write_bytes(whole)
    ledger.refresh()
    assert ledger.knows(entry.item)


def test_no_changed_letter_goes_unnoticed(tmp_path: Path, entry: Entry) -> None:
    path = write(tmp_path, entry)
    whole = path.read_bytes()
    for place in range(0, len(whole) - 1, 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert found(tmp_path, entry) in ([], [entry])


@pytest.mark.parametrize(
    "damage",
    [
        b"\0" * 4096,
        b"\n\n\n",
        b"{}\n[]\nnull\n",
        b"\xff\xfe\n",
        b"[" * 100_000 + b"\n",
        b'{"schema": "modelopt.journal/2"}\n',
    ],
)
def test_damage_beside_a_line_costs_only_itself(
    tmp_path: Path, entry: Entry, damage: bytes
) -> None:
    path = write(tmp_path, entry)
    path.write_bytes(damage + b"\n" + path.read_bytes() + damage)
    assert found(tmp_path, entry) == [entry]


@pytest.mark.parametrize(
    "change",
    [
        {"schema": "other"},
        {"item": 5},
        {"status": "almost"},
        {"totals": []},
        {"source": None},
        {"source": [{}]},
        {"version": None},
    ],
)
def test_lines_of_another_kind_are_refused(entry: Entry, change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        Entry.from_json({**entry.to_json(), **change})


def test_done_needs_something_to_tell_it_by(entry: Entry) -> None:
    said = entry.to_json()
    del said["output"]
    with pytest.raises(ValueError, match="nothing to tell it by"):
        Entry.from_json(said)


def test_odd_things_in_its_folder_do_no_harm(tmp_path: Path, entry: Entry) -> None:
    write(tmp_path, entry)
    os.mkfifo(tmp_path / FOLDER / "pipe.jsonl")
    (tmp_path / FOLDER / "folder.jsonl").mkdir()
    (tmp_path / FOLDER / "link.jsonl").symlink_to(tmp_path / "nowhere")
    assert found(tmp_path, entry) == [entry]


def test_after_a_disk_was_full_another_file_is_begun(
    tmp_path: Path, entry: Entry, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path, "1of1")
    write_really = os.write

    def torn(file: int, data: memoryview) -> int:
        write_really(file, data[:10])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(os, "write", torn)
        with pytest.raises(OutputError, match="disk full"):
            journal.append(entry)
    journal.append(entry)
    journal.close()
    assert found(tmp_path, entry) == [entry]
    assert len(list((tmp_path / FOLDER).glob("*.jsonl"))) == 2


def test_every_line_is_on_the_disk(
    tmp_path: Path, entry: Entry, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    journal = Journal(tmp_path, "1of1")
    journal.append(entry)
    before = len(synced)
    journal.append(entry)
    assert len(synced) == before + 1
    journal.close()
