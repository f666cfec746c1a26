"""Make the sharded bfloat16 checkpoint folder ``fracast-bf16/`` from ``fracast.safetensors``.

    python sample_weights/make_bf16_folder.py [OUTPUT]

The folder has the shape in which checkpoints are published: a ``config.json``, two shards of about
the same size, an index, and a side file. Values are rounded to the nearest bfloat16, ties to even.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
from safetensors.numpy import load_file, save

HERE = Path(__file__).parent
SHARD = "model-{:05d}-of-00002.safetensors"
CARD = """\
---
license: apache-2.0
---
# fracast, bfloat16

The weights of `fracast` 0.1.0, rounded from float32 to bfloat16 and stored as two shards.
Made by `sample_weights/make_bf16_folder.py`; origin and licence are in `sample_weights/NOTICE.md`.
"""

Tensors = dict[str, np.ndarray[Any, Any]]


def halves(tensors: Tensors) -> tuple[Tensors, Tensors]:
    """The tensors in order of name, cut where the first part reaches half of all bytes."""
    half = sum(tensor.nbytes for tensor in tensors.values()) / 2
    first: Tensors = {}
    second: Tensors = {}
    done = 0
    for name, tensor in sorted(tensors.items()):
        (first if done < half else second)[name] = tensor
        done += tensor.nbytes
    return first, second


def write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def make(output: Path) -> None:
    """Write the folder; files of the same names are replaced."""
    source = load_file(HERE / "fracast.safetensors")
    tensors = {name: tensor.astype(ml_dtypes.bfloat16) for name, tensor in source.items()}
    output.mkdir(parents=True, exist_ok=True)
    weight_map = {}
    for number, shard in enumerate(halves(tensors), start=1):
        file_name = SHARD.format(number)
        (output / file_name).write_bytes(save(shard, metadata={"format": "pt"}))
        weight_map.update(dict.fromkeys(shard, file_name))
    total = sum(tensor.nbytes for tensor in tensors.values())
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    write_json(output / "model.safetensors.index.json", index)
    config = {"model_type": "fracast", "torch_dtype": "bfloat16"}
    config |= json.loads((HERE / "fracast.config.json").read_text(encoding="utf-8"))
    write_json(output / "config.json", config)
    (output / "README.md").write_text(CARD, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the sharded bfloat16 sample checkpoint.")
    parser.add_argument("output", nargs="?", type=Path, default=HERE / "fracast-bf16")
    make(parser.parse_args().output)


if __name__ == "__main__":
    main()
