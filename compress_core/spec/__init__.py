"""The spec: what is to be done to the weights, as a value, as a dictionary and as YAML.

    spec = load("edge.yaml")
    spec == from_config(spec.config())

Importing this package reads neither NumPy nor a YAML parser.
"""

from compress_core.spec.config import from_config
from compress_core.spec.loader import load
from compress_core.spec.model import Output, Spec
from compress_core.spec.scalars import scalar

__all__ = ["Output", "Spec", "from_config", "load", "scalar"]
