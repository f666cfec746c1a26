"""What the layouts that servers read have in common.

Their parts lie beside the name of a layer (``layer.weight_scale``), what the codes are stands in
``config.json``, and what servers need not know is recorded in the metadata.
"""
