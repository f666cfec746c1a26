"""What a run of the mutation fuzzer measured."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Figures:
    """Of some mutants.

    :ivar verdicts: ``accepted`` or the name of an error → how many.
    :ivar slowest: seconds; ``slowest_number``: of which mutant.
    :ivar memory: the most bytes that the process ever had.
    """

    verdicts: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    slowest_number: int = -1
    memory: int = 0

    @property
    def mutants(self) -> int:
        """How many there were."""
        return self.verdicts.total()

    def add(self, other: Figures) -> None:
        """Count others, too."""
        self.verdicts += other.verdicts
        self.memory = max(self.memory, other.memory)
        if other.slowest > self.slowest:
            self.slowest, self.slowest_number = other.slowest, other.slowest_number

    def __str__(self) -> str:
        kinds = ", ".join(f"{kind} {count:,}" for kind, count in self.verdicts.most_common())
        slowest = f"slowest {self.slowest:.2f} s (number {self.slowest_number})"
        return f"{self.mutants:,} mutants: {kinds}; {slowest}; {self.memory / 1e6:.0f} MB at most"

    def to_json(self) -> dict[str, Any]:
        """For :meth:`from_json` in another process."""
        return vars(self)

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> Figures:
        """What :meth:`to_json` gave."""
        return cls(**{**found, "verdicts": Counter(found["verdicts"])})
