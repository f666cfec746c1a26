"""What every run promises, whatever its passes and layout, checked by other arithmetic."""

from __future__ import annotations

import math
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open

from compress_core import compress, from_config, open_logical, plan, registry, restore
from compress_core.dtypes import DTYPES
from compress_core.errors import ModelOptError, UnsupportedError, UsageError
from compress_core.layouts.base import Layout
from compress_core.passes.base import Pass
from compress_core.passes.quantize import Quantize
from compress_core.presets import PRESETS
from compress_core.report import Report, TensorReport
from compress_core.settings import Settings
from compress_core.sizes import parse_size
from compress_core.spec import Spec
from compress_core.tensors import Form, TensorInfo
from compress_core.tiling import LEAST_MEMORY
from tests.contracts import zoo

_WIDTHS = {
    "F64": 8,
    "I64": 8,
    "F32": 4,
    "I32": 4,
    "U32": 4,
    "F16": 2,
    "BF16": 2,
    "U8": 1,
    "I8": 1,
    "F8_E4M3": 1,
    "BOOL": 1,
}
LAYOUTS: dict[str, type[Layout]] = registry.all_of("layouts")


def place(
    folder: Path, name: str, layout: str, arrays: zoo.Arrays, metadata: Mapping[str, str]
) -> Path:
    """An input that a layout takes: a file, or a checkpoint folder."""
    if LAYOUTS[layout].needs_config:
        return zoo.checkpoint(folder / name, arrays, metadata)
    return zoo.write(folder / f"{name}.safetensors", arrays, metadata)


def output_of(layout: str) -> dict[str, Any]:
    """What a spec says of its output so that a layout holds as much as it can."""
    unread = {"allow_unread": True} if LAYOUTS[layout].needs_config else {}
    return {"layout": layout, **unread}


def spec_of(passes: Sequence[dict[str, Any]], layout: str) -> Spec | None:
    """The spec of some passes; ``None`` where they do not go together."""
    try:
        return from_config({"version": 1, "passes": list(passes), "output": output_of(layout)})
    except UsageError:
        return None


@dataclass(frozen=True)
class Trial:
    """One input, one spec, and a folder for what comes of it."""

    source: Path
    spec: Spec
    folder: Path

    def run(self) -> Report | None:
        """Carry the spec out and check every promise.

        ``None``: it was refused, which must be said well and leave nothing behind.
        """
        before = zoo.digest(self.source)
        target = self.folder / "small.safetensors"
        try:
            report = compress(self.source, target, self.spec, Settings(jobs=1))
        except (UsageError, UnsupportedError) as error:
            self._check_refusal(error)
            return None
        finally:
            assert zoo.digest(self.source) == before, "the input was changed"
        self._check_sizes(report, target)
        self._check_stored(report, target)
        self._check_tilings(target)
        self._check_restored(report, target)
        assert zoo.digest(self.source) == before, "the input was changed"
        return report

    def _check_refusal(self, error: ModelOptError) -> None:
        assert error.hint, f"no hint: {error}"
        assert list(self.folder.iterdir()) == [], "a refused run left something behind"

    def _check_sizes(self, report: Report, target: Path) -> None:
        written = zoo.weights(target).stat().st_size
        assert report.totals.bytes_out == written == sum(report.files.values())
        assert report.totals.exactness == "exact"
        surveyed = plan(self.source, self.spec, exact=True)
        assert (surveyed.totals.bytes_out, surveyed.totals.exactness) == (written, "exact")
        assert sizes(surveyed) == sizes(report)
        self._check_measured(report)
        promised = plan(self.source, self.spec)
        if promised.totals.exactness == "exact":
            assert promised.totals.bytes_out == written
            assert sizes(promised) == sizes(report)
        assert promised.totals.bytes_out >= written
        for early, late in zip(promised.tensors, report.tensors, strict=True):
            assert early.bytes_out >= late.bytes_out, early.name
            assert early.exactness == "at most" or early.bytes_out == late.bytes_out, early.name

    def _check_measured(self, report: Report) -> None:
        """A plan that measures knows all that the run reports, and leaves nothing."""
        before = sorted(self.folder.iterdir())
        measured = plan(self.source, self.spec, Settings(jobs=2), measure=True)
        assert sorted(self.folder.iterdir()) == before
        assert (measured.tensors, measured.totals) == (report.tensors, report.totals)
        assert list(measured.files.values()) == list(report.files.values())

    def _check_stored(self, report: Report, target: Path) -> None:
        source, stored = zoo.read(self.source), zoo.read(target)
        with safe_open(zoo.weights(target), framework="np") as opened:
            assert set(opened.keys()) == set(stored.arrays)
        kept = {key: said for key, said in source.metadata.items() if key != "format"}
        assert stored.metadata.items() >= kept.items()
        owners = [owner(part, source.arrays) for part in stored.arrays]
        assert list(dict.fromkeys(owners)) == list(source.arrays), "not in the order of the input"
        assert owners == sorted(owners, key=list(source.arrays).index), "parts are torn apart"
        by_place = sorted(stored.arrays, key=lambda part: stored.places[part])
        widths = [_WIDTHS[stored.codes[part]] for part in by_place if stored.arrays[part].nbytes]
        assert widths == sorted(widths, reverse=True), "the widest dtype is not first"
        held = dict.fromkeys(source.arrays, 0)
        for part, name in zip(stored.arrays, owners, strict=True):
            held[name] += stored.arrays[part].nbytes
        assert held == {tensor.name: tensor.bytes_out for tensor in report.tensors}

    def _check_tilings(self, target: Path) -> None:
        wanted = zoo.digest(target)
        for jobs, memory in ((1, 2**30), (2, LEAST_MEMORY), (3, LEAST_MEMORY + 20 * 1024**2)):
            again = self.folder / f"again-{jobs}.safetensors"
            self._within(again, jobs, memory)
            assert zoo.digest(again) == wanted, f"{jobs} jobs in {memory} bytes of memory"
            shutil.rmtree(again) if again.is_dir() else again.unlink()

    def _within(self, target: Path, jobs: int, memory: int) -> None:
        try:
            compress(self.source, target, self.spec, Settings(jobs=jobs, max_memory=memory))
        except UnsupportedError as error:
            needed = parse_size(re.findall(r"--max-memory '(.*?)'", error.hint or "")[0])
            assert needed > memory
            compress(self.source, target, self.spec, Settings(jobs=jobs, max_memory=needed))

    def _check_restored(self, report: Report, target: Path) -> None:
        dense = self.folder / "dense.safetensors"
        told = restore(target, dense)
        before, after = zoo.read(self.source), zoo.read(dense)
        assert list(after.arrays) == list(before.arrays)
        assert after.codes == {one.name: restored_code(one) for one in report.tensors}
        assert after.metadata == before.metadata
        for tensor in report.tensors:
            check_tensor(tensor, before.arrays[tensor.name], after.arrays[tensor.name])
        self._check_totals(report, before, after)
        self._check_record(report, told, target)

    @staticmethod
    def _check_totals(report: Report, before: zoo.Contents, after: zoo.Contents) -> None:
        floats = [name for name, code in before.codes.items() if code in zoo.FLOATS]
        one, other = ([made.arrays[name] for name in floats] for made in (before, after))
        assert report.totals.zeros == sum(int(np.count_nonzero(array == 0)) for array in other)
        assert report.totals.float_elements == sum(array.size for array in one)
        if report.totals.measured is None:
            assert not any(tensor.measured for tensor in report.tensors)
            return
        error = np.hypot.reduce([zoo.norm(_minus(a, b)) for a, b in zip(one, other, strict=True)])
        whole = np.hypot.reduce([zoo.norm(array) for array in one])
        assert close(report.totals.measured.error, error / whole if error else 0.0)

    @staticmethod
    def _check_record(report: Report, told: Report, target: Path) -> None:
        """What a file says of its own errors is what the run measured."""
        measured = {tensor.name: tensor.measured for tensor in report.tensors if tensor.measured}
        with open_logical(target) as reader:
            if reader.forms:
                assert dict(reader.errors) == measured
                assert set(reader.forms) == set(measured)
                said = {tensor.name: tensor.measured for tensor in told.tensors if tensor.measured}
                assert said == measured


def check_tensor(tensor: TensorReport, before: Any, after: Any) -> None:
    """Whether a restored array differs from the original one as the report says."""
    name = tensor.name
    assert (zoo.CODES[restored_code(tensor)], before.shape) == (after.dtype, after.shape), name
    if tensor.kept_because is not None or tensor.measured is None:
        assert zoo.same(before, after), f"{name} was to be kept"
        assert tensor.to == "kept"
        return
    assert np.isfinite(after.astype(np.float64)).all(), name
    assert tensor.zeros == np.count_nonzero(after == 0), name
    difference = _minus(before, after)
    error, whole = zoo.norm(difference), zoo.norm(before)
    assert close(tensor.measured.error, error / whole if error else 0.0), name
    assert close(tensor.measured.max_abs, float(np.abs(difference).max(initial=0.0))), name
    if error:
        assert close(10 ** ((tensor.measured.sqnr_db or 0.0) / -20), error / whole), name
    else:
        assert tensor.measured.sqnr_db is None, name


def restored_code(tensor: TensorReport) -> str:
    """The dtype that a tensor has after all: its own, or the one that it was cast to."""
    word = tensor.to.partition(" ")[0].upper()
    return word if word in zoo.FLOATS else tensor.dtype


def close(said: float, found: float) -> bool:
    """Equal to a millionth."""
    return bool(np.isclose(said, found, rtol=1e-6, atol=0.0))


def _minus(one: Any, other: Any) -> Any:
    return one.astype(np.float64) - other.astype(np.float64)


def sizes(report: Report) -> dict[str, int]:
    """Name → bytes in the output."""
    return {tensor.name: tensor.bytes_out for tensor in report.tensors}


def owner(part: str, names: Iterable[str]) -> str:
    """The tensor that a stored part belongs to: its name begins with that of the tensor, or of the
    layer whose weight it is.
    """
    listed = list(names)
    if part in listed:
        return part
    found = [name for name in listed if is_part(part, name)]
    return max(found, key=len)


def is_part(part: str, name: str) -> bool:
    """Whether a name is that of a part of a tensor."""
    return part.startswith((f"{name}.", f"{name}_", f"{name.removesuffix('.weight')}."))


def become(work: Pass, info: TensorInfo, form: Form, layout: Layout) -> Form:
    """What a pass makes of a tensor where a layout holds it, and else its form."""
    after = work.becomes(info, form, layout.limits(info))
    held = isinstance(after, Form) and layout.fits(info, after) is None
    return after if held and isinstance(after, Form) else form


def preset_of(layout: Layout) -> str:
    """A preset whose codes a layout holds."""
    info = TensorInfo("a.weight", DTYPES["BF16"], zoo.SERVED, 2 * math.prod(zoo.SERVED))
    forms = (
        (preset, become(Quantize(preset=preset), info, Form(info.dtype), layout))
        for preset in PRESETS
    )
    return next(preset for preset, form in forms if form.scheme is not None)
