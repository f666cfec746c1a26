"""Break real and hostile files at random, and read them: for minutes, or one of them.

    python tests/fuzz/mutate.py --minutes 15 --seed 2
    python tests/fuzz/mutate.py --seed 2 --only 4711 --keep /tmp/broken

It ends with figures, or with the number of the mutant that broke the reader.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.fuzz.batch import BrokenError, run_in_child
from tests.fuzz.figures import Figures
from tests.fuzz.judge import judge
from tests.fuzz.mutants import mutant

_BATCH = 1000
_MINUTE = 60.0


def main() -> int:
    """The exit code: 1 where a reader broke."""
    asked = _asked()
    if asked.only is not None:
        return _only(asked.seed, asked.only, asked.keep)
    return _for_minutes(asked.seed, asked.minutes)


def _for_minutes(seed: int, minutes: float) -> int:
    found, begun, broken = Figures(), time.monotonic(), 0
    said = begun
    first = 0
    while time.monotonic() < begun + minutes * _MINUTE:
        try:
            found.add(run_in_child(seed, first, _BATCH))
        except BrokenError as error:
            broken += 1
            print(error, file=sys.stderr)
        first += _BATCH
        if time.monotonic() > said + _MINUTE:
            said = time.monotonic()
            print(found, flush=True)
    print(f"seed {seed}, {(time.monotonic() - begun) / _MINUTE:.1f} minutes, {broken} broken")
    print(found)
    return 1 if broken else 0


def _only(seed: int, number: int, keep: Path | None) -> int:
    one = mutant(seed, number)
    print(f"from {one.source}, {one.size:,} bytes, opened as {one.opened}")
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        for name, content in one.files.items():
            (keep / name).write_bytes(content)
    with tempfile.TemporaryDirectory() as scratch:
        print(judge(one, Path(scratch)))
    return 0


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--only", type=int, metavar="NUMBER", help="judge this one, here")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="and leave its files there")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
