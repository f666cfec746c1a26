"""How compressed tensors are stored, one convention a file."""
