"""Where one item after another is worked on, unless that was done before."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from compress_core import __version__
from compress_core.atomic.failures import output_error
from compress_core.batch.claims import Claims
from compress_core.batch.gating import judged
from compress_core.batch.items import Item
from compress_core.batch.outcome import Outcome
from compress_core.errors import InputError, ModelOptError, OutputExistsError
from compress_core.fingerprint import Fingerprint
from compress_core.gates import Gate
from compress_core.inputs import InputFile
from compress_core.journal import Entry, Journal, Ledger
from compress_core.opening import key_for
from compress_core.operations import compress
from compress_core.report import Report
from compress_core.settings import Settings
from compress_core.spec import Spec


@dataclass(frozen=True)
class Order:
    """What is the same for all items of a batch.

    :ivar folder: where outputs and journals lie; it exists.
    :ivar gates: an output that does not pass them does not appear, and its item has failed.
    :ivar verify: read everything again before it is taken for done.
    :ivar label: the beginning of the journal's name.
    """

    folder: Path
    spec: Spec
    gates: Sequence[Gate] = ()
    settings: Settings = field(default_factory=Settings)
    verify: bool = False
    label: str = "1of1"


class Bench:
    """Does items one by one, and writes down what it does. For one thread.

    :raises OutputError: the folder of the journals cannot be written to.
    """

    def __init__(self, order: Order) -> None:
        self._order = order
        self._claims = Claims(order.folder)
        self._ledger = Ledger(order.folder)
        self._journal = Journal(order.folder, order.label)
        self._baselines = _digests(order.gates)
        self._gram = _gram_digests(order.spec.gram)

    def do(self, item: Item, *, wait: bool = False) -> Outcome | None:
        """Do an item, or find that it is done. What goes wrong with it is an outcome, too.

        :param wait: for another process that works on it; without, ``None`` says that there is one.
        """
        with self._claims.holding(item.name, wait=wait) as held:
            if not held:
                return None
            try:
                return self._done_before(item) or self._do(item)
            except ModelOptError as error:
                return Outcome.failed(item.name, error)

    def _done_before(self, item: Item) -> Outcome | None:
        self._ledger.refresh()
        known = self._ledger.done(item.name, self._digest(item), __version__)
        # what can be believed at once comes first: every other entry costs reading both files
        for entry in sorted(known, key=lambda one: not _looks_done(one, item)):
            current = self._still_so(entry, item)
            if current is None:
                continue
            if current != entry:  # other times of modification: the next look shall be a short one
                self._journal.append(current)
            return Outcome(item.name, "resumed", entry.totals, entry.layout)
        return None

    def _still_so(self, entry: Entry, item: Item) -> Entry | None:
        """``entry`` as it would be written now, if it is still true."""
        if entry.source is None or entry.output is None:
            return None
        verify = self._order.verify
        source = entry.source.now(item.source, verify=verify)
        output = entry.output.now(item.target, verify=verify) if source else None
        return replace(entry, source=source, output=output) if output else None

    def _do(self, item: Item) -> Outcome:
        ours = self._ledger.knows(item.name)
        if not (ours or self._order.settings.replace) and os.path.lexists(item.target):
            raise OutputExistsError("the output already exists", where=str(item.target))
        entry = Entry(item.name, "started", self._digest(item), __version__)
        self._journal.append(entry)
        try:
            source, report = self._compressed(item)
            output = Fingerprint.of(item.target)
        except ModelOptError as error:
            with suppress(ModelOptError):  # a full disk takes no line, and what failed needs none
                self._journal.append(replace(entry, status="failed", message=error.message))
            raise
        totals = report.totals.to_json()
        self._journal.append(
            replace(
                entry,
                status="done",
                source=source,
                output=output,
                layout=report.layout,
                totals=totals,
            )
        )
        return Outcome(
            item.name, "done", totals, report.layout, notes=report.notes, kept=_kept(report)
        )

    def _compressed(self, item: Item) -> tuple[Fingerprint, Report]:
        """Write the output; the fingerprint is that of the very input that it was made of."""
        source = Fingerprint.of(item.source)
        _make_folder(item.target.parent)
        # what stands there is from here, or may be replaced
        key = key_for(item.source, self._order.settings.key)
        settings = replace(self._order.settings, replace=True, key=key)
        said: list[str] = []

        def before_commit(report: Report) -> None:
            # all of it has been read by now, and the earlier output still stands
            if not source.untouched(item.source):
                raise InputError("changed while it was read", where=str(item.source))
            said.extend(judged(report, self._order.gates, settings))

        report = compress(
            item.source, item.target, self._order.spec, settings, before_commit=before_commit
        )
        return source, replace(report, notes=(*report.notes, *said))

    def _digest(self, item: Item) -> str:
        """Of all that decides the bytes of an output or whether it may appear, besides the tool."""
        settings = self._order.settings
        decides = {
            "spec": self._order.spec.config(),
            "on_nonfinite": settings.on_nonfinite,
            "baselines": self._baselines,
            **({} if self._gram is None else {"gram": self._gram}),
            **({} if settings.key is None else {"key": settings.key}),
            **({"requantize": True} if settings.requantize else {}),
        }
        return _sha256(decides)

    def close(self) -> None:
        """Close the journal, let go of all items."""
        self._journal.close()
        self._claims.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _looks_done(entry: Entry, item: Item) -> bool:
    """Whether nobody seems to have touched what an entry is about."""
    both = ((entry.source, item.source), (entry.output, item.target))
    return all(taken is not None and taken.untouched(path) for taken, path in both)


def _kept(report: Report) -> dict[str, int]:
    """Why tensors were kept, and how many: of a copy nobody asks."""
    if not report.spec.get("passes"):
        return {}
    return dict(Counter(one.kept_because for one in report.tensors if one.kept_because))


def _digests(gates: Sequence[Gate]) -> list[str]:
    """Of the baselines that gates compare with: another limit is another question."""
    paths = (gate.baseline_path() for gate in gates)
    return sorted({_file_digest(path) for path in paths if path is not None})


def _gram_digests(path: str | None) -> list[str] | None:
    """Of all files of Gram matrices."""
    return None if path is None else [one.sha256 for one in Fingerprint.of(Path(path)).members]


def _file_digest(path: Path) -> str:
    file = InputFile(path)
    try:
        return hashlib.sha256(file.read(0, file.size)).hexdigest()
    finally:
        file.close()


def _sha256(data: Any) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode("ascii")).hexdigest()


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(error, folder, 0) from error
