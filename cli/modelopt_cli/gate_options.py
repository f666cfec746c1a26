"""Gates as flags: limits of the whole result, and growth against a baseline."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from compress_core.errors import UsageError
from modelopt_cli.bundles import PATH, bundle, flag, size_for

if TYPE_CHECKING:  # `--help`, and runs without gates, shall not wait for them
    from compress_core.gates import Gate, Growth, Origin

_SECTION = "Gates"
_FLAGS: dict[str, tuple[str, Literal["max", "min"]]] = {
    "max_size": ("size", "max"),
    "min_ratio": ("ratio", "min"),
    "max_ratio": ("ratio", "max"),
    "max_error": ("error", "max"),
    "min_sqnr": ("sqnr_db", "min"),
}
"""Field → metric and limit."""


def _number_for(name: str) -> Callable[[str], float]:
    """What reads the limit that the flag ``name`` is given."""
    flag_name = f"--{name.replace('_', '-')}"

    def number(text: str) -> float:
        from compress_core.gates.metric import METRICS

        metric = METRICS[_FLAGS[name][0]]
        try:
            return metric.limit(float(text))
        except ValueError:
            raise UsageError(f"{flag_name}: not a number: {text!r}") from None
        except UsageError as error:
            raise UsageError(f"{flag_name}: {error.message}", hint=error.hint) from None

    return number


def _growth(text: str) -> Growth:
    from compress_core.gates import Growth

    try:
        return Growth.parse(text)
    except UsageError as error:
        raise UsageError(f"--max-growth: {error.message}", hint=error.hint) from None


@bundle
class Gating:
    """Limits of the whole result; ``None`` sets none."""

    max_size: int | None = field(
        default=None,
        metadata=flag(
            "--max-size",
            section=_SECTION,
            type=size_for("--max-size"),
            metavar="SIZE",
            help="Largest size of the weight files, such as 25MiB.",
        ),
    )
    min_ratio: float | None = field(
        default=None,
        metadata=flag(
            "--min-ratio",
            section=_SECTION,
            type=_number_for("min_ratio"),
            metavar="X",
            help="It must be at least X times smaller than the original.",
        ),
    )
    max_ratio: float | None = field(
        default=None,
        metadata=flag(
            "--max-ratio",
            section=_SECTION,
            type=_number_for("max_ratio"),
            metavar="X",
            help="It must be at most X times smaller than the original.",
        ),
    )
    max_error: float | None = field(
        default=None,
        metadata=flag(
            "--max-error",
            section=_SECTION,
            type=_number_for("max_error"),
            metavar="X",
            help="Largest ‖W−Ŵ‖/‖W‖ over all elements.",
        ),
    )
    min_sqnr: float | None = field(
        default=None,
        metadata=flag(
            "--min-sqnr",
            section=_SECTION,
            type=_number_for("min_sqnr"),
            metavar="DB",
            help="Least signal to quantization noise over all elements, in dB.",
        ),
    )

    @property
    def gates(self) -> tuple[Gate, ...]:
        """One a flag that is given, in the order of the help."""
        given = {name: getattr(self, name) for name in _FLAGS if getattr(self, name) is not None}
        if not given:
            return ()
        from compress_core.gates import Gate, Limit

        return tuple(
            Gate(metric, (Limit(kind, given[name], _origin(name)),))
            for name, (metric, kind) in _FLAGS.items()
            if name in given
        )


@bundle
class Guarding(Gating):
    """Limits of what a run writes."""

    gate_before_write: bool = field(
        default=False,
        metadata=flag(
            "--gate-before-write",
            section=_SECTION,
            is_flag=True,
            help="Write nothing if a gate fails; without it, the output stays.",
        ),
    )


@bundle
class Comparing(Gating):
    """Limits of a file that is there, and what it is compared with."""

    max_growth: Growth | None = field(
        default=None,
        metadata=flag(
            "--max-growth",
            section=_SECTION,
            type=_growth,
            metavar="1%,64KiB",
            help="Growth against the baseline; with both, only growth above both fails.",
        ),
    )
    baseline: Path | None = field(
        default=None,
        metadata=flag(
            "--baseline",
            section=_SECTION,
            type=PATH,
            metavar="FILE",
            help="Sizes to compare with, instead of the baselines that gates name.",
        ),
    )
    update_baseline: bool = field(
        default=False,
        metadata=flag(
            "--update-baseline",
            section=_SECTION,
            is_flag=True,
            help="Lower the baseline to what is measured, or create it; not if a gate fails.",
        ),
    )

    @property
    def gates(self) -> tuple[Gate, ...]:
        """Those of all runs, and growth."""
        return (*super().gates, *self._growing())

    def _growing(self) -> Iterator[Gate]:
        if self.max_growth is not None:
            from compress_core.gates import Gate, Limit

            limit = Limit("max_growth", self.max_growth, _origin("max_growth"))
            yield Gate("size", (limit,))


def narrowed_gates(
    gates: tuple[Gate, ...], match: tuple[str, ...], ignore: tuple[str, ...]
) -> tuple[Gate, ...]:
    """``gates``, those that can be for the tensors that ``--match`` and ``--ignore`` name.

    :raises UsageError: no gate can.
    """
    if not match and not ignore:
        return gates
    if not any(gate.measures.of_tensors for gate in gates):
        raise UsageError(
            "--match and --ignore are for the gates of other flags",
            hint="add --max-error, --min-sqnr or --min-ratio",
        )
    from compress_core.select import Pattern

    return tuple(
        replace(
            gate,
            match=tuple(Pattern(text, where="--match") for text in match),
            ignore=tuple(Pattern(text, where="--ignore") for text in ignore),
        )
        if gate.measures.of_tensors
        else gate
        for gate in gates
    )


def _origin(name: str) -> Origin:
    from compress_core.gates import Origin

    return Origin(f"--{name.replace('_', '-')}")
