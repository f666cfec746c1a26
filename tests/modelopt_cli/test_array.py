"""Which shard a job of a cluster's array is."""

from __future__ import annotations

import pytest

from compress_core.batch import Shard
from compress_core.errors import UsageError
from modelopt_cli.array import shard_of

SLURM = {"SLURM_ARRAY_TASK_ID": "7", "SLURM_ARRAY_TASK_COUNT": "4", "SLURM_ARRAY_TASK_MIN": "5"}
AWS = {"AWS_BATCH_JOB_ARRAY_INDEX": "0", "AWS_BATCH_JOB_ARRAY_SIZE": "10"}
KUBERNETES = {"JOB_COMPLETION_INDEX": "9", "JOB_COMPLETIONS": "10"}


def test_by_hand() -> None:
    assert shard_of(None, SLURM) == Shard()
    assert shard_of("2/3", SLURM) == Shard(2, 3)


@pytest.mark.parametrize(
    ("environment", "shard"),
    [
        (SLURM, "3/4"),
        ({"SLURM_ARRAY_TASK_ID": "3", "SLURM_ARRAY_TASK_COUNT": "4"}, "4/4"),
        (
            {
                "SLURM_ARRAY_TASK_ID": "9",
                "SLURM_ARRAY_TASK_COUNT": "3",
                "SLURM_ARRAY_TASK_MIN": "1",
                "SLURM_ARRAY_TASK_STEP": "4",
            },
            "3/3",
        ),
        (AWS, "1/10"),
        (KUBERNETES, "10/10"),
    ],
)
def test_auto(environment: dict[str, str], shard: str) -> None:
    assert str(shard_of("auto", environment)) == shard


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({}, "no job of an array"),
        ({"JOB_COMPLETION_INDEX": "0"}, "JOB_COMPLETIONS is not set"),
        (AWS | {"AWS_BATCH_JOB_ARRAY_SIZE": "many"}, "'many', no number"),
        (AWS | {"AWS_BATCH_JOB_ARRAY_INDEX": "10"}, "job 10 of 10"),
        (SLURM | {"SLURM_ARRAY_TASK_ID": "4"}, "job -1 of 4"),
        (SLURM | {"SLURM_ARRAY_TASK_STEP": "4"}, "job 2 of 4"),
    ],
)
def test_what_does_not_tell(environment: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        shard_of("auto", environment)
    assert "--shard I/N" in str(caught.value.hint)
