"""The engine: sweeps in order, surveys after earlier passes, memory within bounds."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from compress_core import compress, from_config, open_weights, plan, restore
from compress_core.container import Nowhere
from compress_core.engine import Run, sweep
from compress_core.errors import NonFiniteError, UnsupportedError
from compress_core.grams.gram_file import GramFile
from compress_core.limits import Limits
from compress_core.passes.base import Pass, Settled, Survey, Target
from compress_core.pipeline import Pipeline, Step
from compress_core.planning import make_plan
from compress_core.settings import Progress, Settings
from compress_core.sizes import parse_size
from compress_core.spec import Output, Spec
from compress_core.tensors import ELEMENT, Form, TensorInfo
from compress_core.tiles import Tile
from compress_core.tiling import LEAST_MEMORY
from tests.compress_core import gram_files

JOBS = pytest.mark.parametrize("jobs", [1, 2, 5])


@JOBS
def test_results_come_in_the_order_of_the_items(jobs: int) -> None:
    def work(item: int) -> int:
        time.sleep(0.002 * (item % 3))
        return item * item

    assert list(sweep(range(40), work, jobs)) == [(item, item * item) for item in range(40)]


@JOBS
def test_nothing_to_do_is_done_at_once(jobs: int) -> None:
    assert list(sweep([], str, jobs)) == []


@pytest.mark.parametrize("jobs", [2, 5])
def test_at_most_twice_as_many_items_as_threads_are_ahead(jobs: int) -> None:
    taken = 0

    def items() -> Iterator[int]:
        nonlocal taken
        for item in range(100):
            taken += 1
            yield item

    for done, _ in sweep(items(), str, jobs):
        assert taken - done <= 2 * jobs
    assert taken == 100


def test_one_job_works_in_the_thread_of_the_caller_without_running_ahead() -> None:
    seen: list[int] = []

    def work(item: int) -> int:
        seen.append(item)
        return threading.get_ident()

    for item, worker in sweep(range(5), work, 1):
        assert seen[-1] == item
        assert worker == threading.get_ident()


@JOBS
def test_an_exception_comes_out_at_its_place_and_ends_the_work(jobs: int) -> None:
    begun: list[int] = []

    def work(item: int) -> int:
        begun.append(item)
        if item == 7:
            raise OSError("seven")
        return item

    results: list[int] = []
    with pytest.raises(OSError, match="seven"):
        results.extend(result for _, result in sweep(range(10_000), work, jobs))
    assert results == list(range(7))
    assert len(begun) <= 8 + 2 * jobs


@pytest.mark.parametrize("jobs", [2, 5])
def test_an_abandoned_sweep_ends_its_threads(jobs: int) -> None:
    before = threading.active_count()
    begun: list[int] = []

    def work(item: int) -> None:
        begun.append(item)
        time.sleep(0.01)

    running = sweep(range(10_000), work, jobs)
    next(running)
    running.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before
    assert len(begun) <= 2 * jobs + 1


def test_what_has_not_begun_when_a_sweep_is_abandoned_never_begins() -> None:
    begun: list[int] = []
    free = threading.Event()

    def work(item: int) -> None:
        begun.append(item)
        if item:
            free.wait(10)

    running = sweep(range(100), work, 2)
    next(running)
    while len(begun) < 3:  # items 1 and 2 have a thread each, as soon as the machine gives them one
        time.sleep(0.001)
    release = threading.Timer(0.2, free.set)
    release.start()
    running.close()  # type: ignore[attr-defined]
    release.join()
    assert begun == [0, 1, 2], "item 3 was waiting for a thread"


def test_an_exception_of_the_items_themselves_ends_the_threads_too() -> None:
    before = threading.active_count()

    def items() -> Iterator[int]:
        yield 1
        yield 2
        raise OSError("no more")

    with pytest.raises(OSError, match="no more"):
        list(sweep(items(), str, 4))
    assert threading.active_count() == before


@dataclass(frozen=True)
class Halve(Pass):
    """Moves values, and writes down what it is shown."""

    id: ClassVar[str] = "halve"
    summary: ClassVar[str] = "a pass that moves values"

    def becomes(self, info: TensorInfo, form: Form, limits: Limits) -> Form:
        return Form(form.dtype, form.scheme, ELEMENT, info.elements)

    def settle(self, targets: Sequence[Target], found: Survey | None) -> Settled:
        return _Halved()


class _Halved(Settled):
    def apply(self, tile: Tile) -> None:
        tile.move(tile.values / np.float32(2))


SEEN: list[tuple[str, int, NDArray[np.float32]]] = []


class _Looks(Survey):
    def __init__(self, turn: int) -> None:
        self.turn = turn

    def observe(self, tile: Tile) -> NDArray[np.float32]:
        return tile.values.copy()

    def absorb(self, info: TensorInfo, start: int, partial: Any) -> None:
        SEEN.append((f"{info.name} {self.turn}", start, partial))


@dataclass(frozen=True)
class Look(Halve):
    """Surveys twice and changes nothing."""

    id: ClassVar[str] = "look"
    over_all: bool = False

    def group(self, info: TensorInfo) -> str | None:
        return "*" if self.over_all else info.name

    def survey(self, targets: Sequence[Target], found: Survey | None) -> Survey | None:
        if isinstance(found, _Looks):
            return _Looks(1) if found.turn == 0 else None
        return _Looks(0)

    def settle(self, targets: Sequence[Target], found: Survey | None) -> Settled:
        assert isinstance(found, _Looks)
        assert found.turn == 1
        return _Nothing()


class _Nothing(Settled):
    def apply(self, tile: Tile) -> None:
        pass


@contextmanager
def opened(path: Path, passes: Sequence[Pass], settings: Settings) -> Iterator[Run]:
    """A run of some passes into the layout ``dense``."""
    spec = Spec(Pipeline(tuple(Step(work) for work in passes)), output=Output(layout="dense"))
    with open_weights(path) as reader:
        yield Run(make_plan(reader, spec), settings)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    rng = np.random.default_rng(2)
    path = tmp_path / "in.safetensors"
    tensors = {
        "b.weight": rng.standard_normal((300, 512), dtype=np.float32),
        "a.weight": rng.standard_normal((3, 5), dtype=np.float32),
        "norm": np.ones(5, np.float32),
    }
    save_file(tensors, path)
    return path


@JOBS
@pytest.mark.parametrize("over_all", [False, True])
def test_a_survey_sees_tiles_in_order_after_all_earlier_passes(
    jobs: int, over_all: bool, weights: Path
) -> None:
    SEEN.clear()
    settings = Settings(jobs, max_memory=LEAST_MEMORY)
    with opened(weights, [Halve(), Look(over_all)], settings) as run:
        run.settle()
    order = [name for name, _, _ in SEEN]
    if over_all:
        assert list(dict.fromkeys(order)) == [
            "a.weight 0",
            "b.weight 0",
            "a.weight 1",
            "b.weight 1",
        ]
        assert order.index("a.weight 1") > max(at for at, one in enumerate(order) if one[-1] == "0")
    else:
        assert list(dict.fromkeys(order)) == [
            "a.weight 0",
            "a.weight 1",
            "b.weight 0",
            "b.weight 1",
        ]
    assert order.count("b.weight 0") > 1
    original = load_file(weights)
    for turn in (0, 1):
        for name in ("a.weight", "b.weight"):
            mine = [(start, part) for seen, start, part in SEEN if seen == f"{name} {turn}"]
            assert [start for start, _ in mine] == sorted(start for start, _ in mine)
            whole = np.concatenate([part for _, part in mine])
            assert np.array_equal(whole, original[name] / np.float32(2))


def test_a_tile_that_is_moved_is_stored_as_it_stands(weights: Path, tmp_path: Path) -> None:
    spec = Spec(Pipeline((Step(Halve()), Step(Halve()))), output=Output(layout="dense"))
    compress(weights, tmp_path / "out.safetensors", spec)
    before, after = load_file(weights), load_file(tmp_path / "out.safetensors")
    assert np.array_equal(after["b.weight"], before["b.weight"] / np.float32(4))
    assert np.array_equal(after["norm"], before["norm"])


def test_memory_limits_the_threads(weights: Path) -> None:
    peaks = []
    for memory in (LEAST_MEMORY, 2**30):
        with opened(weights, [Halve()], Settings(jobs=8, max_memory=memory)) as run:
            peaks.append(run.peak_bytes)
            assert run.peak_bytes <= memory
    assert peaks[0] < peaks[1]


def test_a_row_too_long_for_the_memory_is_refused_by_name_with_a_limit_that_works(
    tmp_path: Path,
) -> None:
    path, target = tmp_path / "in.safetensors", tmp_path / "out.safetensors"
    values = np.random.default_rng(3).standard_normal((2, 400_000), dtype=np.float32)
    save_file({"wide.weight": values}, path)
    spec = from_config({"version": 1, "passes": [{"pass": "quantize", "bits": 4}]})
    with pytest.raises(UnsupportedError, match="rows of 400000 elements") as caught:
        plan(path, spec, Settings(max_memory=LEAST_MEMORY))
    with pytest.raises(UnsupportedError, match="rows of 400000 elements"):
        compress(path, target, spec, Settings(max_memory=LEAST_MEMORY))
    assert caught.value.where == str(path)
    assert "tensor wide.weight" in caught.value.message
    assert list(tmp_path.iterdir()) == [path]
    needed = parse_size((caught.value.hint or "").split("'")[1])
    assert needed > LEAST_MEMORY
    compress(path, target, spec, Settings(max_memory=needed))
    with pytest.raises(UnsupportedError):
        compress(path, tmp_path / "x", spec, Settings(max_memory=needed - 2 * 1024**2))
    with pytest.raises(UnsupportedError, match="wide"):
        restore(target, tmp_path / "dense.safetensors", Settings(max_memory=LEAST_MEMORY))


def test_non_finite_values_anywhere_are_found_by_name(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    tensors = {name: rng.standard_normal((200, 1000), dtype=np.float32) for name in "abc"}
    tensors["b"][199, 999] = np.inf
    tensors["c"][0, 0] = np.nan
    path = tmp_path / "in.safetensors"
    save_file(tensors, path)
    with opened(path, [Halve()], Settings(jobs=2, max_memory=LEAST_MEMORY)) as run:
        assert run.find_nonfinite() == ["b", "c"]
        with pytest.raises(
            NonFiniteError, match="tensor b holds NaN, infinity or numbers beyond float32"
        ):
            list(run._over("", [run.plan.tensors["b"]], lambda cut: run._tile(cut, upto=0)))


@pytest.mark.parametrize("jobs", [1, 3])
@pytest.mark.parametrize(
    "passes",
    [
        [{"pass": "quantize", "bits": 4}],
        [{"pass": "quantize", "bits": 4, "group_size": "tensor", "center": "mean"}],
        [{"pass": "prune", "sparsity": 0.5, "scope": "global"}],
        [{"pass": "prune", "threshold": 0.1}, {"pass": "quantize", "bits": 2}],
        [],
    ],
)
def test_progress_rises_to_its_total_in_every_stage(
    passes: list[dict[str, Any]], jobs: int, weights: Path, tmp_path: Path
) -> None:
    heard: list[Progress] = []
    threads: set[int] = set()

    def hear(progress: Progress) -> None:
        heard.append(progress)
        threads.add(threading.get_ident())

    spec = from_config({"version": 1, "passes": passes})
    target = tmp_path / "out.safetensors"
    settings = Settings(jobs, max_memory=LEAST_MEMORY, progress=hear, on_nonfinite="keep")
    compress(weights, target, spec, settings)
    restore(target, tmp_path / "dense.safetensors", Settings(jobs, progress=hear))
    assert threads == {threading.get_ident()}
    stages = _stages(heard)
    assert [stage[0].stage for stage in stages].count("write") == 2
    assert {"check", "survey", "count", "write"} >= {stage[0].stage for stage in stages}
    for stage in stages:
        done = [progress.done for progress in stage]
        assert done == sorted(done)
        assert all(0 < progress.done <= progress.total for progress in stage)
        assert stage[-1].done == stage[-1].total
    total = sum(array.nbytes for array in load_file(weights).values())
    assert {stage[-1].total for stage in stages if stage[0].stage == "write"} == {total}


@JOBS
def test_what_is_measured_is_made_as_if_it_were_written(
    jobs: int, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[str] = []
    monkeypatch.setattr(Nowhere, "write", lambda _, part, row, data: taken.append(part))
    monkeypatch.setattr(Nowhere, "write_bytes", lambda _, part, at, data: taken.append(part))
    heard: list[Progress] = []
    settings = Settings(jobs, max_memory=LEAST_MEMORY, progress=heard.append)
    with opened(weights, [Halve()], settings) as run:
        run.settle()
        stats = run.measure()
    assert set(taken) == set(stats) == {"b.weight", "a.weight", "norm"}
    whole = float(np.sum(load_file(weights)["b.weight"].astype(float) ** 2))
    assert stats["b.weight"].result().error == pytest.approx(0.5, rel=1e-6)
    assert stats["b.weight"].reference_square == pytest.approx(whole, rel=1e-6)
    assert stats["norm"].error_square == 0
    assert [stage[-1].stage for stage in _stages(heard)] == ["measure"]


def _stages(heard: list[Progress]) -> list[list[Progress]]:
    stages: list[list[Progress]] = [[]]
    for progress in heard:
        stages[-1].append(progress)
        if progress.done == progress.total:
            stages.append([])
    assert stages.pop() == [], "a stage did not reach its total"
    return stages


class InterruptedRunError(Exception):
    """What a listener raises in the middle."""


def _raise_at(stage: str, share: float) -> Callable[[Progress], None]:
    def hear(progress: Progress) -> None:
        if progress.stage == stage and progress.done >= share * progress.total:
            raise InterruptedRunError

    return hear


@JOBS
@pytest.mark.parametrize(
    ("stage", "share"),
    [("check", 0.5), ("survey", 0.5), ("count", 0.5), ("write", 0.0), ("write", 1)],
)
def test_an_exception_in_the_middle_leaves_nothing_behind(
    stage: str, share: float, jobs: int, weights: Path, tmp_path: Path
) -> None:
    before = threading.active_count()
    spec = from_config(
        {"version": 1, "passes": [{"pass": "prune", "sparsity": 0.5, "scope": "global"}]}
    )
    settings = Settings(
        jobs, max_memory=LEAST_MEMORY, on_nonfinite="keep", progress=_raise_at(stage, share)
    )
    with pytest.raises(InterruptedRunError):
        compress(weights, tmp_path / "out.safetensors", spec, settings)
    assert list(tmp_path.iterdir()) == [weights]
    assert threading.active_count() == before


@JOBS
def test_an_error_in_a_thread_leaves_nothing_behind_and_names_the_tensor(
    jobs: int, tmp_path: Path
) -> None:
    tensors = {f"{at:02}.weight": np.ones((64, 1024), np.float32) for at in range(12)}
    tensors["08.weight"][5, 5] = np.nan
    source, target = tmp_path / "in.safetensors", tmp_path / "out.safetensors"
    save_file(tensors, source)
    target.write_bytes(b"what was there before")
    spec = from_config({"version": 1, "passes": [{"pass": "quantize", "bits": 8}]})
    with pytest.raises(NonFiniteError, match=r"08\.weight"):
        compress(source, target, spec, Settings(jobs, replace=True))
    assert sorted(tmp_path.iterdir()) == [source, target]
    assert target.read_bytes() == b"what was there before"


_MEASURED = """
import json, sys
from compress_core import Settings, compress, from_config, restore
source, target, dense, limit, passes = sys.argv[1:]
settings = Settings(jobs=4, max_memory=int(limit))
compress(source, target, from_config({"version": 1, "passes": json.loads(passes)}), settings)
restore(target, dense, settings)
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(int(peak.split()[1]) * 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
@pytest.mark.parametrize(("limit", "most"), [(200 * 2**20, 150e6), (LEAST_MEMORY, LEAST_MEMORY)])
@pytest.mark.parametrize(
    "passes",
    [
        [{"pass": "quantize", "bits": 4, "group_size": 128}],
        [
            {"pass": "prune", "sparsity": 0.5, "scope": "global"},
            {"pass": "quantize", "bits": 3},
        ],
        [{"pass": "prune", "sparsity": 0.5, "structure": "16x4"}],
    ],
    ids=["quantize", "both", "blocks"],
)
def test_a_large_tensor_goes_through_in_little_memory(
    passes: list[dict[str, Any]], limit: int, most: float, tmp_path: Path
) -> None:
    source = tmp_path / "in.safetensors"
    rng = np.random.default_rng(5)
    save_file({"large.weight": rng.standard_normal((4096, 4096), dtype=np.float32)}, source)
    assert source.stat().st_size > 64 * 2**20
    paths = [source, tmp_path / "small.safetensors", tmp_path / "dense.safetensors"]
    done = subprocess.run(
        [sys.executable, "-c", _MEASURED, *map(str, paths), str(limit), json.dumps(passes)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    for path in paths:
        path.unlink()
    peak = int(done.stdout)
    assert 20 * 2**20 < peak < most, f"{peak / 2**20:.0f} MiB"


def test_one_gram_matrix_is_held_at_a_time_and_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrays = {f"{name}.weight": np.ones((600, 64), np.float32) for name in "abc"}
    source = gram_files.saved(tmp_path / "m.safetensors", arrays)
    file = gram_files.saved(tmp_path / "g.safetensors", gram_files.grams(arrays))
    given: list[weakref.ref[Any]] = []
    held: list[int] = []

    def matrix(self: GramFile, name: str) -> Any:
        held.append(sum(one() is not None for one in given))
        found = np.eye(64, dtype=np.float32)
        given.append(weakref.ref(found))
        return found

    monkeypatch.setattr(GramFile, "matrix", matrix)
    step = {"pass": "prune", "method": "dynamic", "sparsity": 0.5}
    spec = from_config({"version": 1, "passes": [step], "gram": str(file)})
    compress(source, tmp_path / "o.safetensors", spec, Settings(jobs=2))
    assert held == [0, 0, 0]
