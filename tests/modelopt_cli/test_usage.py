"""Click's errors in our words."""

from __future__ import annotations

import click

from modelopt_cli.usage import in_our_words


def test_no_capital_and_no_full_stop() -> None:
    error = in_our_words(click.UsageError("Missing command."))
    assert (error.message, error.hint) == ("missing command", "see modelopt --help")


def test_the_hint_names_the_command() -> None:
    context = click.Context(click.Command("prune"), info_name="modelopt prune")
    assert in_our_words(click.UsageError("No.", context)).hint == "see modelopt prune --help"


def test_near_options_are_named() -> None:
    error = click.NoSuchOption("--bit", possibilities=["--bits", "--help"])
    assert in_our_words(error).hint == "did you mean --bits?"


def test_an_empty_message_is_survived() -> None:
    assert in_our_words(click.UsageError("")).message == ""
