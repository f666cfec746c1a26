"""Weight files as containers, one format a file."""
