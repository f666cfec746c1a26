"""Spec files: valid ones of every shape, and files that are none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from compress_core.errors import SpecError
from compress_core.spec import Spec, load
from compress_core.spec.loader import MAX_BYTES

VALID = {
    "the least": "version: 1\n",
    "no pass": "version: 1\nname: copy\npasses: []\n",
    "everything": """\
# yaml-language-server: $schema=./modelopt.schema.json
version: 1
name: edge
select: {ignore: [lm_head, "*embed_tokens*", "re:.*norm"], where: {ndim: 2}}
passes:
  - {pass: prune, sparsity: 0.5, match: ["*.mlp.*"]}
  - pass: quantize
    preset: W4A16
    rules:
      - {match: "*.down_proj", bits: 8}        # first matching rule wins
output: {shard_size: 4 GiB}
gates:
  - {metric: size, max: 25 MiB}
  - {metric: error, max: 0.2, over: tensor}
""",
    "gates": """\
version: 1
gates:
  - {metric: size, max: 4096, min: "10", max_growth: 1%, baseline: baseline.json}
  - {metric: tensor_bytes, max_growth: {percent: 1, bytes: 64 KiB}}
  - {metric: tensor_bytes, max_growth: "64 KiB, 0.5 %", over: total}
  - {metric: ratio, min: 2.5, match: "*.mlp.*", ignore: [a, b]}
  - {metric: sqnr_db, min: -3}
  - {metric: zeros, min: 50%, max: 0.6, over: tensor}
""",
    "JSON": '{"version": 1, "passes": [{"pass": "quantize", "bits": 4, "symmetric": false}]}',
    "a marked document": "---\nversion: 1\npasses:\n- pass: prune\n  sparsity: 0.5\n...\n",
    "Windows": "\ufeffversion: 1\r\npasses:\r\n  - pass: prune\r\n    sparsity: 0.5\r\n",
    "quoted keys": "\"version\": 1\n'passes': [{'pass': 'prune', 'sparsity': 1e-1}]\n",
    "N of M": "version: 1\npasses: [{pass: prune, structure: 2of4}]\n",
    "N of M as others write it": "version: 1\npasses: [{pass: prune, structure: 2:4}]\n",
    "a threshold": "version: 1\npasses: [{pass: prune, threshold: 1e-3}]\n",
    "global": "version: 1\npasses: [{pass: prune, sparsity: .5, scope: global}]\n",
    "random": "version: 1\npasses: [{pass: prune, sparsity: 1, method: random, seed: 7}]\n",
    "binary": "version: 1\npasses: [{pass: quantize, bits: 1, group_size: tensor}]\n",
    "two passes": "version: 1\npasses: [{pass: prune, sparsity: 0}, {pass: quantize, bits: 8}]\n",
    "conditions": """\
version: 1
select:
  match: "*"
  where: {min_ndim: 1, min_elements: 4096, dtype: [bf16, F16], role: Linear}
""",
    "output": """\
version: 1
output:
  layout: auto
  shard_size: "25MB"
  copy_side_files: false
  on_exists: replace
""",
    "patterns in blocks": """\
version: 1
select:
  ignore:
    - >-
      re:.*norm
    - 'it''s'
    - "tab\\there"
""",
}


@pytest.mark.parametrize("name", VALID)
def test_valid_specs_load_and_stay_what_they_are(tmp_path: Path, name: str) -> None:
    path, again = tmp_path / "a.yaml", tmp_path / "b.yaml"
    path.write_bytes(VALID[name].encode())
    spec = load(path)
    again.write_text(spec.to_yaml(), encoding="utf-8")
    assert load(str(again)) == spec
    assert isinstance(spec, Spec)


def refusal(path: Path | str) -> SpecError:
    """The error with which a file is refused."""
    with pytest.raises(SpecError) as caught:
        load(path)
    return caught.value


@pytest.mark.parametrize(
    ("data", "message", "position"),
    [
        (b"", "is empty", "1:1"),
        (b"\n\n", "is empty", "1:1"),
        (b"version: 1\nname: \xff", "byte 0xff is not UTF-8", "2:7"),
        ("version: 1".encode("utf-16"), "byte 0xff is not UTF-8", "1:1"),
        ("version: 1".encode("utf-16-le"), "cannot be seen", "1:2"),
        (b"version: 1\nname: \xc3", "byte 0xc3 is not UTF-8", "2:7"),
        ("é: \ud800".encode("utf-8", "surrogatepass"), "is not UTF-8", "1:4"),
        (b"version: 1\npasses:\n\t- prune", "a tab", "3:1"),
        (b"version: 1\t# one\n", "a tab", "1:11"),
        (b"version:\x001", "cannot be seen: '\\x00'", "1:9"),
        ("version:\u00a01".encode(), "cannot be seen: '\\xa0'", "1:9"),
        ("a: 1\u2028b: 2".encode(), "cannot be seen", "1:5"),
        ("a: 1\x85b: 2".encode(), "cannot be seen", "1:5"),
        ("a: \u202ex".encode(), "cannot be seen", "1:4"),
        ("\ufeff\ufeffa: x".encode(), "cannot be seen", "1:1"),
        (b"a: \x1b[31m", "cannot be seen", "1:4"),
    ],
)
def test_text_without_surprises(tmp_path: Path, data: bytes, message: str, position: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(data)
    error = refusal(path)
    assert message in error.message
    assert error.where == f"{path}:{position}"
    assert error.hint


def test_a_missing_file_is_a_usage_error(tmp_path: Path) -> None:
    error = refusal(tmp_path / "none.yaml")
    assert error.message == "the spec cannot be read: no such file"
    assert error.where == str(tmp_path / "none.yaml")


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", Path("/dev/zero")):
        assert "not a regular file" in refusal(path).message


def test_a_name_may_be_anything(tmp_path: Path) -> None:
    assert "cannot be read" in refusal("a\0b").message
    assert "cannot be read" in refusal("x" * 5000).message
    assert "cannot be read" in refusal("").message


def test_a_file_of_a_megabyte_is_the_largest(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(b"version: 1\n" + b"#" * (MAX_BYTES - 11))
    load(path)
    path.write_bytes(b"version: 1\n" + b"#" * (MAX_BYTES - 10))
    assert "larger than 1 MB" in refusal(path).message


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.touch()
    os.truncate(path, 1 << 40)
    assert "larger than 1 MB" in refusal(path).message


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.touch(0o000)
    assert refusal(path).message == "the spec cannot be read: permission denied"


def test_importing_the_package_costs_neither_numpy_nor_a_parser(root: Path) -> None:
    code = (
        "import sys; from compress_core.spec import from_config;"
        "from_config({'version': 1, 'passes': [{'pass': 'quantize', 'bits': 4}]}).to_yaml();"
        "assert not {'numpy', 'yaml'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True)
