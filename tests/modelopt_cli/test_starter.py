"""The spec to begin with."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from jsonschema import Draft202012Validator
from safetensors.numpy import save_file

from compress_core.spec.document import parse
from compress_core.spec.loader import loads
from compress_core.spec.schema import json_schema
from modelopt_cli.inspection import contents_of
from modelopt_cli.starter import starter


def test_it_is_valid_and_names_its_schema() -> None:
    text = starter()
    assert text.startswith("# yaml-language-server: $schema=./modelopt.schema.json\n")
    assert loads(text).config() == {
        "version": 1,
        "passes": [{"pass": "quantize", "bits": 4, "group_size": 128}],
    }
    assert max(map(len, text.splitlines())) <= 92


def test_its_examples_are_valid_too() -> None:
    text = re.sub("^#:", "", starter(), flags=re.MULTILINE)
    spec = loads(text).config()
    assert list(spec) == ["version", "name", "select", "passes", "output", "gates"]
    assert [step["pass"] for step in spec["passes"]] == ["prune", "quantize"]
    Draft202012Validator(json_schema()).validate(parse(text, "a.yaml")[0])


def test_it_names_the_tensors_that_it_is_for(weights: Path) -> None:
    text = starter(contents_of(weights))
    assert "#   layers.*.mlp.up_proj  (2, F32 96×128)\n" in text
    assert loads(text) == loads(starter())


def test_names_stay_comments(tmp_path: Path) -> None:
    path = tmp_path / "names.safetensors"
    names = ("a\nversion: 2", "b\rversion: 2", "c\u2028d", "e\x85f", "g\x1b[2J", "h\ti", "j\ufeff")
    save_file({name: np.ones((2, 2), np.float32) for name in names}, path)
    text = starter(contents_of(path))
    assert loads(text) == loads(starter())
    assert "\x1b" not in text
