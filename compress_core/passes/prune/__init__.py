"""Prune: set the least of a tensor to zero, element by element or in larger structures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from compress_core.errors import UsageError
from compress_core.fields import option
from compress_core.limits import Limits
from compress_core.passes._damping import AUTO, Trial, damping_option
from compress_core.passes.base import DAMPING, Decided, Pass, Survey, Target, Waiting
from compress_core.passes.prune.counting import kept_elements, share
from compress_core.tensors import Form, Refusal, Structure, TensorInfo

if TYPE_CHECKING:
    from compress_core.passes.prune.units import Scoring

# methods that go by what the layer gives → matrices of the size of its Gram matrix in memory, in
# float32; NumPy has eigenvectors computed in float64, for which LAPACK takes as much again
_BY_OUTPUT = {"wanda": 1, "sparsegpt": 2, "l1": 1, "l2": 3, "dynamic": 1, "admm": 12}

_STRUCTURES = r"\d{1,9}(of|x)\d{1,9}"


@dataclass(frozen=True)
class Prune(Pass):
    """Zero what is smallest: elements, rows, columns, blocks, or all but N of each M."""

    id: ClassVar[str] = "prune"
    summary: ClassVar[str] = "set the smallest weights, rows, columns or blocks to zero"

    sparsity: float | None = option(
        "share that becomes zero",
        float,
        minimum=0,
        maximum=1,
        otherwise="required, or threshold",
        replaces=("threshold",),
    )
    threshold: float | None = option(
        "zero what is not larger than this magnitude",
        float,
        minimum=0,
        otherwise="none",
        replaces=("sparsity", "scope"),
    )
    method: str = option(
        "what decides who goes first; all but magnitude and random go by --gram",
        str,
        choices=("magnitude", "random", *_BY_OUTPUT),
        default="magnitude",
    )
    structure: str = option(
        "what is zeroed as one",
        str,
        choices=("element", "row", "column"),
        pattern=_STRUCTURES,
        examples=("16x4 (a block)", "2of4"),
        aliases=((r"(\d+):(\d+)", r"\1of\2"),),
        default="element",
    )
    norm: str = option(
        "score of a structure larger than an element",
        str,
        choices=("l1", "l2", "max"),
        default="l2",
    )
    scope: str | None = option(
        "where the share is counted",
        str,
        choices=("row", "tensor", "global"),
        otherwise="row for elements, tensor for structures",
    )
    seed: int = option("seed of method random", int, minimum=0, default=0)
    damping: float | str | None = damping_option()

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_amount()
        self._check_method()
        if self.norm != "l2" and self._structure.kind in ("element", "nofm"):
            raise UsageError(
                "norm is the score of a structure, and single elements have their magnitude",
                where="norm",
                hint="drop norm, or choose a structure such as row",
            )
        if self.seed and self.method != "random":
            raise UsageError(
                "a seed is for method random", where="seed", hint="drop seed, or use method random"
            )
        if self._structure.kind in ("row", "column") and self.scope == "row":
            raise UsageError(
                f"scope row cannot choose among {self.structure}s",
                where="scope",
                hint="scope is tensor or global for rows and columns",
            )
        if self.method == "random" and self.threshold is not None:
            raise UsageError(
                "a threshold is a magnitude, and method random looks at none",
                where="threshold",
                hint="give sparsity instead",
            )

    def _check_method(self) -> None:
        if not self._by_output:
            if self.damping is not None:
                raise UsageError(
                    f"damping is for Gram matrices, and method {self.method} goes by none",
                    where="damping",
                    hint="drop damping, or use a method such as admm",
                )
        elif self.threshold is not None:
            raise UsageError(
                f"a threshold is a magnitude, and method {self.method} goes by what layers give",
                where="threshold",
                hint="give sparsity instead",
            )
        else:
            self._check_units()
            self._check_damping()

    def _check_units(self) -> None:
        if self._structure.kind not in ("element", "nofm", "row"):
            raise UsageError(
                f"method {self.method} removes elements or rows, and no {self.structure}",
                where="structure",
                hint="use structure element, 2of4 or row, or method magnitude",
            )
        if self._scope != ("tensor" if self._by_row else "row"):
            raise UsageError(
                f"method {self.method} chooses within each {'tensor' if self._by_row else 'row'}",
                where="scope",
                hint="drop scope, or use method magnitude",
            )
        if self._by_row and self.norm != "l2":
            raise UsageError(
                f"method {self.method} goes by what rows give, and by no norm",
                where="norm",
                hint="drop norm, or use method magnitude",
            )

    def _check_damping(self) -> None:
        if self.damping is not None and (self._by_row or self.method == "wanda"):
            what = "structure row" if self._by_row else "method wanda"
            raise UsageError(
                f"damping is for what is fitted, and {what} fits nothing",
                where="damping",
                hint="drop damping",
            )

    @property
    def _by_output(self) -> bool:
        return self.method in _BY_OUTPUT

    @property
    def _by_row(self) -> bool:
        """Whether rows go by what they give: that is one choice, for all methods the same."""
        return self._by_output and self._structure.kind == "row"

    @property
    def gram_matrices(self) -> int:
        return 1 if self._by_row else _BY_OUTPUT.get(self.method, 0)

    @property
    def needs_held_out(self) -> bool:
        return self.damping == AUTO

    @property
    def without_gram(self) -> str:
        return f"method {self.method} is magnitude there"

    def _check_amount(self) -> None:
        if self._structure.kind == "nofm":
            extra = next(
                (n for n in ("threshold", "scope", "sparsity") if getattr(self, n) is not None),
                None,
            )
            if extra is not None:
                raise UsageError(
                    f"{self.structure} already says how much is zeroed; {extra} cannot be added",
                    where=extra,
                    hint=f"drop {extra}",
                )
        elif self.sparsity is not None and self.threshold is not None:
            raise UsageError(
                "sparsity and threshold are two ways to say how much",
                where="threshold",
                hint="drop one of the two",
            )
        elif self.sparsity is None and self.threshold is None:
            raise UsageError(
                "prune needs either sparsity or threshold",
                where="sparsity",
                hint="try --sparsity 0.5, or --structure 2of4",
            )
        elif self.threshold is not None and self.scope is not None:
            raise UsageError(
                "a threshold holds everywhere; scope is for a sparsity",
                where="scope",
                hint="drop scope",
            )

    @property
    def _structure(self) -> Structure:
        return Structure.parse(self.structure)

    @property
    def _scope(self) -> str:
        """``row``, ``tensor``, ``global``; a threshold and N of M choose within a row."""
        kind = self._structure.kind
        if kind == "nofm" or (self.threshold is not None and kind != "column"):
            return "row"
        return self.scope or ("row" if kind == "element" else "tensor")

    @property
    def decides_over_all(self) -> bool:
        return self._scope == "global"

    def becomes(self, info: TensorInfo, form: Form, limits: Limits) -> Form | Refusal:
        structure = self._structure.joined(form.sparsity)
        kept = None if form.sparsity is not None else self._kept(info)
        return replace(form, sparsity=structure, kept=kept, moved=False)

    def _kept(self, info: TensorInfo) -> int | None:
        if self._structure.kind != "nofm" and (self.sparsity is None or self._scope == "global"):
            return None
        return kept_elements(info.matrix, self._structure, self.sparsity or 0.0, self._scope)

    def group(self, info: TensorInfo) -> str | None:
        if self._scope == "row":
            return info.name if self.damping == AUTO else None
        return "*" if self._scope == "global" else info.name

    def row_multiple(self, info: TensorInfo) -> int:
        return self._structure.height if self._structure.kind == "block" else 1

    def survey(self, targets: Sequence[Target], found: Survey | None) -> Survey | None:
        from compress_core.passes.prune import selection

        if self._by_output and targets[0].has_gram:
            return self._survey_of_outputs(found)
        if self._scope == "row":
            return None
        if self._structure.kind == "column":
            return None if found is not None else selection.ColumnScores(self._scoring(targets))
        if found is None:
            return selection.first_survey(self._scoring(targets), targets, self.sparsity or 0.0)
        return found.next() if isinstance(found, selection.Narrowing) else None

    def _survey_of_outputs(self, found: Survey | None) -> Survey | None:
        from compress_core.passes.prune.rows import RowOutputs

        if self._by_row:
            return RowOutputs() if found is None else None
        if self.damping != AUTO:
            return None
        return found.next() if isinstance(found, Trial) else Trial(self._optimised)

    def settle(self, targets: Sequence[Target], found: Survey | None) -> Decided:
        from compress_core.passes.prune import selection
        from compress_core.passes.prune.rows import RowOutputs

        if isinstance(found, RowOutputs):
            return found.settle(self.sparsity or 0.0)
        if isinstance(found, Trial):
            return found.best()
        if self._by_output and targets[0].has_gram:
            return self._optimised(DAMPING if self.damping is None else float(self.damping))
        scoring = self._scoring(targets)
        if isinstance(found, selection.ColumnScores):
            return found.settle(targets, self.sparsity, self.threshold)
        if self._structure.kind == "nofm":
            return selection.KeepOfEach(scoring)
        if self.threshold is not None:
            return selection.UpToThreshold(scoring, self.threshold)
        if self._scope == "row":
            return selection.ShareOfRow(scoring, self.sparsity or 0.0)
        return selection.settle(scoring, targets, self.sparsity or 0.0, found)

    def _optimised(self, damping: float) -> Waiting:
        from compress_core.kernels.calibrated.problem import Choice, KeepOfEach, SmallestOfRow
        from compress_core.passes.prune import optimised

        structure, sparsity = self._structure, self.sparsity or 0.0
        choice: Choice = SmallestOfRow(partial(share, sparsity))
        if structure.kind == "nofm":
            choice = KeepOfEach(structure.height, structure.width)
        return optimised.METHODS[self.method](choice, damping)

    def _scoring(self, targets: Sequence[Target]) -> Scoring:
        from compress_core.passes.prune.units import Scoring, key_width

        seed = self.seed if self.method == "random" else None
        exact = self.threshold is not None
        return Scoring(
            self._structure, self.norm, seed, key_width(targets, self._structure, seed, exact)
        )
