"""Conventions of other tools for codes: read, and never written. One file each."""
