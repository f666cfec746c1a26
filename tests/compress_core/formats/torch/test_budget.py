"""What hostile pickles cost: time and memory stay within bounds, whatever they claim."""

from __future__ import annotations

import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from compress_core.errors import FormatError, UnsupportedError
from compress_core.formats.torch.budget import MAX_OPCODES, Budget
from compress_core.formats.torch.feed import MAX_BYTES, Feed
from tests.compress_core.formats.torch.assembler import (
    PROTO,
    archived,
    legacy,
    list_of,
    mapping,
    pickled,
    tensor,
    text,
    tuple_of,
    zipped,
)
from tests.compress_core.formats.torch.conftest import Open

KEPT = b"q\x00"
GET = b"h\x00"


ADAM = mapping({"state": mapping({0: tensor()}), "param_groups": b"]"})


def doubled(times: int) -> bytes:
    return b"".join(bytes([0x68, n, 0x86, 0x71, n + 1]) for n in range(times))


def aligned(numbers: range, form: str, before: bytes, after: bytes = b"") -> bytes:
    return b"".join(before + struct.pack(form, number) + after for number in numbers)


def states() -> bytes:
    return b"".join(text(f"rng{number}") + GET for number in range(600_000))


def wide() -> bytes:
    return b"X" + struct.pack("<I", 50_000_000) + "é".encode() + b"a" * 49_999_998


BOMBS: dict[str, Callable[[], bytes]] = {
    "dictionaries": lambda: b"}" * 3_000_000,
    "lists": lambda: b"]" * 4_000_000,
    "tuples in tuples": lambda: b"N" + b"\x85" * 4_000_000,
    "values": lambda: b"N" * 20_000_000,
    "numbers": lambda: b"J\xff\xff\xff\x7f" * 5_000_000,
    "wide text": wide,
    "keys": lambda: b"}(" + aligned(range(2_000_000), "<i", b"J", b"N") + b"u",
    "many names": lambda: b"(" + tensor() + KEPT + GET * 500_000 + b"t",
    "long names": lambda: mapping({"k" * 1_000_000: tuple_of(tensor() + KEPT, GET * 1000)}),
    "many ways to one tensor": lambda: tensor() + KEPT + doubled(90),
    "a long list that is walked often": lambda: tuple_of(
        list_of(tensor(), b"N" * 500_000) + KEPT, GET * 500_000
    ),
    "many entries beside the weights": lambda: (
        b"}("
        + text("model")
        + mapping({"w": tensor()})
        + aligned(range(900_000), "<i", b"J", b"N")
        + b"u"
    ),
    "many states of trainers": lambda: (
        b"}(" + text("w") + tensor() + text("s") + ADAM + KEPT + states() + b"u"
    ),
    "many lists of optimizers": lambda: (
        b"}("
        + text("s")
        + ADAM
        + text("l")
        + list_of(*[ADAM] * 7, tensor())
        + KEPT
        + states()
        + b"u"
    ),
    "places of the memo": lambda: b"N" + aligned(range(0, 100_000_000, 257), "<I", b"r"),
}


MEASURE = """
import sys, time
from pathlib import Path
from compress_core.errors import FormatError, UnsupportedError
from compress_core.formats.torch import Torch
started = time.process_time()
try:
    Torch.open(Path(sys.argv[1]))
except (FormatError, UnsupportedError) as error:
    status = Path("/proc/self/status").read_text()
    print(int(status.split("VmHWM:")[1].split()[0]) // 1000)
    print(time.process_time() - started)
    print(error.message)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="no /proc/self/status")
@pytest.mark.parametrize("bomb", BOMBS)
def test_bombs(tmp_path: Path, bomb: str) -> None:
    """Refused within 10 seconds of work, 200 MB and three times the file, interpreter and all."""
    path = tmp_path / "bomb.pt"
    path.write_bytes(zipped(BOMBS[bomb]()))
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, path], capture_output=True, check=True, text=True
    )
    megabytes, seconds, said = done.stdout.splitlines()
    assert int(megabytes) < 200 + 3 * path.stat().st_size / 1e6
    assert float(seconds) < 10
    assert any(word in said for word in ("of memory", "opcodes", "of the memo"))


def test_a_far_place_in_the_memo_costs_nothing(opened: Open) -> None:
    """Nine bytes that cost Python's own reader 4 GB and 23 seconds."""
    with pytest.raises(FormatError, match="place 268435455 of the memo"):
        opened(zipped(b"Nr" + struct.pack("<I", (1 << 28) - 1)))


def test_too_long_a_pickle(opened: Open) -> None:
    for content in (archived(PROTO + b"N" * MAX_BYTES), legacy(text("a" * MAX_BYTES))):
        with pytest.raises(UnsupportedError, match="longer than 64,000,000 bytes"):
            opened(content)


def test_budget() -> None:
    budget = Budget(1000, "file.pt")
    budget.charge((128 << 20) + 1000)
    with pytest.raises(UnsupportedError, match=r"more than 128 MiB of memory") as caught:
        budget.charge(1)
    assert caught.value.where == "file.pt"
    steps = Budget(1 << 40, "file.pt")
    steps.begin(MAX_OPCODES)
    with pytest.raises(UnsupportedError, match="20,000,000 opcodes"):
        steps.begin(1)


def test_only_what_is_needed_is_read() -> None:
    """A large file costs its pickles, not its data."""
    seen: list[int] = []
    pickle = pickled(list_of(b"N"))

    def read(start: int, stop: int) -> bytes:
        seen.append(stop - start)
        return pickle[start:stop].ljust(stop - start, b"\0")

    feed = Feed(read, 0, 1 << 40, "file")
    assert feed.take(2) == PROTO
    assert feed.byte() == ord("]")
    assert sum(seen) <= 1 << 18
    assert feed.position == 3
    assert feed.rest == (1 << 40) - 3
