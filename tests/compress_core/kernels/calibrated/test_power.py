"""The largest eigenvalue, a little above what it is."""

from __future__ import annotations

import numpy as np

from compress_core.kernels.calibrated.power import largest_eigenvalue
from tests.compress_core.kernels.calibrated.conftest import gram_of


def test_it_is_an_upper_bound_that_is_near() -> None:
    for size in (1, 5, 60, 200):
        gram = gram_of(size)
        wanted = np.linalg.eigvalsh(gram.astype(np.float64))[-1]
        assert wanted <= largest_eigenvalue(gram) <= 1.06 * wanted
