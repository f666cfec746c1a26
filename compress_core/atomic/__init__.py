"""Outputs are whole or absent.

Everything is written beside its target, to ``.<name>.<pid>.part``, then flushed to disk, renamed,
and the rename flushed. Whatever happens, the target is what it was or the complete new thing; a
killed run leaves one ``.part``, which the next run to the same target removes.
"""

from compress_core.atomic.failures import (
    check_scratch,
    check_space,
    scratch_error,
    scratch_folder,
)
from compress_core.atomic.file import PartFile, write_text
from compress_core.atomic.folder import PartFolder
from compress_core.atomic.targets import check_file, check_folder, refuse_input, refuse_nested

__all__ = [
    "PartFile",
    "PartFolder",
    "check_file",
    "check_folder",
    "check_scratch",
    "check_space",
    "refuse_input",
    "refuse_nested",
    "scratch_error",
    "scratch_folder",
    "write_text",
]
