"""Gates: what may be large or wrong at most, what a file is, and whether it may pass.

    gate (rules) × measurement (a file) × baseline (what it was) → verdict

An empty measurement is never a pass: a gate that finds nothing to measure is an error.
"""

from compress_core.gates.baseline import Baseline
from compress_core.gates.breach import Breach
from compress_core.gates.gate import Gate, Limit, Origin
from compress_core.gates.growth import Growth
from compress_core.gates.judge import Judge
from compress_core.gates.measurement import Measurement, TensorMeasure
from compress_core.gates.verdict import Check, Verdict

__all__ = [
    "Baseline",
    "Breach",
    "Check",
    "Gate",
    "Growth",
    "Judge",
    "Limit",
    "Measurement",
    "Origin",
    "TensorMeasure",
    "Verdict",
]
