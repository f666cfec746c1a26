"""Fuzz one reader, guided by the code that inputs reach; needs the extra ``fuzz``.

    python tests/fuzz/cover.py pickle --minutes 15

It prints what libFuzzer prints. An input that breaks the reader ends the run and is left in the
working folder, or in that of ``--finds``; once it is fixed, it goes to ``tests/fuzz/crashes``.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["compress_core"]):
    from tests.fuzz.targets import TARGETS

from tests.fuzz.seeds import LARGEST, seeds, words

# an input must be judged within these
_SECONDS = 10
_MEGABYTES = 600


def main() -> None:
    """Fuzz until the time is over; libFuzzer ends the process."""
    asked = _asked()
    with tempfile.TemporaryDirectory() as folder:
        corpus, dictionary = Path(folder, "corpus"), Path(folder, "words")
        corpus.mkdir()
        for number, seed in enumerate(seeds(asked.target)):
            (corpus / f"{number:04}").write_bytes(seed)
        dictionary.write_text("".join(map(_line, words(asked.target))))
        options = {
            "artifact_prefix": f"{asked.finds}/{asked.target}-",
            "dict": dictionary,
            "max_len": LARGEST,
            "max_total_time": int(asked.minutes * 60),
            "print_final_stats": 1,
            "rss_limit_mb": _MEGABYTES,
            "seed": asked.seed,
            "timeout": _SECONDS,
        }
        arguments = [f"-{name}={value}" for name, value in options.items()]
        atheris.Setup([sys.argv[0], *arguments, str(corpus)], TARGETS[asked.target])
        atheris.Fuzz()


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("target", choices=sorted(TARGETS))
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--finds", type=Path, default=Path.cwd(), help="folder for what breaks it")
    return parser.parse_args()


def _line(word: bytes) -> str:
    """A word as libFuzzer's dictionaries have it."""
    return '"' + "".join(f"\\x{byte:02x}" for byte in word) + '"\n'


if __name__ == "__main__":
    main()
