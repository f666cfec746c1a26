"""Elements by a mask."""

from __future__ import annotations

import numpy as np

from compress_core.kernels.masks import compacted, zeroed

VALUES = np.array([[1, 2, 3], [4, 5, 6]], np.uint16)
MASK = np.array([[True, False, False], [False, True, True]])


def test_zeros_stand_where_the_mask_is() -> None:
    assert zeroed(VALUES, MASK).tolist() == [[0, 2, 3], [4, 0, 0]]
    assert not np.signbit(zeroed(-np.ones((2, 3), np.float32), ~MASK)[~MASK]).any()


def test_what_stays_is_in_the_order_of_rows() -> None:
    assert compacted(VALUES, MASK).tolist() == [2, 3, 4]
    assert compacted(VALUES, np.zeros((2, 3), np.bool_)).tolist() == [1, 2, 3, 4, 5, 6]


def test_the_dtype_stays() -> None:
    assert zeroed(VALUES, MASK).dtype == compacted(VALUES, MASK).dtype == np.uint16
