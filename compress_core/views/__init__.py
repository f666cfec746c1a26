"""Tensors that lie in a file in any order: strided, transposed, big-endian, compressed.

A format says where the elements of each tensor are (:class:`View` of a :class:`Source`);
:class:`ViewReader` reads them by rows, as if they lay one after the other. What cannot be read by
rows at random is copied once into an unlinked temporary file.
"""

from __future__ import annotations

from compress_core.views.reader import Placed, ViewReader
from compress_core.views.source import Sequential, Source
from compress_core.views.view import View

__all__ = ["Placed", "Sequential", "Source", "View", "ViewReader"]
