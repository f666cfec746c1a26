"""Begin, check and show spec files."""

from __future__ import annotations

from modelopt_cli.folder import CommandFolder

command = CommandFolder(
    "spec",
    package=__name__,
    no_args_is_help=False,
    help="Begin, check and show spec files: what is to be done to the weights, in YAML.",
)
