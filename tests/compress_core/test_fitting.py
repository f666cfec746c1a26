"""How parameters are chosen."""

from __future__ import annotations

from compress_core import registry
from compress_core.fitting import FORMULA, RULES, SEARCHES, Fitting


def test_a_formula_is_no_search() -> None:
    assert not FORMULA.searches
    assert [Fitting(search=one).searches for one in SEARCHES] == [False, True]


def test_every_rule_is_some_scheme_s_and_ours_is_every_scheme_s() -> None:
    known = [cls.rules for cls in registry.all_of("schemes").values()]
    assert {rule for rules in known for rule in rules} == set(RULES)
    assert all("absmax" in rules for rules in known)
