"""What no layout for servers can store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from compress_core.layouts.base import Checkpoint
from compress_core.model import may_be_linear, tied_heads, ties_embeddings
from compress_core.sizes import human
from compress_core.tensors import Refusal


def no_config(checkpoint: Checkpoint) -> Iterator[Refusal]:
    """Codes where nothing can say what they are."""
    name, hint = next(iter(checkpoint.coded), None), "--layout packed"
    if name is None:
        return
    if not checkpoint.is_folder:
        said = "servers read it from a checkpoint folder with a config.json, and this is one file"
        yield Refusal(name, said, f"give the folder that the file lies in, or {hint}")
    elif checkpoint.config is None:
        said = "the folder has no config.json, where servers would look for what the codes are"
        yield Refusal(name, said, hint)


def tied_head(checkpoint: Checkpoint) -> Iterator[Refusal]:
    """A head that is tied has no data of its own: codes would be nobody's."""
    if not ties_embeddings(checkpoint.config):
        return
    left_out = heads_that_are_embeddings(checkpoint)
    for name in checkpoint.coded:
        module = name.removesuffix(".weight")
        if module.rpartition(".")[2] == "lm_head" and name not in left_out:
            said = "tie_word_embeddings is true: servers take the embedding in its place"
            yield Refusal(name, said, f"--ignore {module}")


def heads_that_are_embeddings(checkpoint: Checkpoint) -> Mapping[str, str]:
    """Heads over the vocabulary that need no data, since the config says that they are the
    embedding: head → embedding.
    """
    if not ties_embeddings(checkpoint.config):
        return {}
    infos = checkpoint.infos
    return {
        name: owner
        for name, owner in checkpoint.aliases.items()
        if may_be_linear(infos[name]) and not may_be_linear(infos[owner])
    }


def fused_experts(checkpoint: Checkpoint) -> list[str]:
    """What is to be said of experts that one tensor holds together: they stay dense."""
    dense = [
        info for info, form in checkpoint.with_infos() if form.scheme is None and info.holds_experts
    ]
    if not checkpoint.coded or not dense:
        return []
    size, tensors = human(sum(info.nbytes for info in dense)), "tensor" + "s" * (len(dense) > 1)
    verb = "stay" if len(dense) > 1 else "stays"
    said = f"{len(dense)} {tensors} of fused experts ({size}) {verb} dense"
    return [f"{said}: servers read codes of single experts; --layout packed holds these too"]


def dense_layers(checkpoint: Checkpoint) -> list[str]:
    """Modules that may be linear layers and stay dense, those that are not in the file at last."""
    dense = [
        name.removesuffix(".weight")
        for name, info in checkpoint.infos.items()
        if may_be_linear(info) and checkpoint.forms[name].scheme is None
    ]
    return [*dense, *tied_heads(checkpoint.infos, checkpoint.config)]
