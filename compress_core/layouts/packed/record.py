"""What a packed file says of itself, in two strings of its metadata.

``modelopt.packed`` holds the version of the layout, the tool's version, the spec, one record for
every distinct form, and for every compressed tensor ``[index of that record, kept elements]``;
where tensors are tied, also ``aliases``: other name → tensor.
``modelopt.errors`` holds, in the same order of tensors, ``[Σ(W−Ŵ)², ΣW², max|W−Ŵ|, zeros]``:
numbers in fields of a fixed width, since they are known only after the header's length is.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from compress_core import recorded, registry
from compress_core.dtypes import DTYPES
from compress_core.errors import FormatError, UsageError
from compress_core.recorded import Sums, errors_text, parsed
from compress_core.tensors import Form, Structure, TensorInfo

KEY = "modelopt.packed"
ERRORS_KEY = "modelopt.errors"
VERSION = 1


def describe(
    touched: Mapping[str, tuple[TensorInfo, Form]],
    aliases: Mapping[str, str],
    spec: Mapping[str, Any],
    tool: str,
) -> dict[str, str]:
    """Both strings for a file that holds ``touched``; the errors are placeholders of the final
    width.

    :param aliases: other names → the tensors of the file that they stand for.
    """
    forms: list[dict[str, Any]] = []
    tensors: dict[str, list[int]] = {}
    for name, (info, form) in touched.items():
        records = [_record(info, one) for one in form.outcomes]
        forms += [record for record in records if record not in forms]
        kept = info.elements if form.kept is None else form.kept
        tensors[name] = [max(map(forms.index, records)), kept]
    packed: dict[str, Any] = {
        "version": VERSION,
        "tool": tool,
        "spec": dict(spec),
        "forms": forms,
        "tensors": tensors,
    }
    if aliases:
        packed["aliases"] = dict(aliases)
    return {KEY: _compact(packed), ERRORS_KEY: errors_text([(0.0, 0.0, 0.0, 0)] * len(tensors))}


def _record(info: TensorInfo, form: Form) -> dict[str, Any]:
    return {
        "dtype": form.dtype.code,
        "shape": list(info.shape),
        "scheme": None if form.scheme is None else form.scheme.settings(),
        "sparsity": None if form.sparsity is None else str(form.sparsity),
    }


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def read_forms(metadata: Mapping[str, str]) -> dict[str, tuple[TensorInfo, Form]] | None:
    """Compressed tensors that the metadata of one file describes; ``None``: it is no packed file.

    :raises FormatError: the record is damaged, or of a version that is not known.
    """
    if KEY not in metadata:
        return None
    record = _record_of(metadata[KEY])
    forms, tensors = record.get("forms"), record.get("tensors")
    if not isinstance(forms, list) or not isinstance(tensors, dict):
        raise FormatError(f"{KEY} lists no forms and tensors")
    known = [_form(one) for one in forms]
    return {name: _tensor(name, entry, known) for name, entry in tensors.items()}


def read_aliases(metadata: Mapping[str, str]) -> dict[str, str]:
    """Other name → tensor, as the metadata of one file has it.

    :raises FormatError: the record is damaged, or of a version that is not known.
    """
    aliases = _record_of(metadata[KEY]).get("aliases", {}) if KEY in metadata else {}
    if not isinstance(aliases, dict) or not all(isinstance(one, str) for one in aliases.values()):
        raise FormatError(f"{KEY} has aliases that are no names")
    return aliases


def _record_of(text: str) -> dict[str, Any]:
    record = parsed(text, KEY)
    if not isinstance(record, dict) or record.get("version") != VERSION:
        version = record.get("version") if isinstance(record, dict) else None
        raise FormatError(
            f"packed layout of version {version!r}, and this tool reads version {VERSION}",
            hint="update modelopt",
        )
    return record


def _tensor(
    name: str, entry: Any, known: list[tuple[tuple[int, ...], Form]]
) -> tuple[TensorInfo, Form]:
    index, kept = entry if isinstance(entry, list) and len(entry) == 2 else (None, None)
    if type(index) is not int or type(kept) is not int or not 0 <= index < len(known):
        raise FormatError(f"{KEY} has no form for {entry!r:.80}", where=name)
    shape, form = known[index]
    elements = math.prod(shape)
    if not 0 <= kept <= elements:
        raise FormatError(f"{KEY} keeps {kept} of {elements} elements", where=name)
    info = TensorInfo(name, form.dtype, shape, elements * form.dtype.bits // 8)
    return info, replace(form, kept=kept if form.sparsity is not None else None)


def _form(record: Any) -> tuple[tuple[int, ...], Form]:
    if not isinstance(record, dict) or str(record.get("dtype")) not in DTYPES:
        raise FormatError(f"{KEY} has a form of no known dtype")
    shape = record.get("shape")
    if not isinstance(shape, list) or not all(type(side) is int and side > 0 for side in shape):
        raise FormatError(f"{KEY} has a form with shape {shape!r}")
    dtype = DTYPES[str(record["dtype"])]
    if not dtype.is_weight:
        raise FormatError(f"{KEY} has a form of dtype {dtype}, which is never compressed")
    scheme, sparsity = _scheme(record), _sparsity(record)
    # what is listed was changed: where there are neither codes nor zeros, its values were
    return tuple(shape), Form(dtype, scheme, sparsity, moved=scheme is None and sparsity is None)


def _scheme(record: Mapping[str, Any]) -> Any:
    settings = record.get("scheme")
    if settings is None:
        return None
    if not isinstance(settings, dict) or settings.get("scheme") not in registry.names("schemes"):
        raise FormatError(f"{KEY} names a scheme that is not known: {settings!r:.80}")
    return registry.get("schemes", settings["scheme"]).restored(settings)


def _sparsity(record: Mapping[str, Any]) -> Structure | None:
    text = record.get("sparsity")
    if text is None:
        return None
    try:
        return Structure.parse(str(text))
    except UsageError as error:
        raise FormatError(f"{KEY}: {error.message}") from None


def read_errors(metadata: Mapping[str, str]) -> list[Sums]:
    """Sums of the compressed tensors of one file, in the order of its record.

    :raises FormatError: they are damaged.
    """
    return recorded.read_errors(metadata.get(ERRORS_KEY, "[]"), ERRORS_KEY)
