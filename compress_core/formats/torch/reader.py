"""From a checkpoint to a reader of its weights."""

from __future__ import annotations

from compress_core.errors import UnsupportedError
from compress_core.formats.torch.census import count
from compress_core.formats.torch.checkpoint import Checkpoint
from compress_core.formats.torch.choice import choose
from compress_core.formats.torch.records import Tensor
from compress_core.inputs import InputFile
from compress_core.sizes import human
from compress_core.tensors import TensorInfo
from compress_core.views import Placed, View, ViewReader

_METADATA = {"format": "pt"}
"""What transformers insists on."""

_TIMES = 64
_MORE = 1 << 30


def read_weights(file: InputFile, checkpoint: Checkpoint, key: str | None) -> ViewReader:
    """A reader of the weights of a checkpoint.

    :param file: closed with the reader.
    :param key: which set of weights; ``None``: the only one.
    :raises UsageError: there is no such set.
    :raises UnsupportedError: no tensors, several sets, or tensors that are much larger than the
        file: one element can be repeated 2⁶⁰ times by a stride of 0.
    """
    where = str(file.path)
    tree = count(checkpoint.root, checkpoint.budget, where)
    chosen = choose(tree, key)
    dense = sum(tensor.nbytes for tensor in chosen.tensors.values())
    if dense > _TIMES * file.size + _MORE:
        said = f"its tensors are {human(dense)}, and the file is {human(file.size)}"
        raise UnsupportedError(said, where=where, hint="save them after .contiguous()")
    tied = aliases(chosen.tensors)
    own = sum(one.nbytes for name, one in chosen.tensors.items() if name not in tied)
    placed = [_placed(name, one, checkpoint) for name, one in chosen.tensors.items()]
    return ViewReader(
        file.path,
        file,
        placed,
        metadata=_METADATA,
        notes=chosen.notes,
        aliases=tied,
        besides=max(0, checkpoint.stored - own),
    )


def _placed(name: str, tensor: Tensor, checkpoint: Checkpoint) -> Placed:
    info = TensorInfo(name, tensor.dtype, tensor.shape, tensor.nbytes)
    start = checkpoint.starts[tensor.storage.key] + tensor.offset
    swapped = checkpoint.swapped and tensor.dtype.bits > 8
    return Placed(info, View(tensor.shape, tensor.strides, start, swapped))


def aliases(tensors: dict[str, Tensor]) -> dict[str, str]:
    """Name → the earlier name of the same elements in the same order: tied weights.

    Tensors that only overlap are tensors of their own, and so are those without elements.
    """
    first: dict[object, str] = {}
    found: dict[str, str] = {}
    for name, tensor in tensors.items():
        if tensor.nbytes == 0:
            continue
        pairs = zip(tensor.shape, tensor.strides, strict=True)
        steps = tuple(step if size > 1 else 0 for size, step in pairs)
        seen = (tensor.storage.key, tensor.dtype.code, tensor.offset, tensor.shape, steps)
        earlier = first.setdefault(seen, name)
        if earlier != name:
            found[name] = earlier
    return found
