"""What the contents of files have to show."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from modelopt_cli.inspection import Contents, TensorContents
from modelopt_cli.render.base import Column, Row, Sheet
from modelopt_cli.render.folding import Group, folded, unfolded
from modelopt_cli.render.numbers import NOTHING, megabytes, shape

SCHEMA = "modelopt.inspect/1"

_COLUMNS = (
    Column("Tensors", "left"),
    Column("n"),
    Column("Dtype", "left"),
    Column("Shape", "left"),
    Column("Stored as", "left"),
    Column("MiB"),
    Column("Role", "left"),
)


@dataclass(frozen=True)
class ContentsResult:
    """One or more files, ready for any format.

    :ivar per_tensor: a line a tensor, whatever their names have in common.
    """

    files: tuple[Contents, ...]
    per_tensor: bool = False

    def to_json(self) -> Mapping[str, Any]:
        """All files under one schema."""
        return {"schema": SCHEMA, "files": [contents.to_json() for contents in self.files]}

    def records(self) -> Sequence[Mapping[str, Any]]:
        """One record a tensor, with the path of its file."""
        return [
            {"path": contents.path, **tensor}
            for contents in self.files
            for tensor in contents.to_json()["tensors"]
        ]

    def sheets(self) -> Sequence[Sheet]:
        """One table a file."""
        return [self.sheet(contents) for contents in self.files]

    def sheet(self, contents: Contents) -> Sheet:
        """The table about one file."""
        rows = [_row(group) for group in self.groups(contents)]
        count = str(len(contents.tensors))
        rows.append(Row(("all", count, "", "", "", megabytes(contents.nbytes), ""), total=True))
        return self.sheet_of(contents, _COLUMNS, rows)

    def sheet_of(self, contents: Contents, columns: Sequence[Column], rows: Sequence[Row]) -> Sheet:
        """A table about one file, with what else is to be said of it."""
        return Sheet(
            columns=tuple(columns),
            rows=tuple(rows),
            lines=tuple(_sentences(contents)),
            title=contents.path if len(self.files) > 1 else None,
        )

    def small_kind(self, tensor: TensorContents) -> Hashable:
        """What small tensors on one line have in common: all that their line says."""
        return tensor.dtype, tensor.form, tensor.role

    def groups(self, contents: Contents) -> list[Group[TensorContents]]:
        """The lines of the table, without the last."""
        if self.per_tensor:
            return unfolded(contents.tensors, lambda tensor: tensor.name)
        return folded(
            contents.tensors,
            name=lambda tensor: tensor.name,
            kind=lambda tensor: (tensor.dtype, tensor.shape, tensor.form, tensor.role),
            small_kind=self.small_kind,
            size=lambda tensor: tensor.nbytes,
        )


def _row(group: Group[TensorContents]) -> Row:
    first = group.members[0]
    shapes = {tensor.shape for tensor in group.members}
    return Row(
        (
            group.label,
            str(len(group.members)),
            first.dtype,
            shape(first.shape) if len(shapes) == 1 else NOTHING,
            first.form or "plain",
            megabytes(sum(tensor.nbytes for tensor in group.members)),
            first.role,
        )
    )


def _sentences(contents: Contents) -> Iterable[str]:
    keys = sorted({key for strings in contents.metadata.values() for key in strings})
    if keys:
        yield f"Metadata: {', '.join(keys)}"
    if contents.quantized_as is not None:
        yield f"Compressed already: {contents.quantized_as}"
