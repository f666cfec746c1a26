"""What no layout for servers can store."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from compress_core.layouts.base import Checkpoint
from compress_core.model import fused, may_be_linear, tied_heads, ties_embeddings
from compress_core.sizes import human
from compress_core.tensors import Form, Refusal

Unread = Callable[[Form], str | None]
"""Which reader is known to refuse codes of a form, and why; ``None``: none is."""

# Conv1D of transformers keeps weights as (in, out)
_TRANSPOSED_MODELS = (
    *("gpt2", "openai-gpt", "imagegpt", "decision_transformer"),
    *("clvp", "clvp_decoder", "clvp_encoder"),
)
_TRANSPOSED = ("c_attn", "q_attn", "c_proj", "c_fc")


def usual_refusals(
    checkpoint: Checkpoint, unread: Unread | None = None, *, allow_unread: bool = False
) -> Iterator[Refusal]:
    """What holds for the layers of all servers that join some of them; a hint with each.

    :param allow_unread: whether codes that a reader refuses are written all the same.
    """
    yield from no_config(checkpoint)
    if unread is not None:
        yield from not_read(checkpoint, unread, allow_unread=allow_unread)
    yield from tied_head(checkpoint)
    yield from transposed(checkpoint)
    yield from unlike(checkpoint)


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


def transposed(checkpoint: Checkpoint) -> Iterator[Refusal]:
    """Layers whose weights are stored as (in, out): groups of columns would be others to servers.

    Source: the models of transformers 5.23 that use its ``Conv1D``.
    """
    if (checkpoint.config or {}).get("model_type") not in _TRANSPOSED_MODELS:
        return
    for name in checkpoint.coded:
        module = name.removesuffix(".weight")
        word = module.rpartition(".")[2]
        if word in _TRANSPOSED:
            said = "its model stores (in, out), and the layout (out, in)"
            yield Refusal(name, said, f"--ignore '*{word}', or --layout packed")


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


def not_read(checkpoint: Checkpoint, unread: Unread, *, allow_unread: bool) -> Iterator[Refusal]:
    """Codes that a reader is known to refuse, where nobody allows them."""
    for name, form in checkpoint.coded.items():
        said = unread(form)
        if said is not None and not allow_unread:
            hint = "--allow-unread writes it all the same; --layout packed holds it as well"
            yield Refusal(name, said, hint)


SOME_REFUSE = "some of its readers: the notes name one that refuses it"
"""Who reads what was written all the same."""


def all_unread(checkpoint: Checkpoint, unread: Unread) -> list[str]:
    """Which readers are known to refuse what is to be written."""
    found = (unread(form) for form in checkpoint.coded.values())
    return [said for said in dict.fromkeys(found) if said is not None]


def unlike(checkpoint: Checkpoint) -> Iterator[Refusal]:
    """Layers that servers join to one, and that would differ."""
    joined: dict[str, list[str]] = {}
    for name, info in checkpoint.infos.items():
        whole = fused(name)
        if whole is not None and len(info.shape) == 2:
            joined.setdefault(whole, []).append(name)
    for names in joined.values():
        kinds = [(form.scheme, form.inputs) for form in map(checkpoint.forms.__getitem__, names)]
        if len(set(kinds)) > 1:
            yield _differing(names, kinds, checkpoint)


def _differing(names: Sequence[str], kinds: Sequence[object], checkpoint: Checkpoint) -> Refusal:
    first = names[0]
    other = next(name for name, kind in zip(names, kinds, strict=True) if kind != kinds[0])
    modules = [name.removesuffix(".weight") for name in names]
    said = (
        f"{modules[0]} is {_said(checkpoint.forms[first])} and {other.removesuffix('.weight')} is"
        f" {_said(checkpoint.forms[other])}, and servers join them to one matrix"
    )
    # of every block: whoever takes the hint would meet the next one otherwise
    words = dict.fromkeys(module.rpartition(".")[2] for module in modules)
    same = " ".join(f"--ignore '*{word}'" for word in words)
    return Refusal(first, said, f"give all of them the same options: {same}, or --layout packed")


def _said(form: Form) -> str:
    return str(form) if form.scheme is not None else "dense"


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
