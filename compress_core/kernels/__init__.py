"""Pure functions over arrays. In NumPy, they are the specification of every faster twin."""
