"""The words that somebody probably meant."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(word: str, known: Iterable[str], count: int = 3) -> list[str]:
    """The known words that look most like ``word`` (case aside), best first."""
    by_case: dict[str, str] = {}
    for good in known:
        by_case.setdefault(good.casefold(), good)
    import difflib  # nearly all words are right

    close = difflib.get_close_matches(word[:200].casefold(), by_case, n=count, cutoff=0.6)
    return [by_case[folded] for folded in close]


def did_you_mean(word: str, known: Iterable[str], noun: str = "known") -> str:
    """A hint for a wrong word: the nearest known one, or all of them."""
    listed = list(known)
    close = nearest(word, listed, 1)
    return f"did you mean {close[0]}?" if close else f"{noun}: {', '.join(listed) or 'none'}"


def shown(value: object) -> str:
    """``repr(value)``, cut to what fits in a message."""
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 128:
        return "a number of more than 38 digits"  # Python refuses to print what is much longer
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
