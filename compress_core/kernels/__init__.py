"""Pure functions over arrays. What stands here in NumPy is the specification of every faster twin."""
