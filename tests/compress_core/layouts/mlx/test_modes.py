"""The parts of every mode, byte by byte, against what was worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from compress_core.container import Rows
from compress_core.dtypes import DTYPES
from compress_core.errors import UnsupportedError
from compress_core.layouts.mlx.modes import MODES, Mode, mode_for, mode_named
from compress_core.schemes.affine import Affine
from compress_core.schemes.base import Scheme
from compress_core.schemes.fp8 import Fp8
from compress_core.schemes.integer import Integer
from compress_core.schemes.mxfp4 import Mxfp4
from compress_core.schemes.mxfp8 import Mxfp8
from compress_core.schemes.nvfp4 import Nvfp4
from compress_core.tensors import Form
from compress_core.tiles import Quantized

BF16 = DTYPES["BF16"]
NVFP4 = Nvfp4(4, 16, global_scale=False)


def mode(scheme: Scheme) -> Mode:
    found = mode_for(Form(BF16, scheme))
    assert found is not None
    return found


def stored(scheme: Scheme, codes: NDArray[np.uint8], **figures: Any) -> dict[str, NDArray[Any]]:
    """Local name → rows, as they stand in a file."""
    parameters = {name: np.array([value], np.float32) for name, value in figures.items()}
    shape = codes.shape
    pieces = mode(scheme).pieces(0, (shape[0], shape[1]), Quantized(scheme, codes, parameters))
    specs = mode(scheme).parts((shape[0], shape[1]), scheme)
    assert list(pieces) == list(specs)
    found = {}
    for name, piece in pieces.items():
        assert isinstance(piece, Rows)
        assert piece.array.shape == specs[name].shape
        assert piece.array.dtype == np.dtype(DTYPES[specs[name].dtype].storage)
        found[name] = piece.array
    return found


CODES = (np.arange(32, dtype=np.uint8) % 16).reshape(1, 32)


def test_affine() -> None:
    found = stored(Affine(4, 32, "BF16"), CODES, scale=[-0.5], bias=[3.0])
    assert found["weight"].tolist() == [[0x76543210, 0xFEDCBA98] * 2]
    assert found["scales"].tolist() == [[0xBF00]]
    assert found["biases"].tolist() == [[0x4040]]


def test_symmetric_integers_have_a_bias_of_so_many_steps() -> None:
    found = stored(Integer(4, 32, scale_dtype="F16"), CODES, scale=[-0.5])
    assert found["weight"].tolist() == [[0x76543210, 0xFEDCBA98] * 2]
    assert found["scales"].view(np.float16).tolist() == [[-0.5]]
    assert found["biases"].view(np.float16).tolist() == [[4.0]]


@pytest.mark.parametrize(("dtype", "scale"), [("F16", 9000.0), ("F32", 3e38)])
def test_a_bias_that_its_dtype_does_not_hold_is_an_error(dtype: str, scale: float) -> None:
    with pytest.raises(UnsupportedError, match=f"a bias of its groups does not fit {dtype}"):
        stored(Integer(4, 32, scale_dtype=dtype), CODES, scale=[scale])


def test_floats_of_4_bits() -> None:
    found = stored(Mxfp4(4, 32), CODES, scale=[0.25])
    assert found["weight"].tolist() == [[0x76543210, 0xFEDCBA98] * 2]
    assert found["scales"].tolist() == [[125]]
    found = stored(NVFP4, CODES, scale=[1.0, 0.0625])
    assert found["scales"].tolist() == [[0x38, 0x18]]
    assert found.keys() == {"weight", "scales"}


def test_floats_of_8_bits() -> None:
    found = stored(Mxfp8(8, 32), CODES + np.uint8(0x30), scale=[4.0])
    assert found["weight"].tolist()[0][:4] == [0x33323130, 0x37363534, 0x3B3A3938, 0x3F3E3D3C]
    assert found["scales"].tolist() == [[129]]


@pytest.mark.parametrize(
    "scheme",
    [
        Affine(7, 64),
        Affine(4, 16),
        Affine(4, "channel"),
        Integer(4, 64, symmetric=False),
        Integer(4, 64, center="mean"),
        Integer(7, 64),
        Mxfp4(4, 16),
        Nvfp4(4, 16),
        Fp8(8, 32),
    ],
    ids=str,
)
def test_what_no_mode_holds(scheme: Scheme) -> None:
    assert mode_for(Form(BF16, scheme)) is None


def test_codes_with_other_inputs_are_not_held() -> None:
    assert all(not one.holds(Form(BF16, Affine(4, 64), inputs="int8")) for one in MODES)
    assert all(not one.holds(Form(BF16, Mxfp8(8, 32), inputs="fp8")) for one in MODES)


def test_modes_have_the_names_of_mlx() -> None:
    assert [one.name for one in MODES] == ["affine", "mxfp4", "mxfp8", "nvfp4"]
    assert mode_named("mxfp8") is MODES[2]
    assert mode_named("other") is None
