"""One plan being carried out, sweep by sweep."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any, TypeVar

from compress_core import model
from compress_core.container import (
    Columns,
    Nowhere,
    Once,
    Piece,
    Reader,
    Rows,
    Sink,
    Stream,
    Writer,
)
from compress_core.engine.calibration import Calibration
from compress_core.engine.sweep import sweep
from compress_core.errors import ModelOptError, NonFiniteError, UnsupportedError
from compress_core.grams import Grams
from compress_core.metrics import ErrorStats, Moments, observe, observe_kept
from compress_core.passes.base import Decided, Follower, Pass, Survey, Target
from compress_core.planning import Plan, TensorPlan, targets_of, with_decided
from compress_core.planning.kept_codes import check_codes, keeps_codes
from compress_core.planning.plan import Stage
from compress_core.settings import Progress, Settings
from compress_core.tensors import Form, TensorInfo
from compress_core.tiling import GRAIN_ELEMENTS, Tiling, grain_rows

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from compress_core.tiles import Tile

_Result = TypeVar("_Result")

# Bytes of a tensor that nobody changes that are copied at once.
_COPIED = 2 * 1024**2


@dataclass(frozen=True, slots=True)
class Cut:
    """Rows ``start:stop`` of a tensor, or (``flat``) bytes of one that is only copied."""

    plan: TensorPlan
    start: int
    stop: int
    flat: bool = False

    @property
    def nbytes(self) -> int:
        """Bytes of the original data."""
        if self.flat:
            return self.stop - self.start
        return self.plan.info.nbytes * (self.stop - self.start) // max(1, self.plan.info.matrix[0])


class Run:
    """One plan being carried out.

    :ivar plan: becomes exact with :meth:`settle`.
    :param grams: what is known of the inputs of layers; ``None``: nothing.
    """

    def __init__(self, plan: Plan, settings: Settings, grams: Grams | None = None) -> None:
        self.plan = plan
        self._calibration = Calibration(plan, grams)
        self._settings = settings
        self._grains = {
            name: grain_rows(one.info, plan.row_multiple(one)) for name, one in plan.tensors.items()
        }
        self._tiling = Tiling(settings.max_memory, settings.threads, self._calibration.beside)
        self._check_grains()
        self._jobs = self._tiling.threads(self.largest_grain)
        self._decided: dict[tuple[int, str], Decided] = {}

    @property
    def largest_grain(self) -> int:
        """Elements of the largest grain that is seen as a matrix."""
        sizes = (self._grain_elements(one.info) for one in self._matrices())
        return max(sizes, default=GRAIN_ELEMENTS)

    def _matrices(self) -> Iterator[TensorPlan]:
        return (one for one in self.plan.tensors.values() if self._as_matrix(one))

    def _grain_elements(self, info: TensorInfo) -> int:
        rows, columns = info.matrix
        return min(self._grains[info.name], rows) * columns

    def _check_grains(self) -> None:
        """Find out now, and not hours later, that a tensor does not fit."""
        where = str(self.plan.source.path)
        for one in self._matrices():
            try:
                self._tiling.check(one.info, self._grain_elements(one.info))
            except UnsupportedError as error:
                said = f"tensor {one.info.name}: {error.message}"
                if self._tiling.beside:
                    said += f", beside the Gram matrix of {self._calibration.largest}"
                raise UnsupportedError(said, where=where, hint=error.hint) from error

    @property
    def peak_bytes(self) -> int:
        """Memory that the run is expected to need."""
        return self._tiling.peak(self.largest_grain)

    def find_nonfinite(self) -> list[str]:
        """Names of the tensors with NaN or infinity among those that a pass would change."""

        def bad(cut: Cut) -> bool:
            try:
                self._tile(cut, upto=0)
            except NonFiniteError:
                return True
            return False

        found: dict[str, None] = {}
        for cut, is_bad in self._over("check", self.plan.touched(), bad):
            if is_bad:
                found[cut.plan.info.name] = None
        return list(found)

    def settle(self) -> None:
        """Carry out every survey, then count what stays where that is not known yet."""
        for step in range(len(self.plan.spec.pipeline.steps)):
            for work, targets in targets_of(self.plan, step):
                decided = work.settle(targets, self._surveyed(work, targets, step))
                self._decided |= {(step, target.info.name): decided for target in targets}
        self.plan = self.plan.with_forms(self._counted())
        self.plan = self.plan.with_forms(self._cast())
        self.plan = with_decided(self.plan, self._decided)

    def _surveyed(self, work: Pass, targets: list[Target], step: int) -> Survey | None:
        """The last survey that a pass asks for; ``None`` for one that looks at each tile alone."""
        found: Survey | None = None
        if work.group(targets[0].info) is None:
            return None
        if isinstance(work, Follower):
            found = self._followed(work, targets[0], step)
        while (survey := work.survey(targets, found)) is not None:
            self._survey(survey, [self.plan.tensors[one.info.name] for one in targets], step)
            found = survey
        return found

    def _followed(self, work: Follower, target: Target, step: int) -> Survey:
        """What a pass learns of the tensor that it goes by."""
        leader = self.plan.tensors[str(work.leader(target.info))]
        survey = work.follow(self._calibration.means(leader.info.name))
        self._survey(survey, [leader], step)
        return survey

    def _survey(self, survey: Survey, chosen: list[TensorPlan], step: int) -> None:
        def observe(cut: Cut) -> Any:
            tile = self._tile(cut, upto=step)
            try:
                return self._calibration.observer(survey, tile.info.name)(tile)
            except ModelOptError as error:
                raise _located(error, tile.info, self.plan.source) from error

        for cut, seen in self._over("survey", chosen, observe):
            survey.absorb(cut.plan.info, cut.start, seen)

    def _counted(self) -> dict[str, Form]:
        """Exact forms of the tensors of which it is not known yet how much stays."""
        open_ended = [
            one
            for one in self.plan.touched()
            if one.form.sparsity is not None and one.form.kept is None
        ]
        own = [one for one in open_ended if one.info.name not in self.plan.tied]
        kept = {one.info.name: one.info.elements - (self._removed(one) or 0) for one in own}
        unknown = [one for one in own if self._removed(one) is None]

        def count(cut: Cut) -> int:
            import numpy as np

            tile = self._tile(cut, upto=_last_prune(cut.plan) + 1)
            return 0 if tile.mask is None else int(np.count_nonzero(tile.mask))

        for cut, gone in self._over("count", unknown, count):
            kept[cut.plan.info.name] -= gone
        return {
            one.info.name: replace(one.form, kept=kept[self.plan.owner(one).info.name])
            for one in open_ended
        }

    def _removed(self, one: TensorPlan) -> int | None:
        """How many elements the only pass that prunes a tensor says that it removes."""
        pruning = [stage.step for stage in one.stages if _may_prune(stage)]
        if len(pruning) != 1:
            return None
        return self._decided[pruning[0], one.info.name].removed(one.info)

    def _cast(self) -> dict[str, Form]:
        """Forms of the tensors of which the survey has told the dtype."""
        return {
            one.info.name: self._with_dtype(one)
            for one in self.plan.touched()
            if one.form.maybe is not None
        }

    def _with_dtype(self, one: TensorPlan) -> Form:
        owner, dtype = self.plan.owner(one).info, one.info.dtype
        for stage in one.stages:
            dtype = self._decided[stage.step, owner.name].dtype(owner, dtype)
        return replace(one.form, dtype=dtype, cast=dtype != one.info.dtype, maybe=None)

    def write(self, writer: Writer) -> dict[str, ErrorStats]:
        """Write all tensors; the statistics of those that are float weights, by name."""
        return self._put_all("write", writer)

    def measure(self) -> dict[str, ErrorStats]:
        """The statistics that :meth:`write` would give: all is made as it does, and none kept."""
        return self._put_all("measure", Nowhere())

    def _put_all(self, stage: str, sink: Sink) -> dict[str, ErrorStats]:
        done: dict[str, ErrorStats] = {}

        def store(cut: Cut) -> tuple[dict[str, Stream], Moments | None, int]:
            return self._store(cut, sink)

        stored = [one for name, one in self.plan.tensors.items() if name not in self.plan.aliases]
        results = self._over(stage, stored, store)
        for name, pieces in groupby(results, key=lambda found: found[0].plan.info.name):
            stats = ErrorStats()
            for _, (streams, moments, elements) in pieces:
                for part, stream in streams.items():
                    sink.append(part, stream.data, stream.nbits)
                if moments is not None:
                    stats.update(moments, elements)
            if stats.elements:
                done[name] = stats.close()
        shared = {name: owner for name, owner in self.plan.aliases.items() if owner in done}
        return done | {name: done[owner] for name, owner in shared.items()}

    def _store(self, cut: Cut, sink: Sink) -> tuple[dict[str, Stream], Moments | None, int]:
        if cut.flat:
            return {}, *self._copy(cut, sink)
        tile = self._tile(cut)
        if cut.plan.form.touched:
            pieces = self.plan.layout.encode(tile.renamed(cut.plan.info), cut.plan.form)
        else:
            pieces = {cut.plan.info.name: Rows(tile.start, tile.raw)}
        moments = observe(tile)
        if self._calibration.tells_outputs(cut.plan):
            moments = self._calibration.with_outputs(moments, tile, self._bias_change(cut.plan))
        return _put(pieces, sink), moments, tile.raw.size

    def _bias_change(self, one: TensorPlan) -> NDArray[np.float64] | None:
        """What the bias beside a weight was, less what it becomes; ``None``: nothing changes it."""
        from compress_core.kernels.differences import change

        beside = self.plan.tensors.get(model.bias_beside(one.info.name) or "")
        if beside is None or not beside.form.touched:
            return None
        if beside.info.shape != one.info.matrix[:1]:
            return None
        tile = self._tile(Cut(beside, 0, 1))
        codes = tile.info.dtype.code, tile.dtype.code
        found = change(tile.raw[0], tile.stored()[0], codes)
        return found if found.any() else None

    def _copy(self, cut: Cut, sink: Sink) -> tuple[Moments | None, int]:
        import numpy as np

        info = cut.plan.info
        data = self.plan.source.read_bytes(info.name, cut.start, cut.stop)
        sink.write_bytes(info.name, cut.start, data)
        if not info.dtype.is_weight:
            return None, 0
        raw = np.frombuffer(data, info.dtype.storage)
        return observe_kept(raw, info.dtype.code), raw.size

    def _over(
        self, stage: str, plans: list[TensorPlan], function: Callable[[Cut], _Result]
    ) -> Iterator[tuple[Cut, _Result]]:
        """:func:`sweep` over all cuts of some tensors, with progress."""
        total = sum(one.info.nbytes for one in plans)
        done = 0
        for together in self._calibration.apart(plans):
            cuts = (cut for one in together for cut in self._cuts(one))
            for cut, result in sweep(cuts, function, self._jobs):
                yield cut, result
                done += cut.nbytes
                if self._settings.progress is not None:
                    self._settings.progress(Progress(stage, done, total))
            self._calibration.forget()

    def _cuts(self, one: TensorPlan) -> Iterator[Cut]:
        if self._as_matrix(one):
            for start, stop in self._tiling.cut(one.info, self._grains[one.info.name]):
                yield Cut(one, start, stop)
            return
        for first in range(0, one.info.nbytes, _COPIED):
            yield Cut(one, first, min(first + _COPIED, one.info.nbytes), flat=True)

    def _as_matrix(self, one: TensorPlan) -> bool:
        """Whether a tensor is read by rows: a pass changes it, or a layout decodes it."""
        return one.form.touched or one.info.name in self.plan.source.forms

    def _tile(self, cut: Cut, upto: int | None = None) -> Tile:
        """A tile after all passes before step ``upto``."""
        from compress_core.kernels.floats import has_nonfinite
        from compress_core.tiles import Tile

        info = self.plan.owner(cut.plan).info
        raw = self.plan.source.read(info.name, cut.start, cut.stop)
        if cut.plan.needs_finite and has_nonfinite(raw, info.dtype.code):
            raise NonFiniteError(
                f"tensor {info.name} holds NaN, infinity or numbers beyond float32",
                where=str(self.plan.source.path),
                hint="pass --on-nonfinite keep to leave such tensors as they are",
            )
        tile = Tile(info, cut.start, raw, self._grains[info.name])
        for stage in cut.plan.stages:
            if upto is not None and stage.step >= upto:
                break
            self._apply(stage.step, tile)
        if tile.codes is not None:  # a cast that was open before them says nothing of them
            tile.cast(cut.plan.form.dtype)
        if keeps_codes(cut.plan):
            codes = self.plan.source.codes(info.name, cut.start, cut.stop)
            check_codes(self.plan.layout, info, codes)
            tile.quantize(codes, kept=True)
        return tile

    def _apply(self, step: int, tile: Tile) -> None:
        decided = self._decided[step, tile.info.name]
        settled = self._calibration.ready(decided, step, tile.info.name)
        try:
            settled.apply(tile)
        except ModelOptError as error:
            raise _located(error, tile.info, self.plan.source) from error


def _last_prune(one: TensorPlan) -> int:
    """The last step that may change the tensor's mask."""
    return next(stage.step for stage in reversed(one.stages) if _may_prune(stage))


def _may_prune(stage: Stage) -> bool:
    """Whether a step may change a tensor's mask: what only gives it codes cannot."""
    return stage.target.form.scheme == stage.target.before.scheme


def _located(error: ModelOptError, info: TensorInfo, source: Reader) -> ModelOptError:
    """``error`` with the tensor and the file that it happened in."""
    if error.where is not None:
        return error
    hint = error.hint or f"leave it as it is: --ignore '{info.name}'"
    return type(error)(f"tensor {info.name}: {error.message}", where=str(source.path), hint=hint)


def _put(pieces: dict[str, Piece], sink: Sink) -> dict[str, Stream]:
    """Hand over what has its place, and give back what must wait for its turn."""
    streams = {}
    for part, piece in pieces.items():
        if isinstance(piece, Rows):
            sink.write(part, piece.first, piece.array)
        elif isinstance(piece, Columns):
            sink.write_columns(part, piece.first, piece.array)
        elif isinstance(piece, Once):
            sink.write(part, 0, piece.array)
        else:
            streams[part] = piece
    return streams
