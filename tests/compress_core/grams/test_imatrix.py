"""Importance matrices of llama.cpp: their values, whose they are, and what is refused by name."""

from __future__ import annotations

import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from compress_core import Report, Settings, compress, from_config, open_weights
from compress_core.dtypes import DTYPES
from compress_core.errors import FormatError, InputError, UnsupportedError, UsageError
from compress_core.grams import Grams, open_grams
from compress_core.tensors import TensorInfo
from tests.compress_core.grams.imatrix_files import dat, gguf

Made = Callable[[dict[str, NDArray[Any]]], bytes]
FORMATS = pytest.mark.parametrize("made", [dat, gguf])

Q, DOWN, HEAD = "blk.0.attn_q.weight", "blk.11.ffn_down.weight", "output.weight"


def squares() -> dict[str, NDArray[Any]]:
    random = np.random.default_rng(5)
    return {
        Q: np.exp(random.standard_normal(48)),
        DOWN: np.exp(random.standard_normal(32)),
        HEAD: np.exp(random.standard_normal(48)),
    }


def info(name: str, columns: int, rows: int = 10) -> TensorInfo:
    return TensorInfo(name, DTYPES["F32"], (rows, columns), 4 * rows * columns)


INFOS = [info(Q, 48), info(DOWN, 32), info(HEAD, 48)]


def opened(folder: Path, data: bytes, infos: Any = INFOS, suffix: str = "dat") -> Grams:
    path = folder / f"i.{suffix}"
    path.write_bytes(data)
    return open_grams(path, infos)


@FORMATS
@pytest.mark.parametrize("suffix", ["dat", "gguf", "imatrix"])
def test_values_are_mean_squares_up_to_a_factor(made: Made, suffix: str, tmp_path: Path) -> None:
    with opened(tmp_path, made(squares()), suffix=suffix) as grams:
        assert grams.diagonal
        assert grams.columns == {Q: 48, DOWN: 32, HEAD: 48}
        assert (grams.with_mean, grams.notes) == (frozenset(), [])
        for name, wanted in squares().items():
            grams.check(name)
            assert grams.samples(name) == ("in_sample",)
            assert grams.means(name) == {}
            found = grams.energies(name, "in_sample")
            factor = found / wanted
            np.testing.assert_allclose(factor, factor[0], rtol=1e-6)
            assert 0.5 <= found.max() < 1
            matrix = grams.matrix(name)
            np.testing.assert_array_equal(matrix, np.diag(found.astype(np.float32)))
            np.testing.assert_array_equal(grams.rows(name, "in_sample", 5, 99), matrix[5:])


@FORMATS
def test_names_of_llama_are_those_of_transformers(made: Made, tmp_path: Path) -> None:
    infos = [
        info("model.layers.0.self_attn.q_proj.weight", 48),
        info("model.layers.11.mlp.down_proj.weight", 32),
        info("lm_head.weight", 48),
        info("model.layers.1.mlp.down_proj.weight", 32),
    ]
    with opened(tmp_path, made(squares()), infos) as grams:
        assert set(grams.columns) == {one.name for one in infos[:3]}


@FORMATS
def test_what_is_for_no_tensor_is_said(made: Made, tmp_path: Path) -> None:
    more = {"blk.0.ffn_up_exps.weight": np.ones(96), "blk.0.ssm_out.weight": np.ones(3)}
    with opened(tmp_path, made(squares() | more)) as grams:
        assert grams.notes == [
            "the importance matrix has blk.0.ffn_up_exps.weight and 1 more for no tensor"
            " of the input"
        ]


@FORMATS
def test_that_of_another_model_is_refused(made: Made, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no tensor of the input is in this importance") as caught:
        opened(tmp_path, made(squares()), [info("a.weight", 48)])
    assert f"names are such as {Q}" in str(caught.value.hint)


@FORMATS
def test_a_width_that_is_not_the_tensors_is_refused_by_name(made: Made, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=rf"tensor {Q}: it has 48 values, and {Q} has 47 inputs"):
        opened(tmp_path, made(squares()), [info(Q, 47)])


@FORMATS
def test_two_entries_for_one_tensor_are_refused(made: Made, tmp_path: Path) -> None:
    name = "model.layers.0.self_attn.q_proj.weight"
    both = {Q: np.ones(48), name: np.ones(48)}
    with pytest.raises(FormatError, match=f"{Q} is the same tensor"):
        opened(tmp_path, made(both), [info(name, 48)])


@FORMATS
@pytest.mark.parametrize("bad", [np.nan, np.inf, -1.0])
def test_values_that_are_no_squares_are_refused_by_name(
    bad: float, made: Made, tmp_path: Path
) -> None:
    own = squares()
    own[Q][7] = bad
    with opened(tmp_path, made(own)) as grams:
        grams.check(DOWN)
        with pytest.raises(FormatError, match=f"tensor {Q}: it holds"):
            grams.check(Q)


@pytest.mark.parametrize("count", [-1.0, np.nan, np.inf])
def test_counts_that_are_none_are_refused_by_name(count: float, tmp_path: Path) -> None:
    data = gguf(squares(), {Q: np.array([count])})
    with (
        opened(tmp_path, data) as grams,
        pytest.raises(FormatError, match=f"tensor {Q}: .*count"),
    ):
        grams.check(Q)


def test_without_inputs_all_columns_count_alike(tmp_path: Path) -> None:
    with opened(tmp_path, gguf(squares(), {Q: np.array([0.0])})) as grams:
        assert set(grams.energies(Q, "in_sample")) == {0.5}


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("alignment", [None, 8, 256])
def test_gguf_may_be_aligned_otherwise(version: int, alignment: int | None, tmp_path: Path) -> None:
    data = gguf(squares(), version=version, alignment=alignment)
    with opened(tmp_path, data) as grams:
        np.testing.assert_allclose(
            grams.energies(DOWN, "in_sample") / squares()[DOWN], 2.0**-2, rtol=1
        )


def test_zeros_are_the_matrix_of_no_input(tmp_path: Path) -> None:
    with opened(tmp_path, dat({Q: np.zeros(48)})) as grams:
        assert not grams.energies(Q, "in_sample").any()


def _entry(name: bytes = b"a", calls: int = 1, size: int = 1, length: int | None = None) -> bytes:
    length = len(name) if length is None else length
    return struct.pack("<i", length) + name + struct.pack("<iif", calls, size, 1.0)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "ends too early"),
        (struct.pack("<i", 0) + b"x" * 40, "it would have 0 entries"),
        (struct.pack("<i", -2) + b"x" * 40, "it would have -2 entries"),
        (struct.pack("<i", 2**30) + b"x" * 40, "it would have 1,073,741,824 entries"),
        (struct.pack("<i", 1) + _entry(length=2**31 - 1), "the name of entry 1 has 2,147,483,647"),
        (struct.pack("<i", 1) + _entry(length=-1), "the name of entry 1 has -1 bytes"),
        (struct.pack("<i", 1) + _entry(b"\xff"), "not UTF-8"),
        (struct.pack("<i", 1) + _entry(calls=-3), "tensor a: it was summed over -3 calls"),
        (struct.pack("<i", 1) + _entry(size=0), "tensor a: 0 values"),
        (struct.pack("<i", 1) + _entry(size=-1), "tensor a: -1 values"),
        (struct.pack("<i", 1) + _entry(size=2**31 - 1), "tensor a: 2,147,483,647 values"),
        (struct.pack("<i", 2) + 2 * _entry(), "tensor a: it is there twice"),
        (struct.pack("<i", 2) + _entry(b"a" * 16) + b"\x01\0\0\0b\0\0", "in the entry b too early"),
    ],
)
def test_an_old_file_that_is_broken_is_refused(data: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=message) as caught:
        opened(tmp_path, data)
    assert caught.value.where == str(tmp_path / "i.dat")


def _keys(count: int, tensors: int = 0, version: int = 3, rest: bytes = b"") -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, tensors, count) + rest


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (b"GGUF", FormatError, "ends too early"),
        (_keys(0, version=1), UnsupportedError, "GGUF of version 1"),
        (_keys(2**60), FormatError, "of 1,152,921,504,606,846,976 keys"),
        (_keys(0, 2**60), FormatError, "of 1,152,921,504,606,846,976 tensors"),
        (_keys(1, rest=struct.pack("<Q", 2**62)), FormatError, "a text of"),
        (_keys(1, rest=struct.pack("<Q", 1) + b"\xff"), FormatError, "not UTF-8"),
        (_keys(0), UnsupportedError, "of type 'model', and no importance matrix"),
        (gguf(squares(), kind="adapter"), UnsupportedError, "of type 'adapter'"),
        (gguf(squares(), alignment=3), FormatError, "an alignment of 3 bytes"),
        (gguf(squares(), more={"a.counts": np.ones((1, 1))}), FormatError, "tensor a.counts"),
        (gguf(squares(), more={"a.in_sum2": np.ones((1, 1))}), FormatError, "no count of its"),
        (gguf(squares())[:-150], FormatError, rf"tensor {HEAD}.in_sum2: 48 values at"),
    ],
)
def test_a_gguf_file_that_is_broken_is_refused(
    data: bytes, error: type[InputError], message: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=message) as caught:
        opened(tmp_path, data)
    assert caught.value.where == str(tmp_path / "i.dat")


@FORMATS
def test_whatever_happens_to_a_file_it_is_read_or_refused(made: Made, tmp_path: Path) -> None:
    whole = made(squares())

    @settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        st.integers(0, len(whole)),
        st.lists(st.tuples(st.integers(0, len(whole) - 1), st.integers(0, 255)), max_size=4),
    )
    @example(len(whole), [])
    def check(length: int, changes: list[tuple[int, int]]) -> None:
        data = bytearray(whole)
        for at, byte in changes:
            data[at] = byte
        with (
            suppress(InputError, UsageError),
            opened(tmp_path, bytes(data[:length])) as grams,
        ):
            for name in grams.columns:
                grams.check(name)
                assert np.isfinite(grams.matrix(name)).all()

    check()


ROWS = 300


def _compressed(folder: Path, step: dict[str, Any], gram: str) -> tuple[Report, NDArray[Any]]:
    target = folder / "o.safetensors"
    spec = {"version": 1, "passes": [step], "gram": gram, "output": {"layout": "dense"}}
    report = compress(folder / "m.safetensors", target, from_config(spec), Settings(replace=True))
    return report, load_file(target)[Q]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A layer, its importance matrix, and the same as a Gram file with zeros."""
    weight = np.random.default_rng(1).standard_normal((ROWS, 48)).astype(np.float32)
    save_file({Q: weight}, tmp_path / "m.safetensors")
    (tmp_path / "i.dat").write_bytes(dat({Q: squares()[Q]}))
    with open_weights(tmp_path / "m.safetensors") as reader:
        infos = list(reader.infos.values())
    with open_grams(tmp_path / "i.dat", infos) as grams:
        save_file({f"{Q[:-7]}.gram": grams.matrix(Q)}, tmp_path / "g.safetensors")
    return tmp_path


@pytest.mark.parametrize(
    "step",
    [
        *(
            {"pass": "prune", "sparsity": 0.5, "method": method}
            for method in ("wanda", "sparsegpt", "l1", "l2", "dynamic", "admm", "magnitude")
        ),
        *({"pass": "quantize", "bits": 3, "refine": way} for way in ("gptq", "cd", "ste", "none")),
    ],
    ids=lambda step: step.get("method") or f"refine-{step['refine']}",
)
def test_a_diagonal_is_the_matrix_with_zeros(step: dict[str, Any], model: Path) -> None:
    report, found = _compressed(model, step, str(model / "i.dat"))
    dense, wanted = _compressed(model, step, str(model / "g.safetensors"))
    np.testing.assert_array_equal(found, wanted)
    outputs, other = report.totals.outputs, dense.totals.outputs
    assert outputs is not None
    assert other is not None
    assert outputs.held_out is None
    assert outputs.in_sample.error == pytest.approx(other.in_sample.error, rel=1e-6)
    before, energies = load_file(model / "m.safetensors")[Q].astype(float), squares()[Q]
    error = np.sum((before - found) ** 2 * energies) / np.sum(before**2 * energies)
    assert outputs.in_sample.error == pytest.approx(np.sqrt(error), rel=1e-6)


@pytest.mark.parametrize("method", ["sparsegpt", "l1", "l2", "dynamic", "admm"])
def test_a_refit_changes_nothing_that_stays(method: str, model: Path) -> None:
    step = {"pass": "prune", "sparsity": 0.5, "method": method}
    _, found = _compressed(model, step, str(model / "i.dat"))
    before = load_file(model / "m.safetensors")[Q]
    stays = found != 0
    assert np.count_nonzero(stays) == ROWS * 24
    np.testing.assert_allclose(found[stays], before[stays], rtol=2e-6)


def test_feedback_rounds_to_the_nearest(model: Path) -> None:
    step = {"pass": "quantize", "bits": 3, "refine": "gptq"}
    _, found = _compressed(model, step, str(model / "i.dat"))
    _, nearest = _compressed(model, step | {"refine": "none"}, str(model / "i.dat"))
    np.testing.assert_array_equal(found, nearest)


def test_biases_have_no_mean_to_go_by(model: Path) -> None:
    arrays = load_file(model / "m.safetensors")
    save_file(arrays | {"blk.0.attn_q.bias": np.ones(ROWS, "f4")}, model / "m.safetensors")
    spec = {
        "version": 1,
        "passes": [{"pass": "quantize", "bits": 3}, {"pass": "bias-correction"}],
        "gram": str(model / "i.dat"),
    }
    report = compress(model / "m.safetensors", model / "o.safetensors", from_config(spec))
    assert any("no Gram file has the mean" in note for note in report.notes)
    assert report.totals.outputs is not None


def test_the_error_alone_needs_no_matrix_in_memory(tmp_path: Path) -> None:
    save_file({Q: np.ones((4, 8000), np.float32)}, tmp_path / "m.safetensors")
    (tmp_path / "i.dat").write_bytes(dat({Q: np.ones(8000)}))
    spec = {"version": 1, "gram": str(tmp_path / "i.dat")}
    by_size = {"pass": "prune", "sparsity": 0.5}
    config = from_config(spec | {"passes": [by_size]})
    report = compress(tmp_path / "m.safetensors", tmp_path / "o.safetensors", config)
    assert report.totals.outputs is not None
    config = from_config(spec | {"passes": [by_size | {"method": "admm"}]})
    with pytest.raises(UnsupportedError, match="beside the Gram matrix of"):
        compress(tmp_path / "m.safetensors", tmp_path / "p.safetensors", config)
