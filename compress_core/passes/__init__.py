"""Passes: what is done to the values of a tensor, one a file."""
