"""Patterns, conditions, and what is said of patterns that match nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress_core.dtypes import DTYPES
from compress_core.errors import UnmatchedError, UsageError
from compress_core.select import (
    Pattern,
    Selector,
    Where,
    listed,
    module_path,
    nearest,
    patterns,
    told_unmatched,
    unmatched,
)
from compress_core.tensors import TensorInfo

DOWN = "model.layers.0.mlp.down_proj.weight"
NAMES = (
    "model.embed_tokens.weight",
    DOWN,
    "model.layers.0.input_layernorm.weight",
    "lm_head.weight",
)


def info(name: str, *shape: int, dtype: str = "F32") -> TensorInfo:
    """A tensor of float32 ones, if nothing else is said."""
    return TensorInfo(name, DTYPES[dtype], shape, 0)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (DOWN, DOWN),
        (module_path(DOWN), DOWN),
        ("*down_proj*", DOWN),
        ("*.mlp.*", DOWN),
        ("model.layers.?.mlp.down_proj", DOWN),
        ("model.layers.[0-3].*", DOWN),
        ("*", "x"),
        ("re:.*down_proj", DOWN),
        ("re:model", DOWN),
        (r"re:.*mlp\.down_proj$", DOWN),  # of the module path, as other tools write it
        ("lm_head", "lm_head.weight"),
        ("x", "x"),
        ("[ab", "[ab"),
    ],
)
def test_patterns_that_match(text: str, name: str) -> None:
    assert Pattern(text).matches(name)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("down_proj", DOWN),
        ("*.MLP.*", DOWN),
        ("re:down_proj", DOWN),
        ("model.layers.[1-3].*", DOWN),
        ("lm_head", "lm_head_2.weight"),
        ("re:lm_head$", "x.lm_head.weight"),
        ("?", "ab"),
    ],
)
def test_patterns_that_do_not(text: str, name: str) -> None:
    assert not Pattern(text).matches(name)


@pytest.mark.parametrize(
    "text", ["re:(", "re:[z-a]", "re:*", "re:a{2,1}", "re:[[a]", "re:(?P<1>a)"]
)
def test_a_broken_expression_is_an_error_of_its_line(text: str) -> None:
    with pytest.raises(UsageError, match="not a regular expression"):
        Pattern(text)


@pytest.mark.parametrize("text", ["", "re:"])
def test_an_empty_pattern_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="empty pattern"):
        Pattern(text)


@pytest.mark.parametrize(("text", "role"), [("Linear", "linear"), ("Embedding", "embedding")])
def test_class_names_are_refused_with_the_role_to_use(text: str, role: str) -> None:
    with pytest.raises(UsageError, match="is a class") as caught:
        Pattern(text)
    assert caught.value.hint == f"name tensors, or write where: {{role: {role}}} in a spec"


def test_where_a_pattern_was_written_does_not_make_it_another() -> None:
    assert Pattern("a", where="x.yaml:1:2") == Pattern("a")
    assert hash(Pattern("a", where="x.yaml:1:2")) == hash(Pattern("a"))


@given(st.text(min_size=1), st.text())
def test_any_text_is_a_pattern_or_a_usage_error(text: str, name: str) -> None:
    try:
        pattern = Pattern(text)
    except UsageError:
        return
    pattern.matches(name)
    if not text.startswith("re:"):
        assert pattern.matches(text) or not pattern.is_exact


@pytest.mark.parametrize(
    ("where", "shape", "dtype", "reason"),
    [
        (Where(), (2, 3), "F32", None),
        (Where(ndim=2), (2, 3), "F32", None),
        (Where(ndim=2), (3,), "F32", "1-D, not 2-D"),
        (Where(min_ndim=2), (2, 3, 1), "F32", None),
        (Where(min_ndim=2), (), "F32", "0-D"),
        (Where(min_elements=7), (2, 3), "F32", "fewer than 7 elements"),
        (Where(min_elements=6), (2, 3), "F32", None),
        (Where(dtype=("BF16", "F16")), (2, 3), "F32", "dtype F32"),
        (Where(dtype=("BF16", "F32")), (2, 3), "F32", None),
        (Where(role="linear"), (2, 3), "F32", "role other"),
        (Where(role="other"), (2, 3), "F32", None),
    ],
)
def test_conditions(where: Where, shape: tuple[int, ...], dtype: str, reason: str | None) -> None:
    assert where.refuses(info("x", *shape, dtype=dtype), "other") == reason


def test_conditions_are_checked_and_canonical() -> None:
    assert Where(dtype=("bf16",), role="LINEAR") == Where(dtype=("BF16",), role="linear")
    with pytest.raises(UsageError, match="unknown dtype: bfloat16") as caught:
        Where(dtype=("F32", "bfloat16"))
    assert (caught.value.where, caught.value.hint) == ("dtype[1]", "did you mean BF16?")
    with pytest.raises(UsageError, match="ndim: -1 is not accepted"):
        Where(ndim=-1)
    with pytest.raises(UsageError, match="role: 'conv' is not accepted"):
        Where(role="conv")


def test_a_condition_on_dimensions_is_known() -> None:
    assert Where(ndim=2).states_rank
    assert Where(min_ndim=0).states_rank
    assert not Where(role="linear").states_rank


def test_a_selector_says_why_a_tensor_is_left_alone() -> None:
    selector = Selector(patterns(["*.mlp.*", "lm_head"]), patterns(["x", "re:lm"]), Where(ndim=2))
    assert selector.refuses(info(DOWN, 4, 4), "linear") is None
    assert selector.refuses(info(DOWN, 4), "linear") == "1-D, not 2-D"
    assert selector.refuses(info("norm.weight", 4, 4), "linear") == "not matched"
    assert selector.refuses(info("lm_head.weight", 4, 4), "linear") == "ignored by re:lm"


def test_a_selector_without_words_takes_everything() -> None:
    assert Selector().refuses(info("x"), "other") is None
    assert Selector().config() == {}
    assert Selector().written == ()


def test_a_selector_as_a_spec_writes_it() -> None:
    selector = Selector(patterns(["a", "*"]), patterns(["re:b"]), Where(ndim=2, dtype=("f16",)))
    assert selector.config() == {
        "match": ["a", "*"],
        "ignore": ["re:b"],
        "where": {"ndim": 2, "dtype": ["F16"]},
    }
    assert [place for place, _ in selector.written] == ["match[0]", "ignore[0]"]


def test_patterns_that_match_nothing_are_errors_with_near_names() -> None:
    written = (
        ("select.ignore[0]", Pattern("re:.*lm_heads")),
        ("passes[0].match[0]", Pattern("*.down_projs", where="a.yaml:9:14  passes[0].match[0]")),
        ("passes[0].rules[0].match[0]", Pattern("zzz")),
        ("select.ignore[1]", Pattern("lm_head")),
    )
    errors = unmatched(written, NAMES)
    assert all(isinstance(error, UnmatchedError) for error in errors)
    assert [(error.message, error.where, error.hint) for error in errors] == [
        (
            "ignore pattern matched no tensor: re:.*lm_heads",
            "select.ignore[0]",
            "nearest names: lm_head.weight — fix it, or pass --on-unmatched warn",
        ),
        (
            "match pattern matched no tensor: *.down_projs",
            "a.yaml:9:14  passes[0].match[0]",
            f"nearest names: {DOWN} — fix it, or pass --on-unmatched warn",
        ),
        (
            "rule pattern matched no tensor: zzz",
            "passes[0].rules[0].match[0]",
            "see the names with: modelopt inspect",
        ),
    ]


def test_nothing_matches_in_an_empty_file() -> None:
    assert len(unmatched([("match[0]", Pattern("re:.*"))], [])) == 1


def test_a_star_says_nothing_that_could_be_wrong() -> None:
    assert listed("match", patterns(["*", "a"])) == (("match[1]", Pattern("a")),)


def test_near_names_are_part_of_the_face() -> None:
    assert nearest("prun", ["prune"]) == ["prune"]


def test_a_name_without_dots_has_no_module() -> None:
    assert module_path("weight") == ""


def test_a_pattern_without_a_match_is_an_error_a_note_or_nothing() -> None:
    written = [("match[0]", Pattern("nothing")), ("ignore[0]", Pattern("re:.*"))]
    with pytest.raises(UnmatchedError, match="nothing"):
        told_unmatched(written, NAMES, "error")
    assert told_unmatched(written, NAMES, "warn") == ["match pattern matched no tensor: nothing"]
    assert told_unmatched(written, NAMES, "ignore") == []
    assert told_unmatched(written[1:], NAMES, "error") == []


def test_a_tensor_without_a_name_is_matched_by_everything() -> None:
    assert Pattern("*").matches("")
    assert Pattern("re:.*").matches("")
    assert not Pattern("a*").matches("")
