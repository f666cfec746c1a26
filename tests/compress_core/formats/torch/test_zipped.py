from __future__ import annotations

import struct
import zipfile
from pathlib import Path

import pytest

from compress_core import open_weights
from compress_core.errors import FormatError, ModelOptError, UnsupportedError
from compress_core.formats.torch import Torch
from tests.compress_core.formats.torch.assembler import (
    SIX,
    archived,
    mapping,
    pickled,
    storage,
    tensor,
    tensor_v3,
    untyped,
    zipped,
)
from tests.compress_core.formats.torch.conftest import Open

ROOT = mapping({"x": tensor()})
BIG = {"archive/byteorder": b"big"}


def test_what_torch_adds(opened: Open) -> None:
    others = {
        "archive/version": b"3\n",
        "archive/byteorder": b"little",
        "archive/.format_version": b"1",
        "archive/.storage_alignment": b"64",
        "archive/.data/serialization_id": b"0" * 40,
        "archive/data/7": b"of no tensor",
    }
    reader = opened(zipped(ROOT, others=others))
    assert reader.metadata == {"": {"format": "pt"}}
    assert reader.read("x", 0, 2).tolist() == [[0, 1, 2], [3, 4, 5]]


def test_big_endian(opened: Open) -> None:
    data = {"0": struct.pack(">6f", *range(6)), "1": bytes(range(6)), "2": struct.pack(">2H", 1, 2)}
    bytes_ = tensor(storage("1", held="ByteStorage"))
    shorts = tensor_v3(untyped("2", 4), "uint16", (2,), (1,))
    root = mapping({"x": tensor(), "bytes": bytes_, "shorts": shorts})
    reader = opened(zipped(root, data, BIG))
    assert reader.read("x", 0, 2).tolist() == [[0, 1, 2], [3, 4, 5]]
    assert reader.read_bytes("x", 0, 24) == SIX
    assert reader.read_bytes("bytes", 0, 6) == bytes(range(6))
    assert reader.read("shorts", 0, 1).tolist() == [[1, 2]]


def test_big_endian_complex(opened: Open) -> None:
    kept = storage(count=1, held="ComplexFloatStorage")
    root = mapping({"x": tensor(kept, (1,), (1,))})
    reader = opened(zipped(root, {"0": struct.pack(">2f", 1, 2)}, BIG))
    assert reader.read("x", 0, 1).tolist() == [[1 + 2j]]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (zipped(ROOT, others={"archive/byteorder": b"middle"}), "byte order"),
        (zipped(ROOT, others={"other/data.pkl": b""}), "outside of its folder"),
        (zipped(ROOT, others={"readme": b""}), "outside of its folder"),
        (zipped(ROOT, others={"ARCHIVE/DATA.PKL": b""}), "twice"),
        (zipped(ROOT, {}), "no data for storage '0'"),
        (zipped(ROOT, {"0": SIX + b"\0"}), "25 bytes, not 24"),
        (zipped(ROOT, {"0": SIX[:-1]}), "23 bytes, not 24"),
        (archived(pickled(ROOT) + b"\0"), "after the end of data.pkl"),
        (archived(pickled(ROOT) * 2), "after the end of data.pkl"),
        (archived(b""), "cut short"),
        (archived(pickled(ROOT)[:-1]), "cut short"),
        (b"PK\x03\x04", "archive"),
        (b"", "not a PyTorch file"),
        (b"\x00" * 100, "not a PyTorch file"),
    ],
)
def test_broken(opened: Open, content: bytes, said: str) -> None:
    with pytest.raises(FormatError, match=said) as caught:
        opened(content)
    assert (caught.value.where or "").endswith("model.pt")


def test_data_that_no_chosen_tensor_has_are_checked_too(opened: Open) -> None:
    root = mapping({"model": ROOT, "optimizer": mapping({"y": tensor(storage("1"))})})
    with pytest.raises(FormatError, match="storage '1' has 0 bytes"):
        opened(zipped(root, {"0": SIX, "1": b""}))


def test_damaged_pickle(opened: Open) -> None:
    content = bytearray(zipped(ROOT))
    content[content.index(b"storage")] ^= 1
    with pytest.raises(FormatError, match="CRC"):
        opened(bytes(content))


def test_the_crc_of_data_is_not_checked(opened: Open) -> None:
    """PyTorch does not either, and data that were filled in later have a wrong one."""
    content = zipped(ROOT, {"0": bytes(24)})
    filled = content.replace(bytes(24), SIX, 1)
    assert opened(filled).read("x", 0, 2).tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize("name", ["x.pt", "X.PT", "x.Bin", "x.pth.tar", "x.PTH.TAR", "x.ckpt"])
def test_an_archive_is_recognised_by_its_name(name: str) -> None:
    assert Torch.recognises(Path(name), b"PK\x03\x04")
    for other in ("x.tar", "x.zip", "x.pth.tar.zip", "x"):
        assert not Torch.recognises(Path(other), b"PK\x03\x04")


@pytest.mark.parametrize("name", ["x.pth", "x.PTH", "x.pth.tar"])
def test_what_is_damaged_is_still_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(bytes(600))
    with pytest.raises(FormatError, match="not a PyTorch file"):
        open_weights(path)
    path.write_bytes(zipped(ROOT)[:-30])
    with pytest.raises(FormatError, match="an archive that is cut short"):
        open_weights(path)
    path.write_bytes(bytes(257) + b"ustar" + bytes(600))
    with pytest.raises(UnsupportedError, match="a tar archive"):
        open_weights(path)


def test_torchscript(opened: Open) -> None:
    for member in ("archive/constants.pkl", "archive/code/__torch__.py"):
        with pytest.raises(UnsupportedError, match="TorchScript") as caught:
            opened(zipped(ROOT, others={member: b""}))
        hint = caught.value.hint or ""
        assert f"torch.jit.load({caught.value.where!r}).state_dict()" in hint


def test_compressed_data(opened: Open) -> None:
    root = mapping({"x": tensor(storage(count=600))})
    content = zipped(root, {"0": bytes(2400)}, method=zipfile.ZIP_DEFLATED)
    with pytest.raises(UnsupportedError, match="compressed"):
        opened(content)


def test_other_archives(opened: Open) -> None:
    content = zipped(ROOT).replace(b"data.pkl", b"data.txt")
    with pytest.raises(UnsupportedError, match=r"without data.pkl: not PyTorch"):
        opened(content)
    keras = content.replace(b"archive/data.txt", b"model.weights.h5")
    with pytest.raises(UnsupportedError, match="a Keras archive"):
        opened(keras)
    with pytest.raises(UnsupportedError, match="a Keras archive"):
        opened(keras[:-9])


def test_cut_at_every_byte(opened: Open) -> None:
    content = zipped(ROOT)
    for end in range(len(content)):
        with pytest.raises(ModelOptError):
            opened(content[:end])
