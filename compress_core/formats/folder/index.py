"""``*.index.json``: which tensor stands in which shard."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compress_core.container import FilePlan
from compress_core.errors import FormatError
from compress_core.inputs import read_small
from compress_core.strict_json import parse_object, shown

SAFETENSORS = ".safetensors"

# as for a header: what nobody writes by hand or by mistake
_MAX_INDEX = 100_000_000


@dataclass(frozen=True)
class Index:
    """A checked index.

    :ivar weight_map: tensor → shard, a plain file name.
    :ivar total_size: what it says of the bytes of all tensors: anything, or ``None``.
    :ivar nbytes: bytes of the index itself.
    """

    weight_map: Mapping[str, str]
    total_size: Any
    nbytes: int


def read_index(path: Path, suffix: str) -> Index:
    """Read and check an index.

    :param suffix: what the names of all its shards must end in.
    :raises InputError: it is unreadable.
    :raises FormatError: it breaks the rules; a shard name that is no plain name of such a file in
        the same folder is refused, whatever it points to.
    """
    text = read_small(path, "an index", _MAX_INDEX)
    found = parse_object(text, what="index", where=str(path))
    weight_map = found.get("weight_map")
    if not isinstance(weight_map, dict):
        raise FormatError("weight_map of the index is not an object", where=str(path))
    for tensor, shard in weight_map.items():
        if not is_shard_name(shard, suffix):
            said = f"tensor {shown(tensor)} points to {shown(str(shard))}: no name of a shard"
            raise FormatError(said, where=str(path))
    metadata = found.get("metadata")
    total = metadata.get("total_size") if isinstance(metadata, dict) else None
    return Index(weight_map, total, len(text))


def is_shard_name(name: Any, suffix: str = SAFETENSORS) -> bool:
    """Whether it is a plain file name that ends in ``suffix``.

    Only the name is judged: caches keep shards as links to ``../../blobs``, and that is fine. What
    would drive a terminal is no name: messages that say where repeat it.
    """
    return (
        isinstance(name, str)
        and name.endswith(suffix)
        and name != suffix
        and name.isprintable()
        and not any(letter in name for letter in "/\\")
    )


def index_name(files: Sequence[str]) -> str:
    """The name of the index of shards ``<stem>-00001-of-00002.safetensors`` …"""
    stem = re.sub(r"-\d+-of-\d+$", "", files[0].removesuffix(SAFETENSORS))
    return f"{stem}{SAFETENSORS}.index.json"


def index_text(files: Sequence[FilePlan]) -> str:
    """The index of some files, as ``transformers`` writes it."""
    weight_map = {part: str(plan.name) for plan in files for part in plan.parts}
    total = sum(part.nbytes for plan in files for part in plan.parts.values())
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    return json.dumps(index, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
