"""The weights that a folder stores as codes, and how they are decoded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from compress_core.container import Reader
from compress_core.dtypes import DType
from compress_core.errors import FormatError
from compress_core.layouts._served.module import Module, is_float, matrix_of
from compress_core.layouts._served.undecoded import NotDecodedError
from compress_core.layouts._served.weight import CodedWeight, weight_info
from compress_core.layouts.gptq.arguments import Arguments
from compress_core.layouts.gptq.words import CODES, GROUPS, SCALES, ZEROS, parts_of
from compress_core.schemes.base import Parameters, Scheme
from compress_core.schemes.integer import Integer
from compress_core.tensors import Form

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_LOCALS = (CODES, ZEROS, SCALES, GROUPS)
_WORD = 32


@dataclass(frozen=True)
class Decoding:
    """How codes and parameters are read.

    :ivar columns: of the weight.
    :ivar width: columns of a group that is consecutive.
    """

    arguments: Arguments
    columns: int
    width: int

    def codes(
        self, module: Module, scheme: Scheme, columns: int, start: int, stop: int
    ) -> NDArray[np.uint8]:
        from compress_core.kernels.bits import unpack_words

        return unpack_words(module.columns(CODES, start, stop).T, scheme.bits, columns)

    def parameters(self, module: Module, scheme: Scheme, start: int, stop: int) -> Parameters:
        import numpy as np

        from compress_core.kernels.floats import has_nonfinite, widen

        stored = np.ascontiguousarray(module.columns(SCALES, start, stop).T)
        scale = widen(stored, module.info(SCALES).dtype.code)
        if has_nonfinite(scale, "F32"):
            raise FormatError(f"its {SCALES} hold NaN or infinity", where=module.name)
        found: Parameters = {"scale": scale}
        zeros = self._zeros(module, start, stop)
        if not self.arguments.symmetric:
            found["zero_point"] = zeros
        elif (zeros != 1 << (scheme.bits - 1)).any():
            # some readers look at them and some do not: the weights would be two
            said = f"its {ZEROS} are not those of symmetric codes in this checkpoint_format"
            raise FormatError(said, where=module.name)
        return self._of_columns(found, module, scale.shape[1])

    def _zeros(self, module: Module, start: int, stop: int) -> NDArray[np.uint8]:
        """Zero points of some rows, from words that hold those of several."""
        import numpy as np

        from compress_core.kernels.bits import unpack_words

        bits = self.arguments.bits
        in_word = _WORD // bits
        first = start // in_word
        words = module.columns(ZEROS, first, -(-stop // in_word))
        stored = unpack_words(words, bits, stop - first * in_word)[:, start - first * in_word :]
        mask = np.uint8((1 << bits) - 1)
        return np.ascontiguousarray(((stored + np.uint8(self.arguments.less)) & mask).T)

    def _of_columns(self, found: Parameters, module: Module, groups: int) -> Parameters:
        """Parameters of groups, or of each column where columns are in another order."""
        import numpy as np

        if GROUPS not in module.locals:
            return found
        of_columns = module.span(GROUPS, 0, self.columns, "<i4")
        if self.arguments.ordered:
            if (of_columns != np.arange(self.columns) // self.width).any():
                said = f"its {GROUPS} names other groups than those of desc_act: false"
                raise FormatError(said, where=module.name)
            return found
        if ((of_columns < 0) | (of_columns >= groups)).any():
            raise FormatError(f"its {GROUPS} names groups that are not there", where=module.name)
        return {name: figure[:, of_columns] for name, figure in found.items()}


def modules_of(stored: Reader) -> dict[str, Module]:
    """The modules with codes, in the order of their parts."""
    found: dict[str, Module] = {}
    for name in stored.infos:
        stem = name.removesuffix(f".{CODES}")
        if stem != name:
            names = {local: f"{stem}.{local}" for local in _LOCALS}
            locals_ = {
                local: stored.infos[part] for local, part in names.items() if part in stored.infos
            }
            found[stem] = Module(stem, stored, locals_)
    return found


def coded_weight(module: Module, arguments: Arguments, dtype: DType) -> CodedWeight:
    """The weight of a module.

    :raises NotDecodedError: its codes are of another kind.
    :raises FormatError: its parts do not belong together.
    """
    words, rows = matrix_of(module.info(CODES))
    bits, scales = arguments.bits, module.info(SCALES).dtype.code
    if not is_float(scales):
        raise NotDecodedError(f"scales of {module.name} are {scales}")
    if rows * bits % _WORD:
        raise FormatError(f"{rows} rows of {bits} bits do not fill words", where=module.name)
    shape = (rows, words * _WORD // bits)
    group = Integer(bits, arguments.group_size, arguments.symmetric, "none", scales)
    expected = parts_of(shape, bits, group.groups(shape[1]), scales)
    if GROUPS not in module.locals and arguments.ordered:
        del expected[GROUPS]
    module.check(expected)
    # columns in an order of their own have a figure each
    scheme = group if arguments.ordered else Integer(bits, 1, arguments.symmetric, "none", scales)
    return CodedWeight(
        weight_info(module.name, dtype, shape),
        Form(dtype, group),
        tuple(f"{module.name}.{local}" for local in expected),
        scheme,
        Decoding(arguments, shape[1], group.width(shape[1])),
        module,
    )
