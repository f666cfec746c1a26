"""What gets a region of the spool, and what shares one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from compress_core.dtypes import DTYPES
from compress_core.tensors import TensorInfo
from compress_core.views.placing import Places
from compress_core.views.source import Sequential
from compress_core.views.spool import Spool
from compress_core.views.view import View


class Nowhere:
    def read_into(self, buffer: memoryview, start: int) -> None:
        raise NotImplementedError


class Deflated(Sequential):
    size = 1000

    def chunks(self) -> Iterator[bytes]:
        raise NotImplementedError


SOURCE = Nowhere()
INFO = TensorInfo("x", DTYPES["F32"], (10, 12), 480)
DENSE = View.contiguous((10, 12), 4)
TRANSPOSED = View((10, 12), (1, 10), 4)


@pytest.fixture
def spool() -> Spool:
    return Spool("x")


@pytest.fixture
def places(spool: Spool) -> Places:
    return Places(spool, "x")


def test_what_can_be_read_where_it_stands(spool: Spool, places: Places) -> None:
    found = places.find(INFO, DENSE, SOURCE)
    assert (found.source, found.start, found.axes) == (SOURCE, 4, ((120, 1),))
    assert spool.size == 0


def test_what_is_copied_is_dense(spool: Spool, places: Places) -> None:
    found = places.find(INFO, TRANSPOSED, SOURCE)
    assert (found.start, found.axes, found.whole) == (0, ((120, 1),), 0)
    assert spool.size == 480


def test_a_deflated_source_is_unpacked_once(spool: Spool, places: Places) -> None:
    source = Deflated()
    one, two = places.find(INFO, DENSE, source), places.find(INFO, DENSE, source)
    assert one.source is two.source
    assert spool.size == 1000
    places.find(INFO, TRANSPOSED, source)
    assert spool.size == 1480
    places.find(INFO, DENSE, Deflated())
    assert spool.size == 2480


def test_one_view_is_copied_once(spool: Spool, places: Places) -> None:
    one, two = (places.find(INFO, TRANSPOSED, SOURCE) for _ in range(2))
    assert one == two
    swapped = places.find(INFO, View((10, 12), (1, 10), 4, swapped=True), SOURCE)
    assert swapped.source is one.source
    assert spool.size == 480
    for view, source in ((TRANSPOSED, Nowhere()), (View((10, 12), (1, 10), 8), SOURCE)):
        assert places.find(INFO, view, source).source is not one.source


def test_an_empty_tensor_needs_no_place(spool: Spool, places: Places) -> None:
    places.find(TensorInfo("x", DTYPES["F32"], (0, 12), 0), View((0, 12), (1, 99), 4), SOURCE)
    assert spool.size == 0
