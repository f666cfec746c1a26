"""Importance matrices that gguf-py writes, and its names of the tensors of Llama."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from compress_core.dtypes import DTYPES
from compress_core.grams import open_grams
from compress_core.grams.llama_names import name_in_transformers
from compress_core.tensors import TensorInfo

pytestmark = pytest.mark.oracle

WORDS = (
    *(f"self_attn.{word}_proj" for word in "qkvo"),
    *(f"mlp.{word}_proj" for word in ("gate", "up", "down")),
)


def test_sums_and_counts_of_gguf_are_mean_squares(tmp_path: Path) -> None:
    import gguf

    path, name = tmp_path / "i.gguf", "blk.0.attn_q.weight"
    squares = np.exp(np.random.default_rng(0).standard_normal(48))
    writer = gguf.GGUFWriter(path, arch="")
    writer.add_string("general.type", "imatrix")
    writer.add_array("imatrix.datasets", ["a.txt", "b.txt"])
    writer.add_uint32("imatrix.chunk_count", 3)
    writer.add_uint32("imatrix.chunk_size", 512)
    writer.add_tensor(f"{name}.in_sum2", (squares * 1536).astype(np.float32).reshape(1, -1))
    writer.add_tensor(f"{name}.counts", np.array([[1536]], np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    info = TensorInfo("model.layers.0.self_attn.q_proj.weight", DTYPES["F32"], (8, 48), 8 * 48 * 4)
    with open_grams(path, [info]) as grams:
        factor = grams.energies(info.name, "in_sample") / squares
        np.testing.assert_allclose(factor, 2.0 ** round(np.log2(factor[0])), rtol=1e-6)
        assert grams.notes == []


def test_names_are_those_that_it_maps() -> None:
    import gguf

    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, 4)
    tensors = [f"model.layers.3.{word}.weight" for word in WORDS]
    for tensor in (*tensors, "lm_head.weight"):
        mapped = names.get_name(tensor, try_suffixes=(".weight",))
        assert mapped is not None
        assert name_in_transformers(mapped) == tensor
