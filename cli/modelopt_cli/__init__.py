"""The command ``modelopt``: arguments in, one call to :mod:`compress_core`, a result out.

Nothing is imported here: ``modelopt --help`` must answer at once.
"""
