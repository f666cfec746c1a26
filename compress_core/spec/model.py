"""What a spec says, as values, and its canonical dictionary."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from compress_core import registry
from compress_core.errors import UsageError
from compress_core.fields import Configured, option
from compress_core.near import shown
from compress_core.pipeline import Pipeline
from compress_core.select import Written
from compress_core.sizes import spelled
from compress_core.spec.emit import emit

if TYPE_CHECKING:
    from compress_core.gates import Gate

VERSION = 1
MAX_NAME = 100
NOT_IN_NAMES = '/\\:*?"<>|'


@dataclass(frozen=True)
class Output(Configured):
    """How the result is stored.

    :ivar shard_size: largest bytes of one weight file; ``None`` = one file as large as needed.
    :raises UsageError: a value that is not accepted; ``where`` is the field's name.
    """

    layout: str = option("how tensors are stored", str, default="auto", pattern=r"[\w.-]+")
    shard_size: int | None = option("largest size of one weight file", int, minimum=1)
    copy_side_files: bool = option(
        "carry tokenizer, configuration and other side files along", bool, default=True
    )
    on_exists: str = option(
        "what to do when the output is there; resume: only in a batch, which knows what it wrote",
        str,
        default="error",
        choices=("error", "replace", "resume"),
    )
    allow_unread: bool = option(
        "write also what a reader of the layout is known to refuse", bool, default=False
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.layout != "auto":
            registry.known("layouts", self.layout, where="layout")

    def config(self) -> dict[str, Any]:
        """What differs from the defaults, sizes as text."""
        said = super().config()
        if self.shard_size is not None:
            said["shard_size"] = spelled(self.shard_size)
        return said


@dataclass(frozen=True)
class Spec:
    """A pipeline, a name, what becomes of the result, and what that may cost.

    :ivar name: for reports and file names; ``None`` = not given.
    :ivar gates: judged once the result is known.
    :ivar report: files that the result is also written to; their suffix says the format.
    :ivar gram: the Gram file of the inputs of layers; ``None``: there is none.
    :raises UsageError: ``name`` is empty, too long, or cannot be part of a file name.
    """

    pipeline: Pipeline = field(default_factory=Pipeline)
    name: str | None = None
    output: Output = field(default_factory=Output)
    gates: tuple[Gate, ...] = ()
    report: tuple[str, ...] = ()
    gram: str | None = None

    def __post_init__(self) -> None:
        if self.gram == "":
            raise UsageError("an empty path", where="gram", hint="name a Gram file")
        name = self.name
        if name is None:
            return
        fits = (
            0 < len(name) <= MAX_NAME and name.isprintable() and not set(NOT_IN_NAMES) & set(name)
        )
        if not fits or name.strip(" .") != name:
            raise UsageError(
                f"{shown(name)} is no name",
                where="name",
                hint=f"1 to {MAX_NAME} characters that can stand in a file name",
            )

    @property
    def written(self) -> tuple[Written, ...]:
        """The patterns that somebody wrote, each with its place."""
        gates = (
            (f"gates[{index}].{place}", pattern)
            for index, gate in enumerate(self.gates)
            for place, pattern in gate.written
        )
        return (*self.pipeline.written, *gates)

    def config(self) -> dict[str, Any]:
        """The canonical dictionary: ``version`` first, then only what differs from the defaults."""
        said: dict[str, Any] = {"version": VERSION}
        if self.name is not None:
            said["name"] = self.name
        parts = {
            "select": self.pipeline.select.config(),
            "passes": [step.config() for step in self.pipeline.steps],
            "gram": self.gram,
            "output": self.output.config(),
            "gates": [gate.config() for gate in self.gates],
            "report": list(self.report),
        }
        return said | {key: part for key, part in parts.items() if part}

    def to_yaml(self) -> str:
        """The canonical spec file; :func:`compress_core.spec.load` gives an equal spec back."""
        return emit(self.config())
