"""NumPy's files: every array of numbers, of any order, and nothing else."""

from __future__ import annotations

import io
import json
import os
import random
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from compress_core import open_weights
from compress_core.archive import Archive, Member
from compress_core.container import Reader
from compress_core.errors import (
    FormatError,
    InputError,
    ModelOptError,
    OutputError,
    UnsupportedError,
)
from compress_core.formats.numpy import Numpy
from tests.compress_core.zips import Part, build, deflated

Array = np.ndarray[Any, Any]
Save = Callable[..., None]

CORPUS = Path(__file__).parents[2] / "corpus" / "bad_inputs"
CASES = [
    case
    for case in json.loads((CORPUS / "expected.json").read_text(encoding="utf-8"))["cases"]
    if case["kind"] == "numpy"
]

CODES = {
    "b1": "BOOL",
    **{f"{kind}{width}": f"{kind.upper()}{8 * width}" for kind in "iu" for width in (1, 2, 4, 8)},
    "f2": "F16",
    "f4": "F32",
    "f8": "F64",
    "c8": "C64",
}
# NumPy's word on headers of that time
PYTHON_2 = "ignore:Reading `.npy` or `.npz` file required additional header parsing:UserWarning"

DTYPES = st.sampled_from([order + code for code in CODES for order in "<>"])


def npy(header: str, data: bytes = b"", version: tuple[int, int] = (1, 0)) -> bytes:
    """An array's file with any header."""
    text = header.encode("latin-1")
    width = 2 if version == (1, 0) else 4
    return b"\x93NUMPY" + bytes(version) + len(text).to_bytes(width, "little") + text + data


def described(descr: object = "<f4", shape: object = (2,), fortran: object = False) -> str:
    return str({"descr": descr, "fortran_order": fortran, "shape": shape}) + "\n"


def saved(array: Array) -> bytes:
    into = io.BytesIO()
    np.save(into, array)
    return into.getvalue()


def saved_all(save: Save, named: Mapping[str, Array]) -> bytes:
    into = io.BytesIO()
    save(into, **named)
    return into.getvalue()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "weights.npy"


def opened(path: Path, content: bytes) -> Reader:
    path.write_bytes(content)
    return Numpy.open(path)


def in_c_order(array: Array) -> bytes:
    """The bytes that a tensor has: little-endian, the last index fastest."""
    return array.astype(array.dtype.newbyteorder("<"), order="C").tobytes("C")


def check(reader: Reader, name: str, wanted: Array, cut: float) -> None:
    """Read a tensor by rows and by bytes, in two pieces."""
    info = reader.infos[name]
    assert info.dtype.code == CODES[wanted.dtype.str[1:]]
    assert info.shape == wanted.shape
    data = in_c_order(wanted)
    assert info.nbytes == len(data)
    rows = info.matrix[0]
    at = int(rows * cut)
    both = [reader.read(name, *span) for span in ((0, at), (at, rows))]
    assert b"".join(part.tobytes() for part in both) == data
    at = int(len(data) * cut)
    assert reader.read_bytes(name, 0, at) + reader.read_bytes(name, at, len(data)) == data


@st.composite
def numbers(draw: st.DrawFn) -> Array:
    """An array of any dtype that is read: in C order, Fortran order, or of strange strides."""
    shape = draw(arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5))
    dtype = np.dtype(draw(DTYPES))
    count = int(np.prod(shape)) * dtype.itemsize
    data = draw(st.binary(min_size=count, max_size=count))
    if dtype.kind == "b":
        data = bytes(byte & 1 for byte in data)
    array: Array = np.frombuffer(data, dtype).reshape(shape)
    order = draw(st.sampled_from(["C", "F", "permuted"]))
    if order == "F":
        return np.asfortranarray(array)
    return array.transpose(draw(st.permutations(range(array.ndim)))) if order != "C" else array


@given(array=numbers(), cut=st.floats(0, 1))
def test_an_array_that_numpy_writes_is_read(
    array: Array, cut: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "given.npy"
    with opened(path, saved(array)) as reader:
        assert list(reader.infos) == ["given"]
        check(reader, "given", array, cut)


KEYS = st.text(st.characters(codec="utf-8", exclude_characters="\0\\"), max_size=8)


@given(
    named=st.dictionaries(KEYS.filter(lambda key: key != "file"), numbers(), max_size=4),
    save=st.sampled_from([np.savez, np.savez_compressed]),
    cut=st.floats(0, 1),
)
def test_arrays_that_numpy_writes_are_read(
    named: dict[str, Array], save: Save, cut: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "given.npz"
    with opened(path, saved_all(save, named)) as reader:
        assert list(reader.infos) == list(named)
        assert reader.size() == path.stat().st_size
        assert Numpy.recognises(path, path.read_bytes()[:4096])
        for name, array in named.items():
            check(reader, name, array, cut)


@pytest.mark.filterwarnings(PYTHON_2)
@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["name"]))
def test_the_corpus_is_read_as_numpy_reads_it(case: dict[str, Any]) -> None:
    path = CORPUS / case["path"]
    found = verdict(path)
    if case["expected"] == "error":
        assert isinstance(found, InputError)
    if case["expected"] != "ok":
        return
    assert not isinstance(found, ModelOptError)
    loaded = np.load(path, allow_pickle=False)
    named = dict(loaded) if path.suffix == ".npz" else {path.stem: loaded}
    assert found == {name: (array.shape, in_c_order(array)) for name, array in named.items()}


def verdict(path: Path) -> dict[str, tuple[tuple[int, ...], bytes]] | ModelOptError:
    """Everything that a file holds, or the error that it is refused with."""
    try:
        with Numpy.open(path) as reader:
            return {
                name: (info.shape, reader.read(name, 0, info.matrix[0]).tobytes())
                for name, info in reader.infos.items()
            }
    except ModelOptError as error:
        return error


EIGHT = bytes(range(8))

HEADERS = {
    "other order": "{'shape': (2,), 'fortran_order': False, 'descr': '<f4'}",
    "double quotes": '{"descr": "<f4", "fortran_order": False, "shape": (2,)}',
    "no spaces": "{'descr':'<f4','fortran_order':False,'shape':(2,),}",
    "many spaces": "  { 'descr' : '<f4' ,\n'fortran_order'\t: False, 'shape': ( 2 , ) , }  \n",
    "Python 2": "{'descr': '<f4', 'fortran_order': False, 'shape': (2L,), }",
    "two sizes": "{'descr': '<f4', 'fortran_order': True, 'shape': (1, 2), }",
    "three sizes": "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2, 1,), }",
}


@pytest.mark.filterwarnings(PYTHON_2)
@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
@pytest.mark.parametrize("what", HEADERS)
def test_headers_of_other_writers(what: str, version: tuple[int, int], path: Path) -> None:
    content = npy(HEADERS[what], EIGHT, version)
    with opened(path, content) as reader:
        assert reader.read_bytes("weights", 0, 8) == EIGHT
    if (what, version) != ("Python 2", (3, 0)):  # which it never wrote
        assert np.load(path).tobytes() == EIGHT


BROKEN = {
    "nothing": b"",
    "only its magic": b"\x93NUMPY",
    "no length": b"\x93NUMPY\x01\x00v",
    "version 1.1": npy(described(), EIGHT, (1, 1)),
    "version 4.0": npy(described(), EIGHT, (4, 0)),
    "cut in its header": npy(described(), EIGHT)[:40],
    "a header of 4 GB": b"\x93NUMPY\x02\x00" + b"\xff" * 4 + described().encode(),
    "a header of 20 kB": npy(described() + " " * 20_000, EIGHT),
    "an empty header": npy("", EIGHT),
    "a list": npy("[1, 2]", EIGHT),
    "a set": npy("{'descr', 'shape', 'fortran_order'}", EIGHT),
    "nothing in it": npy("{}", EIGHT),
    "no shape": npy("{'descr': '<f4', 'fortran_order': False}", EIGHT),
    "another key": npy(described()[:-2] + ", 'more': 1}", EIGHT),
    "a key twice": npy(described()[:-2] + ", 'shape': (2,)}", EIGHT),
    "no brace": npy(described()[:-2], EIGHT),
    "two dictionaries": npy(described() * 2, EIGHT),
    "something behind": npy(described() + "x", EIGHT),
    "an expression": npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1+1,)}", EIGHT),
    "a call": npy("{'descr': '<f4', 'fortran_order': False, 'shape': print()}", EIGHT),
    "deeply nested": npy(described(shape="x").replace("'x'", "(" * 5000), EIGHT),
    "many signs": npy(described(shape="x").replace("'x'", "-" * 9000 + "1"), EIGHT),
    "shape is a number": npy(described(shape=2), EIGHT),
    "shape in brackets alone": npy(described().replace("(2,)", "(2)"), EIGHT),
    "shape is a list": npy(described(shape=[2]), EIGHT),
    "shape of a comma": npy(described().replace("(2,)", "(,)"), EIGHT),
    "shape of two commas": npy(described().replace("(2,)", "(2,,)"), EIGHT),
    "a negative size": npy(described(shape=(-2,)), EIGHT),
    "a size that is a float": npy(described(shape=(2.0,)), EIGHT),
    "a size that is a truth": npy(described(shape=(True, 2)), EIGHT),
    "a size that begins with 0": npy(described().replace("(2,)", "(02,)"), EIGHT),
    "a control character behind": npy(described() + "\x1f", EIGHT),
    "a control character inside": npy(described().replace(",)", ",\x1f)"), EIGHT),
    "a vertical tab": npy(described().replace(", ", ",\v"), EIGHT),
    "a size of 30 digits": npy(described(shape=(0, 10**29))),
    "sizes that overflow": npy(described(shape=(2**62 + 1, 2)), EIGHT),
    "sizes that overflow on the way to 0": npy(described(shape=(2**62, 2, 0))),
    "65 dimensions": npy(described(shape=(1,) * 65), EIGHT[:4]),
    "order is a number": npy(described(fortran=1), EIGHT),
    "order is text": npy(described(fortran="False"), EIGHT),
    "data cut short": npy(described(), EIGHT[:-1]),
    "data that goes on": npy(described(), EIGHT + b"x"),
    "another array behind": saved(np.ones(2)) * 2,
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_breaks_the_rules_is_refused(what: str, path: Path) -> None:
    with pytest.raises((FormatError, UnsupportedError)) as caught:
        opened(path, BROKEN[what])
    assert caught.value.where == str(path)
    assert caught.value.message.isprintable()


UNSUPPORTED: dict[str, tuple[object, str]] = {
    "objects": ("|O", "pickle"),
    "text": ("<U3", "text"),
    "bytes": ("|S3", "text"),
    "no bytes": ("|S0", "text"),
    "dates": ("<M8[D]", "dates"),
    "time differences": ("<m8", "time differences"),
    "long double": ("<f16", "safetensors does not have"),
    "complex128": ("<c16", "safetensors does not have"),
    "bfloat16": ("<V2", "bfloat16"),
    "fp8": ("<V1", "FP8"),
    "raw bytes": ("|V3", "raw bytes"),
    "no width": ("<f", "safetensors does not have"),
    "a width of 0": ("<f0", "safetensors does not have"),
    "a width of 3": ("<i3", "safetensors does not have"),
    "booleans of two bytes": ("<b2", "safetensors does not have"),
    "no order": ("f4", "byte order"),
    "order of a machine": ("=f4", "byte order"),
    "no order where there is one": ("|f4", "byte order"),
    "a name": ("float32", "unknown dtype"),
    "a float of days": ("<f4[D]", "unknown dtype"),
    "a width that begins with 0": ("<f04", "unknown dtype"),
    "several": ("<f4,<f4", "unknown dtype"),
    "nothing": ("", "unknown dtype"),
    "records": ([("a", "<f4"), ("b", "|O")], "records"),
    "arrays in an array": (("<f4", (10**6, 10**6)), "records"),
    "names of records": ([("ü", "<f4")], "records"),
}


@pytest.mark.parametrize("what", UNSUPPORTED)
def test_what_is_no_array_of_numbers_is_refused_by_name(what: str, path: Path) -> None:
    descr, said = UNSUPPORTED[what]
    content = npy(described(descr), EIGHT)
    with pytest.raises(UnsupportedError, match=said) as caught:
        opened(path, content)
    assert caught.value.hint
    with pytest.raises(UnsupportedError, match=f"member 'x.npy': .*{said}"):
        opened(path, build([Part(b"x.npy", content)]))


@pytest.mark.filterwarnings("ignore:.*metadata on a dtype:UserWarning")
@pytest.mark.parametrize("dtype", ["bfloat16", "float8_e4m3fn"])
def test_what_ml_dtypes_writes_is_named(dtype: str, path: Path) -> None:
    with pytest.raises(UnsupportedError, match="NumPy's files do not keep") as caught:
        opened(path, saved(np.ones(3, getattr(ml_dtypes, dtype))))
    assert "astype('float32')" in str(caught.value.hint)


def test_an_array_is_named_after_its_file(tmp_path: Path) -> None:
    for file, name in {
        "weights.npy": "weights",
        "a.b.NPY": "a.b",
        "plain": "plain",
        ".npy": ".npy",
        os.fsdecode(b"\xff.npy"): "array",
    }.items():
        with opened(tmp_path / file, saved(np.ones(2))) as reader:
            assert list(reader.infos) == [name]


def test_members_are_arrays(path: Path) -> None:
    array = saved(np.ones(2))
    for name in (b"x", b"x.NPY", b"x.npy.txt", b"x.npy/"):
        with pytest.raises(FormatError, match=r"does not end in \.npy") as caught:
            opened(path, build([Part(b"a.npy", array), Part(name, array)]))
        assert caught.value.hint == f"take it out: zip -d {path} {name.decode()}"
    with opened(path, build([Part(b"d/", b""), Part(b"d/x.npy", array)])) as reader:
        assert list(reader.infos) == ["d/x"]


def test_keys_are_taken_as_they_are(path: Path) -> None:
    named = {"W": np.ones(1), "w": np.zeros(1), "": np.ones(2), "/a/../b": np.ones(3)}
    with opened(path, saved_all(np.savez, named)) as reader:
        assert list(reader.infos) == list(named)


def test_stored_members_are_read_in_place_and_deflated_ones_are_spooled(path: Path) -> None:
    noise, zeros = np.random.default_rng(1).random(1000), np.zeros(10_000)
    with opened(path, saved_all(np.savez, {"a": noise})) as reader:
        assert reader.spooled() == 0
        assert reader.stored_bytes("a") == noise.nbytes
    with opened(path, saved_all(np.savez_compressed, {"a": noise, "b": zeros})) as reader:
        assert reader.spooled() >= noise.nbytes + zeros.nbytes
        assert reader.stored_bytes("b") < 1000 < reader.infos["b"].nbytes


def test_a_damaged_deflated_member_is_an_error_when_it_is_read(path: Path) -> None:
    part = Part(b"x.npy", saved(np.arange(100.0)), method=8)
    part.data = deflated(saved(np.arange(1.0, 101.0)))
    with opened(path, build([part])) as reader, pytest.raises(FormatError, match="CRC"):
        reader.read("x", 0, 1)


def damaged(content: bytes) -> bytes:
    """The same with one bit of the first array's data turned over."""
    changed = bytearray(content)
    changed[content.index(np.float64(77).tobytes())] ^= 1
    return bytes(changed)


def test_a_damaged_stored_member_is_an_error_when_it_is_read(path: Path) -> None:
    named = {
        "a": np.arange(2, 4000.0)[:, None],
        "b": np.asfortranarray(np.eye(50)),
        "c": np.ones(3),
    }
    with opened(path, damaged(saved_all(np.savez, named))) as reader:
        for _ in range(2):
            with pytest.raises(FormatError, match=r"member 'a.npy' is damaged: its CRC") as caught:
                reader.read("a", 3000, 3001)
            assert caught.value.where == str(path)
        for name in "bc":
            check(reader, name, named[name], 0.5)


def test_a_stored_member_is_checked_once_and_whoever_comes_meanwhile_waits(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks: list[str] = []
    verify = Archive.verify

    def slow(archive: Archive, member: Member) -> None:
        time.sleep(0.05)
        verify(archive, member)
        checks.append(member.name)

    monkeypatch.setattr(Archive, "verify", slow)
    named = {"a": np.arange(64.0)[:, None], "b": np.ones(64)}
    with opened(path, saved_all(np.savez, named)) as reader, ThreadPoolExecutor(8) as pool:
        assert not checks
        found = list(pool.map(lambda row: reader.read("a", row, row + 1)[0, 0], range(64)))
        assert found == list(range(64))
        assert checks == ["a.npy"]


@pytest.mark.parametrize(
    "content",
    [
        saved_all(np.savez, {"a": np.ones(2)}),
        saved_all(np.savez, {}),
        saved_all(np.savez_compressed, {"a": np.ones(2)}),
    ],
)
def test_files_are_recognised(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    path.write_bytes(content)
    with open_weights(path) as reader:
        assert not reader.notes
    assert Numpy.recognises(path, content[:4096])


@pytest.mark.parametrize(
    "content",
    [b"", b"\x93NUMPX", build([Part(b"archive/data.pkl")]), build([Part(b"config.json")]), b"{}"],
)
def test_others_are_not_recognised(content: bytes) -> None:
    assert not Numpy.recognises(Path("x.npz"), content)
    assert not Numpy.recognises(Path("x.zip"), build([]))


def test_an_array_is_recognised_by_its_content(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    path.write_bytes(saved(np.ones(2)))
    with open_weights(path) as reader:
        assert not reader.notes
    assert Numpy.recognises(Path("x"), path.read_bytes())


def bomb(count: int, *, size: int = 64 << 20) -> bytes:
    """An archive of zeros: a thousandth of what it holds."""
    whole = npy(described("|u1", (size,)).ljust(118), bytes(size))
    packed = deflated(whole)
    parts = (Part(b"%d.npy" % index, whole, method=8, data=packed) for index in range(count))
    return build(list(parts))


def test_zeros_may_be_a_thousand_times_their_file(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pruned models are like that. Opening takes no time, and reading asks for room first."""
    path.write_bytes(bomb(20))
    assert path.stat().st_size < 2 << 20
    started = time.monotonic()
    with Numpy.open(path) as reader:
        assert time.monotonic() - started < 1
        assert reader.spooled() > 20 * 64 << 20
        monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result([4096] * 2 + [9] * 8))
        with pytest.raises(OutputError, match=r"disk full: needs 1\.25 GiB"):
            reader.read("7", 0, 1)


def test_a_claim_that_deflate_cannot_keep_is_refused_at_once(path: Path) -> None:
    head = npy(described("|u1", (2 << 30,)))
    size = len(head) + (2 << 30)
    part = Part(b"x.npy", head + bytes(30_000), method=8, local={"size": size})
    part.central = part.local
    with pytest.raises(FormatError, match="cannot inflate to"):
        opened(path, build([part]))


READ = """
import sys
from pathlib import Path
from compress_core.formats.numpy import Numpy
with Numpy.open(Path(sys.argv[1])) as reader:
    for name, info in reader.infos.items():
        for row in range(info.matrix[0]):
            reader.read(name, row, row + 1)
"""

# a small process starts it: a large one, as that of the tests, would hand down its own figure
MEASURE = """
import resource, subprocess, sys
subprocess.run([sys.executable, "-c", *sys.argv[1:]], check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def peak(path: Path) -> int:
    """The most memory that a process has while it reads a file by rows, in bytes."""
    command = [sys.executable, "-c", MEASURE, READ, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout) * (1024 if sys.platform == "linux" else 1)


def deflated_matrix(path: Path, size: int) -> Path:
    head = npy(described("|u1", (64, size // 64)))
    archive = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED)
    with archive, archive.open("x.npy", "w") as member:
        member.write(head)
        for _ in range(size >> 20):
            member.write(bytes(1 << 20))
    return path


def test_memory_does_not_grow_with_what_is_deflated(path: Path) -> None:
    small = peak(deflated_matrix(path, 1 << 20))
    large = peak(deflated_matrix(path, 256 << 20))
    assert large - small < 32 << 20


def mutated(rng: random.Random, whole: bytes) -> bytes:
    changed = bytearray(whole)
    # half of the changes hit headers
    end = len(changed) if rng.random() < 0.5 else min(len(changed), 200)
    kind = rng.randrange(4)
    if kind == 0:
        for _ in range(rng.randint(1, 4)):
            changed[rng.randrange(end)] ^= 1 << rng.randrange(8)
    elif kind == 1:
        at = rng.randrange(end)
        changed[at : at + rng.randint(0, 4)] = rng.choice([b"9" * 9, b"(", b"}", b"\0", b"'", b"L"])
    elif kind == 2:
        start, at = rng.randrange(end), rng.randrange(end)
        changed[at : at + rng.choice([0, 60])] = changed[start : start + rng.randint(1, 60)]
    else:
        del changed[rng.randrange(len(changed)) :]
    return bytes(changed)


def samples() -> Iterator[bytes]:
    named = {"a": np.arange(6.0).reshape(2, 3), "b/w": np.asfortranarray(np.eye(3, dtype=">f4"))}
    yield from (saved(array) for array in named.values())
    yield saved(np.arange(5, dtype=np.uint8))
    yield saved_all(np.savez, named)
    yield saved_all(np.savez_compressed, named)


@pytest.mark.parametrize("whole", list(samples()), ids=["c", "fortran", "bytes", "npz", "deflated"])
def test_mutants_raise_one_kind_of_error_or_are_read(whole: bytes, path: Path) -> None:
    rng = random.Random(len(whole))
    refused = 0
    for _ in range(1000):
        path.write_bytes(mutated(rng, whole))
        found = verdict(path)
        if isinstance(found, ModelOptError):
            refused += 1
            assert isinstance(found, InputError)
            assert found.where == str(path)
            assert found.message.isprintable()
    assert refused > 400


def test_opening_needs_no_numpy(path: Path) -> None:
    path.write_bytes(saved_all(np.savez_compressed, {"a": np.ones((3, 4), order="F")}))
    code = (
        "import sys\nfrom pathlib import Path\nfrom compress_core.formats.numpy import Numpy\n"
        "print(list(Numpy.open(Path(sys.argv[1])).infos), 'numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True)
    assert done.stdout == "['a'] False\n", done.stderr
