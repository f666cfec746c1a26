"""The spec to begin with: valid, with comments on what else can be said."""

from __future__ import annotations

from modelopt_cli.inspection import Contents
from modelopt_cli.printable import printable
from modelopt_cli.render.folding import folded
from modelopt_cli.render.numbers import shape

# a line that begins with "#:" is an example: without these two characters it is part of the spec
_HEAD = """\
# yaml-language-server: $schema=./modelopt.schema.json
# (The schema, for editors: modelopt spec schema > modelopt.schema.json)
#
# What is to be done to the weights: modelopt compress PATH --spec THIS_FILE
# Lines that begin with #: are examples; take the two characters away to use them.

version: 1
#:name: small                   # part of the output's name

# Which tensors, for all passes. A pattern is an exact name, a glob (* crosses dots), or
# re: and a regular expression. It is tried on lm_head.weight and on lm_head. One that
# matches nothing is an error; one that begins with * needs quotes.
"""
_BODY = """\
#:select:
#:  ignore: [lm_head, "*embed*"]
#:  where: {min_elements: 4096}

# What is done to them, in this order. All options of a pass: modelopt list passes quantize
passes:
#:  - pass: prune
#:    sparsity: 0.5
#:    match: ["*.mlp.*"]
  - pass: quantize
    bits: 4
    group_size: 128
#:    rules:                    # other options for some tensors; the first match wins
#:      - {match: "*.down_proj", bits: 8}

# How the result is stored: modelopt list layouts
#:output:
#:  layout: packed
#:  shard_size: 4 GiB           # of an output folder
#:  on_exists: replace

# What the result may cost; judged by every run, and by modelopt check --spec THIS_FILE
#:gates:
#:  - {metric: size, max: 25 MiB}
#:  - {metric: error, max: 0.2, over: tensor}
"""


def starter(contents: Contents | None = None) -> str:
    """The text of a spec file.

    :param contents: the weights that it is for; its comments then name their tensors.
    """
    return f"{_HEAD}{'' if contents is None else _tensors(contents)}{_BODY}"


def _tensors(contents: Contents) -> str:
    """The tensors as comments; what names hold cannot end one."""
    groups = folded(
        contents.tensors,
        name=lambda tensor: tensor.name,
        kind=lambda tensor: (tensor.dtype, tensor.shape),
        small_kind=lambda tensor: tensor.role,
        size=lambda tensor: tensor.nbytes,
    )
    lines = [f"# In {printable(contents.path)}:"]
    for group in groups:
        shapes = {f"{tensor.dtype} {shape(tensor.shape)}" for tensor in group.members}
        kinds = shapes.pop() if len(shapes) == 1 else f"{len(shapes)} shapes"
        lines.append(f"#   {printable(group.label)}  ({len(group.members)}, {kinds})")
    return "".join(f"{line}\n" for line in lines)
