"""One command a file; the first line of each module is its line in ``modelopt --help``."""
