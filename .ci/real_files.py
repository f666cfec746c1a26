"""Print the packages with real weight files, as pip takes them: one ``NAME==VERSION`` a line.

python .ci/real_files.py tests/corpus/corpus_table.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def main(table: str) -> None:
    rows = json.loads(Path(table).read_text(encoding="utf-8"))
    print(*sorted({f"{row['package']}=={row['version']}" for row in rows}), sep="\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
