"""Which shard a job of a cluster's array is, from what the cluster says in the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from compress_core.batch import Shard
from compress_core.errors import UsageError

AUTO = "auto"


@dataclass(frozen=True)
class _Scheduler:
    """The variables of one; all are integers.

    :ivar first: what the index of the first job is, 0 where nothing is said.
    """

    name: str
    index: str
    count: str
    first: str | None = None
    step: str | None = None


_SCHEDULERS = (
    _Scheduler(
        "Slurm",
        "SLURM_ARRAY_TASK_ID",
        "SLURM_ARRAY_TASK_COUNT",
        "SLURM_ARRAY_TASK_MIN",
        "SLURM_ARRAY_TASK_STEP",
    ),
    _Scheduler("AWS Batch", "AWS_BATCH_JOB_ARRAY_INDEX", "AWS_BATCH_JOB_ARRAY_SIZE"),
    _Scheduler("Kubernetes", "JOB_COMPLETION_INDEX", "JOB_COMPLETIONS"),
)


def shard_of(asked: str | None, environment: Mapping[str, str]) -> Shard:
    """The shard that ``--shard`` asks for: ``I/N``, ``auto``, or all that there is.

    :raises UsageError: it is neither, or the environment does not tell.
    """
    if asked is None:
        return Shard()
    if asked != AUTO:
        return Shard.parse(asked)
    scheduler = next((one for one in _SCHEDULERS if one.index in environment), None)
    if scheduler is None:
        known = ", ".join(one.index for one in _SCHEDULERS)
        raise UsageError(
            f"--shard auto: this is no job of an array: none of {known} is set",
            hint="--shard I/N says it by hand",
        )
    return _of_job(scheduler, environment)


def _of_job(scheduler: _Scheduler, environment: Mapping[str, str]) -> Shard:
    def number(variable: str | None, otherwise: int) -> int:
        if variable is None or variable not in environment:
            return otherwise
        return _number(variable, environment)

    position = _number(scheduler.index, environment) - number(scheduler.first, 0)
    index, rest = divmod(position, max(1, number(scheduler.step, 1)))
    count = _number(scheduler.count, environment)
    if rest or not 0 <= index < count:
        raise UsageError(
            f"--shard auto: {scheduler.name} says that this is job {position} of {count}",
            hint="number the jobs of the array without gaps, or say --shard I/N",
        )
    return Shard(index + 1, count)


def _number(variable: str, environment: Mapping[str, str]) -> int:
    text = environment.get(variable, "")
    if not text.isdecimal() or len(text) > 9:
        said = f"is {text!r}, no number" if text else "is not set"
        raise UsageError(f"--shard auto: {variable} {said}", hint="--shard I/N says it by hand")
    return int(text)
