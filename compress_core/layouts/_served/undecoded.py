"""Codes that may be sound, and that nothing here decodes."""

from __future__ import annotations


class NotDecodedError(Exception):
    """A kind of codes, or of describing them, that is not decoded here; never leaves the layout."""
