"""What MLX has no codes for, and what to ask for instead."""

from __future__ import annotations

from compress_core.layouts.mlx.modes import GROUPS
from compress_core.schemes.affine import Affine
from compress_core.schemes.base import Scheme
from compress_core.schemes.integer import Integer
from compress_core.tensors import Form, Refusal, TensorInfo

_COLUMNS = {"mxfp4": 32, "mxfp8": 32, "nvfp4": 16}


def misfit(info: TensorInfo, form: Form) -> Refusal | None:
    """Why codes of a form cannot be stored; ``None``: for no reason that is known here."""
    scheme = form.scheme
    if scheme is None:
        return None
    if isinstance(scheme, Affine) and form.sparsity is not None:
        said = "0 is no value of affine codes, so that pruned weights would come back"
        return Refusal(info.name, said, "--scheme integer, whose codes hold 0 in it")
    if isinstance(scheme, Integer) and not scheme.symmetric:
        said = "a zero point times its scale is no float of the dtype that biases have in it"
        return Refusal(info.name, said, f"--preset MLX{scheme.bits}, which has a bias of its own")
    if form.inputs is not None:
        said = f"nothing in it asks for {form.inputs} inputs"
        return Refusal(info.name, said, "leave inputs out (--inputs none)")
    return _ungrouped(info, scheme)


def _ungrouped(info: TensorInfo, scheme: Scheme) -> Refusal | None:
    held = GROUPS if scheme.id not in _COLUMNS else (_COLUMNS[scheme.id],)
    if scheme.group_size in held:
        return None
    sizes = ", ".join(map(str, held[:-1])) + " or " * (len(held) > 1) + str(held[-1])
    said = f"MLX has groups of {sizes} columns for {scheme.id} codes, not {scheme.group_said}"
    return Refusal(info.name, said, f"--group-size {held[len(held) // 2]}")
