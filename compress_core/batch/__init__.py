"""Many inputs, one spec, one folder of outputs; what is done is not done again.

Nothing here starts a process: :class:`Bench` does one item after another, and any number of them
may work on the same folder at once, in other processes and on other machines.
"""

from compress_core.batch.bench import Bench, Order
from compress_core.batch.items import Gathered, Item, gather
from compress_core.batch.outcome import BatchReport, Outcome, State
from compress_core.batch.root import keep
from compress_core.batch.shard import Shard
from compress_core.batch.targets import prepare, refuse_overlaps, refuse_strangers, tidy_up

__all__ = [
    "BatchReport",
    "Bench",
    "Gathered",
    "Item",
    "Order",
    "Outcome",
    "Shard",
    "State",
    "gather",
    "keep",
    "prepare",
    "refuse_overlaps",
    "refuse_strangers",
    "tidy_up",
]
