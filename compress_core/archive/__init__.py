"""Read zip archives of unknown origin: one meaning, or none.

Zip says most things twice (a directory at the end, a header before each member), and readers
disagree which one counts: that is how scanners are bypassed. Python's ``zipfile`` resolves such
conflicts silently, skips what stands before the archive and, before 3.11.8, lets members overlap;
so it is not used. Here every conflict is an error, and the members and their headers fill the file
exactly: nothing is hidden before, between or behind them.

Source of the format: PKWARE APPNOTE.TXT 6.3.10. Of it, this is read: one disk, no comment at the
end, members stored or deflated, zip64, data descriptors, names in UTF-8.
"""

from __future__ import annotations

from compress_core.archive.archive import Archive, Names
from compress_core.archive.member import DEFLATED, STORED, Member

__all__ = ["DEFLATED", "STORED", "Archive", "Member", "Names"]
