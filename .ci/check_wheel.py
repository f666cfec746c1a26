"""Check what a wheel holds: its own packages and nothing else, and no file of another wheel.

python .ci/check_wheel.py WHEEL [OTHER_WHEEL]
"""

from __future__ import annotations

import sys
from zipfile import ZipFile

PACKAGES = {"modelopt_cli", "compress_core"}
NEEDED = {
    "modelopt_cli/py.typed",
    "modelopt_cli/main.py",
    "compress_core/py.typed",
    "compress_core/kernels/native/libmodelopt_kernels.so",
}
SOURCES = (".c", ".h", "CMakeLists.txt")


def files(wheel: str) -> set[str]:
    with ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if not name.endswith("/")}


def faults(own: set[str], others: set[str]) -> list[str]:
    tops = {name.partition("/")[0] for name in own}
    extra = {top for top in tops - PACKAGES if not top.endswith(".dist-info")}
    return [
        *(f"must not be in the wheel: {top}" for top in sorted(extra)),
        *(f"a source: {name}" for name in sorted(own) if name.endswith(SOURCES)),
        *(f"missing: {name}" for name in sorted(NEEDED - own)),
        *(f"also in the other wheel: {name}" for name in sorted(own & others)),
    ]


def main(wheel: str, *others: str) -> None:
    own = files(wheel)
    found = faults(own, set().union(*map(files, others)))
    print(f"{len(own)} files, {len(found)} faults")
    sys.exit("\n".join(found) or 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
