"""Number formats, one a file: a grid, how it is fitted, and the way there and back."""
