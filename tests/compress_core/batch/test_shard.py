"""Shards: a partition, and a stable one."""

from __future__ import annotations

import pytest

from compress_core.batch import Shard
from compress_core.errors import UsageError


def names(count: int) -> list[str]:
    return [f"runs/{number % 7}/model-{number}.safetensors" for number in range(count)]


@pytest.mark.parametrize("inputs", [1, 2, 100, 1000])
@pytest.mark.parametrize("count", [1, 2, 3, 8, 1000])
def test_every_item_is_in_exactly_one(inputs: int, count: int) -> None:
    shares = [
        [name for name in names(inputs) if Shard(index, count).holds(name)]
        for index in range(1, count + 1)
    ]
    assert sorted(name for share in shares for name in share) == sorted(names(inputs))


@pytest.mark.parametrize("inputs", [1, 2, 100, 1000])
def test_another_input_moves_no_other(inputs: int) -> None:
    for index in (1, 2, 3):
        shard = Shard(index, 3)
        before = [name for name in names(inputs) if shard.holds(name)]
        after = [name for name in ["a/first", *names(inputs), "z/last"] if shard.holds(name)]
        assert [name for name in after if name not in ("a/first", "z/last")] == before


def test_shares_are_about_even() -> None:
    sizes = [sum(map(Shard(index, 4).holds, names(1000))) for index in (1, 2, 3, 4)]
    assert all(200 < size < 300 for size in sizes)


def test_what_is_where_stays_so_across_versions() -> None:
    assert [Shard(2, 3).holds(name) for name in ("a", "b", "c", "é", "\udcff")] == [
        True,
        False,
        True,
        False,
        False,
    ]


def test_a_shard_is_written_as_it_is_read() -> None:
    assert str(Shard.parse("2/3")) == "2/3"
    assert Shard.parse("01/3") == Shard(1, 3)
    assert str(Shard()) == "1/1"


@pytest.mark.parametrize("text", ["", "3", "1/", "/3", "a/b", "0/3", "4/3", "-1/3", "1/3/5", "1/0"])
def test_what_is_no_shard(text: str) -> None:
    with pytest.raises(UsageError):
        Shard.parse(text)
