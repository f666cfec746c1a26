"""What the coverage-guided fuzzer begins with: small files, good and hostile, and words."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator, Mapping
from io import BytesIO
from pathlib import Path

from compress_core.formats.safetensors.header import PREFIX
from tests.compress_core.formats.torch import assembler
from tests.compress_core.zips import Part, build, numbers

ROOT = Path(__file__).parents[2]
CORPUS = ROOT / "tests" / "corpus" / "bad_inputs"
SAMPLES = ROOT / "sample_weights"
CRASHES = Path(__file__).parent / "crashes"

# a fuzzer finds more with small inputs, and nothing in large data
LARGEST = 16 << 10


def seeds(target: str) -> list[bytes]:
    """The inputs to begin with, each once, and those that once broke the target."""
    crashes = sorted((CRASHES / target).glob("*"))
    found = [*_SEEDS[target](), *(path.read_bytes() for path in crashes)]
    return [one for one in dict.fromkeys(found) if len(one) <= LARGEST]


def words(target: str) -> list[bytes]:
    """What a mutation rarely hits upon by itself."""
    return _WORDS.get(target, [])


def _files(*kinds: str) -> Iterator[bytes]:
    for kind in kinds:
        for path in sorted((CORPUS / kind).iterdir()):
            if path.is_file():
                yield path.read_bytes()


def _headers() -> Iterator[bytes]:
    samples = (path.read_bytes() for path in sorted(SAMPLES.rglob("*.safetensors")))
    for content in (*_files("safetensors"), *samples):
        end = PREFIX + int.from_bytes(content[:PREFIX], "little")
        data = max(len(content) - end, 0)
        yield data.to_bytes(PREFIX, "little") + content[PREFIX:end]


def _torch() -> Iterator[bytes]:
    yield from _files("torch")
    yield from (path.read_bytes() for path in sorted(SAMPLES.glob("*.pth")))


def _pickles() -> Iterator[bytes]:
    kept = assembler.untyped()
    for root in (
        assembler.mapping({"a": assembler.tensor(), "b": assembler.tensor(shape=(3, 2))}),
        assembler.mapping({"m": assembler.mapping({"w": assembler.tensor(strides=(1, 2))})}),
        assembler.list_of(assembler.tensor_v3(kept, "uint16", (2, 3), (3, 1))),
    ):
        yield assembler.pickled(root)
    for content in _torch():
        yield from _member(content, "data.pkl")


def _member(content: bytes, name: str) -> Iterator[bytes]:
    """Members of that name; broken archives have none that could be told from the outside."""
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            found = [one for one in archive.namelist() if one.endswith(name)]
            yield from [archive.read(one) for one in found]
    except Exception:
        return


def _legacy() -> Iterator[bytes]:
    yield assembler.legacy(assembler.legacy_tensor())
    both = assembler.mapping({"a": assembler.legacy_tensor(), "b": assembler.legacy_tensor()})
    yield assembler.legacy(both)
    yield from (content for content in _torch() if content.startswith(assembler.PROTO))


def _zips() -> Iterator[bytes]:
    described = Part(b"a/b", flags=8)
    described.behind = numbers(described)
    yield build([Part(b"a/data.pkl"), Part(b"a/c", method=8), described])
    yield build([Part(b"a/data.pkl")], end64={})
    yield assembler.zipped(assembler.mapping({"w": assembler.tensor()}))
    yield from (content for content in (*_torch(), *_files("numpy")) if content[:2] == b"PK")


_SEEDS: Mapping[str, Callable[[], Iterator[bytes]]] = {
    "header": _headers,
    "pickle": _pickles,
    "legacy": _legacy,
    "zip": _zips,
    "npy": lambda: _files("numpy"),
}

_NAMES = [
    assembler.ORDERED,
    *(
        assembler.name("torch._utils", f"_rebuild_{what}")
        for what in ("tensor", "tensor_v2", "tensor_v3", "parameter")
    ),
    *(assembler.name("torch", what) for what in ("FloatStorage", "Size", "device", "uint16")),
    assembler.name("torch.storage", "UntypedStorage"),
    assembler.tensor(),
    assembler.storage(),
    assembler.text("state_dict"),
    assembler.text("storage"),
    *(bytes([opcode]) + b"\x00" for opcode in b"qhK"),
]
_WORDS: Mapping[str, list[bytes]] = {
    "header": [
        *(b'"%s":' % key for key in (b"dtype", b"shape", b"data_offsets", b"__metadata__")),
        *(b'"%s"' % code for code in (b"F32", b"BF16", b"F4", b"F8_E4M3", b"I64", b"BOOL")),
        *(b"18446744073709551615", b"1e5", b"-1", b"true", b"null", b"[0,0]", b"\\ud800"),
    ],
    "pickle": _NAMES,
    "legacy": _NAMES,
    "zip": [b"PK" + bytes(pair) for pair in ((3, 4), (1, 2), (5, 6), (6, 6), (6, 7), (7, 8))],
    "npy": [
        *(b"'descr': '<f4', ", b"'fortran_order': True, ", b"'shape': (2, 3), ", b"'>c8'"),
        *(b"\x93NUMPY\x01\x00", b"\x93NUMPY\x03\x00", b"9223372036854775807, ", b"3L, "),
    ],
}
