"""What a project says in its ``pyproject.toml``: which files count, their tables, the gate's rules.

Nothing is imported here: most projects have no table of ours, and then only files are looked at.
"""
