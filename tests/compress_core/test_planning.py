"""Planning: from headers alone, which passes take a tensor, why not, and what it becomes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import save_file

from compress_core import from_config, open_weights, planning
from compress_core.errors import UnmatchedError, UnsupportedError, UsageError
from compress_core.layouts.base import Checkpoint, Layout
from compress_core.layouts.dense import Dense
from compress_core.planning import Plan, exactness, make_plan, targets_of
from compress_core.report import Report
from compress_core.tensors import ELEMENT, Form, Refusal

INT4 = {"pass": "quantize", "bits": 4}
HALF = {"pass": "prune", "sparsity": 0.5}


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    tensors = {
        "embed_tokens.weight": np.ones((64, 32), np.float32),
        "layers.0.up_proj.weight": np.ones((48, 32), ml_dtypes.bfloat16),
        "layers.1.up_proj.weight": np.ones((48, 32), np.float16),
        "layers.1.conv.weight": np.ones((8, 4, 3, 3), np.float32),
        "norm.weight": np.ones(32, np.float32),
        "steps": np.array(7, np.int64),
        "scale": np.array(7, np.float32),
        "positions": np.arange(40).reshape(5, 8),
        "attention_mask": np.ones((4, 4), np.bool_),
        "empty.weight": np.zeros((0, 32), np.float32),
        "thin.weight": np.ones((3, 1), np.float16),
        "even.weight": np.ones((1, 4), np.float16),
    }
    path = tmp_path / "in.safetensors"
    save_file(tensors, path)
    return path


def planned(path: Path, passes: list[dict[str, Any]], **more: Any) -> Plan:
    settings = {key: more.pop(key) for key in ("on_unmatched", "keep") if key in more}
    with open_weights(path) as reader:
        return make_plan(reader, from_config({"version": 1, "passes": passes, **more}), **settings)


def reasons(plan: Plan) -> dict[str, str | None]:
    return {name: one.kept_because for name, one in plan.tensors.items()}


def forms(plan: Plan) -> dict[str, str]:
    return {name: str(one.form) for name, one in plan.tensors.items() if one.form.touched}


def test_every_float_matrix_is_taken_and_all_else_is_kept_with_a_reason(weights: Path) -> None:
    plan = planned(weights, [HALF])
    assert reasons(plan) == {
        "embed_tokens.weight": None,
        "layers.0.up_proj.weight": None,
        "layers.1.up_proj.weight": None,
        "layers.1.conv.weight": None,
        "thin.weight": None,
        "even.weight": None,
        "norm.weight": "1-D",
        "steps": "no float weight (I64)",
        "scale": "0-D",
        "positions": "no float weight (I64)",
        "attention_mask": "no float weight (BOOL)",
        "empty.weight": "empty",
    }
    assert list(plan.tensors) == list(plan.source.infos)


def test_vectors_are_taken_when_the_condition_speaks_of_dimensions(weights: Path) -> None:
    for where in ({"min_ndim": 1}, {"ndim": 1}):
        in_step = planned(weights, [{**HALF, "where": where}])
        over_all = planned(weights, [HALF], select={"where": where})
        for plan in (in_step, over_all):
            assert reasons(plan)["norm.weight"] is None
            assert reasons(plan)["scale"] == "0-D"
            assert reasons(plan)["steps"] == "no float weight (I64)"


def test_each_condition_is_said_as_the_reason(weights: Path) -> None:
    plan = planned(
        weights,
        [{**HALF, "where": {"role": "linear", "dtype": ["F16", "BF16"]}, "ignore": ["layers.0.*"]}],
    )
    found = reasons(plan)
    assert found["layers.1.up_proj.weight"] is None
    assert found["layers.0.up_proj.weight"] == "ignored by layers.0.*"
    assert found["embed_tokens.weight"] == "dtype F32"
    plan = planned(weights, [{**HALF, "match": ["*.up_proj"]}], select={"where": {"ndim": 2}})
    assert reasons(plan)["embed_tokens.weight"] == "not matched"
    assert reasons(plan)["layers.1.conv.weight"] == "4-D, not 2-D"


def test_codes_that_would_not_be_smaller_are_not_made_and_that_is_said(weights: Path) -> None:
    plan = planned(weights, [{"pass": "quantize", "bits": 8}])
    for name in ("thin.weight", "even.weight"):  # larger, and just as large
        assert reasons(plan)[name] == "int8 channel would not be smaller"
    dense = planned(weights, [{"pass": "quantize", "bits": 8}], output={"layout": "dense"})
    assert reasons(dense)["thin.weight"] is None, "nothing gets smaller there anyway"


def test_a_second_pass_takes_what_the_first_one_left(weights: Path) -> None:
    plan = planned(weights, [{**HALF, "match": ["*.up_proj"]}, {**INT4, "ignore": ["layers.1.*"]}])
    assert forms(plan) == {
        "embed_tokens.weight": "int4 channel",
        "even.weight": "int4 channel",
        "layers.0.up_proj.weight": "int4 channel sparse",
        "layers.1.up_proj.weight": "sparse",
    }
    assert plan.tensors["layers.1.up_proj.weight"].skipped == ("ignored by layers.1.*",)
    assert plan.tensors["layers.1.up_proj.weight"].kept_because is None


def test_the_first_rule_that_matches_wins(weights: Path) -> None:
    rules = [{"match": ["layers.0.*"], "bits": 8}, {"match": ["layers.*"], "bits": 2}]
    plan = planned(weights, [{**INT4, "rules": rules}])
    assert forms(plan) == {
        "embed_tokens.weight": "int4 channel",
        "even.weight": "int4 channel",
        "layers.0.up_proj.weight": "int8 channel",
        "layers.1.up_proj.weight": "int2 channel",
        "layers.1.conv.weight": "int2 channel",
    }


def test_rules_that_would_split_a_global_share_are_refused() -> None:
    with pytest.raises(UsageError, match="a rule cannot split what prune decides over all"):
        from_config(
            {
                "version": 1,
                "passes": [
                    {**HALF, "scope": "global", "rules": [{"match": ["a"], "sparsity": 0.9}]}
                ],
            }
        )


def test_two_passes_that_quantize_one_tensor_are_refused(weights: Path) -> None:
    with pytest.raises(UsageError, match=r"two passes quantize embed_tokens\.weight") as caught:
        planned(weights, [INT4, {"pass": "quantize", "bits": 8}])
    assert caught.value.hint
    apart = [{**INT4, "match": ["embed*"]}, {"pass": "quantize", "bits": 8, "match": ["layers*"]}]
    assert forms(planned(weights, apart))["embed_tokens.weight"] == "int4 channel"


def test_a_pattern_without_a_match_is_an_error_a_note_or_nothing(weights: Path) -> None:
    passes = [{**HALF, "ignore": ["lm_heads", "embed_tokens"]}]
    with pytest.raises(UnmatchedError, match="ignore pattern matched no tensor: lm_heads"):
        planned(weights, passes)
    warned = planned(weights, passes, on_unmatched="warn")
    assert warned.notes == ["ignore pattern matched no tensor: lm_heads"]
    assert planned(weights, passes, on_unmatched="ignore").notes == []


def test_a_selection_that_takes_nothing_is_said(weights: Path) -> None:
    plan = planned(weights, [{**HALF, "where": {"min_elements": 10**9}}])
    assert plan.notes == ["no tensor is selected: the output is a copy"]
    assert not plan.touched()
    assert plan.exact
    assert planned(weights, []).notes == []


def test_tensors_that_must_be_kept_are_kept_with_the_reason_given(weights: Path) -> None:
    plan = planned(weights, [HALF, INT4], keep={"embed_tokens.weight": "because"})
    assert reasons(plan)["embed_tokens.weight"] == "because"
    assert reasons(plan)["layers.0.up_proj.weight"] is None


@pytest.mark.parametrize(
    ("tensors", "metadata", "said"),
    [
        ({"a.weight": np.ones((4, 4), np.float32)}, {"modelopt.packed": "{}"}, "modelopt packed"),
        (
            {
                "a.qweight": np.ones((4, 4), np.int32),
                "a.qzeros": np.ones((1, 4), np.int32),
                "a.scales": np.ones((1, 32), np.float16),
            },
            {},
            "awq",
        ),
        ({"a.weight": np.ones((4, 4), ml_dtypes.float8_e4m3fn)}, {}, "F8_E4M3 tensors"),
        ({"a.weight_packed": np.ones((4, 4), np.int32)}, {}, "compressed-tensors"),
    ],
)
def test_what_is_quantized_already_is_refused_by_its_name(
    tensors: dict[str, Any], metadata: dict[str, str], said: str, tmp_path: Path
) -> None:
    path = tmp_path / "codes.safetensors"
    save_file(tensors, path, metadata=metadata)
    with pytest.raises(UnsupportedError, match=f"already quantized: {said}") as caught:
        planned(path, [HALF])
    assert caught.value.where == str(path)
    decoded = said in ("modelopt packed", "compressed-tensors")
    assert "original weights" in (caught.value.hint or "")
    assert ("modelopt restore" in (caught.value.hint or "")) == decoded
    if said != "modelopt packed":
        assert not planned(path, []).touched(), "a copy harms nobody"


def test_the_layout_is_packed_unless_another_one_is_named(weights: Path) -> None:
    assert planned(weights, [HALF]).layout.id == "packed"
    assert planned(weights, [HALF], output={"layout": "dense"}).layout.id == "dense"


class Choosy(Dense):
    """A layout that takes no pruned tensors."""

    id: ClassVar[str] = "choosy"

    def accepts(self, checkpoint: Checkpoint) -> list[Refusal]:
        return [
            Refusal(name, "it is pruned", "drop the pass prune")
            for name, form in checkpoint.forms.items()
            if form.sparsity is not None
        ]


def test_what_a_layout_cannot_hold_is_refused_before_any_data_is_read(
    weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "choose_layout", lambda spec, source: (Choosy(), []))
    with pytest.raises(UsageError, match="layout choosy cannot hold it: it is pruned") as caught:
        planned(weights, [HALF])
    assert caught.value.hint == "drop the pass prune"
    assert caught.value.where in reasons(planned(weights, [INT4]))


def test_sizes_are_bounds_only_where_data_decide(weights: Path) -> None:
    dtype = planned(weights, []).source.infos["norm.weight"].dtype
    assert exactness(Form(dtype)) == "exact"
    assert exactness(Form(dtype, None, ELEMENT, 5)) == "exact"
    assert exactness(Form(dtype, None, ELEMENT, None)) == "at most"
    assert planned(weights, [HALF, INT4]).exact
    for options in (
        {"threshold": 0.1},
        {"sparsity": 0.5, "scope": "global"},
        {"sparsity": 0.5, "structure": "5x7"},
    ):
        assert not planned(weights, [{"pass": "prune", **options}]).exact
    assert not planned(weights, [HALF, HALF]).exact


def test_tensors_decide_together_where_the_pass_says_so(weights: Path) -> None:
    alone = targets_of(planned(weights, [HALF]), 0)
    assert all(len(targets) == 1 for _, targets in alone)
    (together,) = targets_of(planned(weights, [{**HALF, "scope": "global"}]), 0)
    assert len(together[1]) == len(alone) == 6
    rules = [{"match": ["layers.0.*"], "sparsity": 0.9}]
    split = targets_of(planned(weights, [{**HALF, "scope": "tensor", "rules": rules}]), 0)
    assert sorted({work.config()["sparsity"] for work, _ in split}) == [0.5, 0.9]


@pytest.mark.parametrize(("structure", "multiple"), [("16x4", 16), ("2of4", 1), ("row", 1)])
def test_tiles_do_not_part_what_a_pass_or_a_layout_sees_as_one(
    structure: str, multiple: int, weights: Path
) -> None:
    amount = {} if "of" in structure else {"sparsity": 0.5}
    plan = planned(weights, [{"pass": "prune", "structure": structure, **amount}])
    assert plan.row_multiple(plan.tensors["embed_tokens.weight"]) == multiple
    both = [
        {"pass": "prune", "structure": "6x1", "sparsity": 0.5},
        {"pass": "prune", "structure": "4x1", "sparsity": 0.5},
    ]
    plan = planned(weights, both)
    assert plan.row_multiple(plan.tensors["embed_tokens.weight"]) == 12


def test_the_base_layout_accepts_and_opens_nothing_by_itself(weights: Path) -> None:
    assert Layout.accepts(Dense(), Checkpoint({}, {})) == []
    with open_weights(weights) as reader:
        assert Layout.open(reader) is None


def test_a_report_of_a_plan_names_the_reasons(weights: Path) -> None:
    from compress_core import plan

    report: Report = plan(weights, from_config({"version": 1, "passes": [HALF]}))
    assert {one.name: one.kept_because for one in report.tensors} == reasons(
        planned(weights, [HALF])
    )


class TestPresetsInFolders:
    """The presets of other tools are for linear layers, and a checkpoint folder has roles."""

    NAMES = ("model.embed_tokens.weight", "model.layers.0.mlp.up_proj.weight")

    def changed(self, tmp_path: Path, **step: Any) -> list[str]:
        folder = tmp_path / "folder"
        folder.mkdir()
        array = np.ones((32, 256), np.float32)
        save_file(dict.fromkeys(self.NAMES, array), folder / "model.safetensors")
        asked = from_config({"version": 1, "passes": [{"pass": "quantize", **step}]})
        with open_weights(folder) as source:
            return [one.info.name for one in make_plan(source, asked).touched()]

    def test_a_preset_takes_linear_layers(self, tmp_path: Path) -> None:
        assert self.changed(tmp_path, preset="W4A16") == [self.NAMES[1]]

    def test_other_conditions_do_not_change_that(self, tmp_path: Path) -> None:
        assert self.changed(tmp_path, preset="W4A16", where={"ndim": 2}) == [self.NAMES[1]]

    def test_a_preset_in_a_rule_does_too(self, tmp_path: Path) -> None:
        rules = [{"match": "*.mlp.*", "bits": 8}, {"match": "*", "preset": "W4A16"}]
        assert self.changed(tmp_path, bits=4, rules=rules) == [self.NAMES[1]]

    def test_a_written_role_wins(self, tmp_path: Path) -> None:
        where = {"role": "embedding"}
        assert self.changed(tmp_path, preset="W4A16", where=where) == [self.NAMES[0]]

    def test_bits_take_all(self, tmp_path: Path) -> None:
        assert self.changed(tmp_path, bits=4) == list(self.NAMES)


def checkpoint(folder: Path, columns: int = 128, config: str | None = "{}") -> Path:
    folder.mkdir()
    tensors = {
        "0.fc1.weight": np.ones((64, columns), np.float32),
        "0.fc2.weight": np.ones((64, columns), np.float32),
    }
    save_file(tensors, folder / "model.safetensors")
    if config is not None:
        (folder / "config.json").write_text(config, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("passes", "layout"),
    [
        ([{"pass": "quantize", "preset": "W4A16"}], "compressed-tensors"),
        ([{"pass": "quantize", "preset": "W8A8"}], "compressed-tensors"),
        ([{"pass": "quantize", "preset": "W3A16"}], "packed"),
        ([{"pass": "quantize", "preset": "W4A16_ASYM"}], "packed"),
        ([{"pass": "quantize", "preset": "NF4"}], "bitsandbytes"),
        ([{"pass": "quantize", "preset": "NF4", "group_size": 16}], "packed"),
        ([{"pass": "quantize", "preset": "MLX4"}], "mlx"),
        ([{"pass": "quantize", "preset": "MXFP8A16"}], "mlx"),
        ([{"pass": "quantize", "preset": "W4A16", "center": "mean"}], "packed"),
        ([HALF, {"pass": "quantize", "preset": "W4A16"}], "packed"),
        ([INT4], "packed"),
        ([], "packed"),
    ],
)
def test_a_preset_on_a_folder_is_for_servers(
    passes: list[dict[str, Any]], layout: str, tmp_path: Path
) -> None:
    source = checkpoint(tmp_path / "model")
    plan = planned(source, passes)
    assert plan.layout.id == (layout if passes else "dense")
    assert planned(source / "model.safetensors", [INT4]).layout.id == "packed"


def test_a_folder_that_servers_cannot_be_given_is_packed(tmp_path: Path) -> None:
    preset = [{"pass": "quantize", "preset": "W4A16"}]
    assert planned(checkpoint(tmp_path / "a", config=None), preset).layout.id == "packed"
    narrow = planned(checkpoint(tmp_path / "b", columns=96), preset)
    assert narrow.layout.id == "packed"
    assert any("--group-size 32 would do" in note for note in narrow.notes)


def test_what_only_servers_do_is_said_where_nobody_tells_them(tmp_path: Path) -> None:
    source = checkpoint(tmp_path / "model")
    passes = [{"pass": "quantize", "preset": "W8A8"}]
    assert not planned(source, passes).notes
    packed = planned(source, passes, output={"layout": "packed"})
    assert "layout packed holds weights alone: nothing in it asks for int8 inputs" in packed.notes


def test_a_layout_that_can_hold_nothing_of_a_step_is_an_error(tmp_path: Path) -> None:
    source = checkpoint(tmp_path / "model", columns=96)
    output = {"layout": "compressed-tensors"}
    with pytest.raises(UsageError, match="96 columns are no multiple") as caught:
        planned(source, [{"pass": "quantize", "preset": "W4A16"}], output=output)
    assert (caught.value.where, caught.value.hint) == ("passes[0]", "--group-size 32")
