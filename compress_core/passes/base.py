"""What a pass is: headers first (``becomes``), then data in surveys, then a pure function over
tiles.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from compress_core.dtypes import DType
from compress_core.errors import UnsupportedError
from compress_core.fields import Configured
from compress_core.limits import Limits
from compress_core.tensors import Form, Refusal, TensorInfo

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from compress_core.tiles import Tile


GRAM_ROWS = 256
"""Rows, counted from row 0, that go through the matrix products of one method together."""

DAMPING = 0.1
"""Share of the mean of its diagonal that is added to the diagonal of a Gram matrix."""


@dataclass(frozen=True)
class Target:
    """A tensor that a pass works on.

    :ivar before: its form when the pass gets it; ``form``: what ``becomes`` made of that.
    :ivar limits: what the layout can hold of it.
    :ivar has_gram: whether there is a Gram matrix of what the layer gets; ``has_held_out``: and
        one of inputs that nothing is fitted to.
    """

    info: TensorInfo
    before: Form
    form: Form
    limits: Limits = field(default_factory=Limits)
    has_gram: bool = False
    has_held_out: bool = False


class Inputs(Protocol):
    """What is known of the inputs of one layer."""

    def matrix(self) -> NDArray[np.float32]:
        """Their Gram matrix, (columns, columns), in a new array."""

    def held_out(self, first: int, stop: int) -> NDArray[np.float32]:
        """Some rows of the Gram matrix of other inputs; any thread."""


class Survey(ABC):
    """One sweep over the data of a group of tensors, before the pass is settled.

    :cvar by_gram: whether it looks at a tensor that has a Gram matrix with :meth:`given`.
    """

    by_gram: ClassVar[bool] = False

    @abstractmethod
    def observe(self, tile: Tile) -> Any:
        """What one tile tells: pure, any thread, the same for any tiling into whole grains."""

    def given(self, inputs: Inputs) -> Callable[[Tile], Any]:
        """The same of the tiles of one tensor, with all that follows from its Gram matrices.

        :raises UnsupportedError: a matrix is too near to singular.
        """
        return self.observe

    @abstractmethod
    def absorb(self, info: TensorInfo, start: int, partial: Any) -> None:
        """Add what ``observe`` said of the tile that starts at row ``start``.

        Called in the order of tensors and rows.
        """


class Decided:
    """A pass that has seen all data that it wants to see of one group of tensors."""

    def dtype(self, info: TensorInfo, before: DType) -> DType:
        """The dtype of a tensor that had ``before`` until this pass."""
        return before

    def removed(self, info: TensorInfo) -> int | None:
        """How many elements of a tensor it prunes; ``None``: only applying it tells."""
        return None

    @property
    def leaves_alone(self) -> bool:
        """Whether the data have told that nothing is to be changed after all."""
        return False

    @property
    def remark(self) -> str | None:
        """What must be said of the tensors that this was decided of; ``None``: nothing."""
        return None


class Settled(Decided, ABC):
    """One that knows all it needs."""

    @abstractmethod
    def apply(self, tile: Tile) -> None:
        """Change the tile's mask, codes, dtype or working values, each row by itself."""


class Waiting(Decided, ABC):
    """One that waits for the Gram matrix of each tensor."""

    def given(self, gram: NDArray[np.float32]) -> Settled:
        """The same for one tensor, with all that follows from the Gram matrix of its inputs.

        :param gram: (columns, columns); the callee's own, to be changed and kept.
        :raises UnsupportedError: the matrix is too near to singular.
        """
        import numpy as np

        try:
            return self.prepared(gram)
        except np.linalg.LinAlgError:
            raise UnsupportedError(
                "its Gram matrix is too near to singular", hint="use a larger damping"
            ) from None

    @abstractmethod
    def prepared(self, gram: NDArray[np.float32]) -> Settled:
        """What :meth:`given` gives, where the matrix has a factor."""


class Pass(Configured, ABC):
    """One step of a pipeline: a frozen dataclass whose fields are its flags, YAML keys and JSON
    Schema.

    A module of this folder must not import NumPy when it is imported: ``--help`` shows its options.

    :cvar id: the name in specs and commands.
    :cvar summary: one line for ``list passes``.
    :cvar least_ndim: dimensions of the tensors that it takes when nothing is said of them, or more.
    :cvar takes_nonfinite: whether it leaves NaN and infinity what they are, so that it may get
        them.
    """

    id: ClassVar[str]
    summary: ClassVar[str]
    least_ndim: ClassVar[int] = 2
    takes_nonfinite: ClassVar[bool] = False

    @property
    def meant_for(self) -> str | None:
        """The role that it is for in a checkpoint folder when nothing is said of roles.

        ``None``: of any role.
        """
        return None

    @abstractmethod
    def becomes(self, info: TensorInfo, form: Form, limits: Limits) -> Form | Refusal:
        """What a tensor of this form will be, from its header alone."""

    def group(self, info: TensorInfo) -> str | None:
        """Whose data decide together: the tensor's name, ``"*"`` for all; ``None``: no survey."""
        return None

    def joins(self, info: TensorInfo) -> bool:
        """Whether the group of a tensor is that of all tensors which readers make one matrix of."""
        return False

    @property
    def decides_over_all(self) -> bool:
        """Whether the data of all tensors decide together, so that no rule may part them."""
        return False

    @property
    def gram_matrices(self) -> int:
        """How many matrices of the size of a Gram matrix it holds at once; 0: it needs none."""
        return 0

    @property
    def needs_held_out(self) -> bool:
        """Whether it decides by Gram matrices of inputs that nothing is fitted to."""
        return False

    @property
    def without_gram(self) -> str:
        """What it does where there is no Gram matrix, in words."""
        return ""

    def row_multiple(self, info: TensorInfo) -> int:
        """Rows that must never be parted: tiles hold whole multiples of it."""
        return 1

    def survey(self, targets: Sequence[Target], found: Survey | None) -> Survey | None:
        """The next survey of a group after ``found`` (``None`` at first); ``None`` when enough is
        known.
        """
        return None

    @abstractmethod
    def settle(self, targets: Sequence[Target], found: Survey | None) -> Decided:
        """The pass, ready to be applied to the tiles of ``targets``."""


class Follower(Pass):
    """A pass that goes by what the earlier ones made of another tensor, the *leader*, and by the
    mean of the leader's inputs.

    It takes tensors whose leader an earlier pass changes; no later one may change the leader. Its
    first survey sees the tiles of the leader, the next ones those of the tensor itself.

    :cvar unled: what is missing beside a changed tensor that nothing follows, in words.
    """

    unled: ClassVar[str]

    @abstractmethod
    def leader(self, info: TensorInfo) -> str | None:
        """The tensor that it would go by; ``None``: the pass is not for such a tensor."""

    @abstractmethod
    def misfit(self, info: TensorInfo, leader: TensorInfo) -> str | None:
        """Why the two do not belong together, in words; ``None``: they do."""

    @abstractmethod
    def follow(self, means: Mapping[str, NDArray[np.float64]]) -> Survey:
        """The survey of a leader's tiles, as original and as the earlier passes leave them.

        :param means: sample of inputs → their mean, (columns,); always one of ``in_sample``.
        """

    def group(self, info: TensorInfo) -> str | None:
        return info.name
