"""The best of several parameters for each group."""

from __future__ import annotations

import numpy as np
import pytest

from compress_core.kernels.trials import CHUNK, best_trial, row_slices, squared_errors


def test_each_group_gets_its_own_best_and_the_first_among_equals() -> None:
    wanted = np.array([[3.0, 5.0, 4.0]])
    found = {"scale": np.array([[1.0, 5.0, 1.0]]), "kept": np.array([[7.0]])}
    trials = [{"scale": np.full((1, 3), one)} for one in (3.0, 5.0, 4.5, 3.5)]
    best = best_trial(lambda one: np.abs(one["scale"] - wanted), found, trials)
    assert best["scale"].tolist() == [[3.0, 5.0, 4.5]]
    assert best["kept"].tolist() == [[7.0]]
    assert found["scale"].tolist() == [[1.0, 5.0, 1.0]]


def test_errors_are_of_kept_elements_and_of_ragged_groups() -> None:
    values = np.arange(10, dtype=np.float32).reshape(2, 5)
    kept = np.ones((2, 5), np.bool_)
    kept[0, 4] = kept[1, 0] = False
    zeros = np.zeros_like(values)
    assert squared_errors(values, zeros, None, 2).tolist() == [[1, 13, 16], [61, 113, 81]]
    assert squared_errors(values, zeros, kept, 2).tolist() == [[1, 13, 0], [36, 113, 81]]


@pytest.mark.parametrize(("rows", "columns"), [(0, 5), (1, 10**6), (1000, 7), (70_000, 3)])
def test_slices_are_all_rows_in_order(rows: int, columns: int) -> None:
    parts = list(row_slices(rows, columns))
    assert [row for part in parts for row in range(*part.indices(rows))] == list(range(rows))
    assert all((part.stop - part.start) * columns <= max(CHUNK, columns) for part in parts)
