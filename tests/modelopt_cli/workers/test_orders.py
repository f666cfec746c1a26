"""What parent and worker tell each other survives the way."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path

from compress_core import load_spec
from compress_core.batch import Item, Outcome
from compress_core.gates import Breach, Origin
from modelopt_cli.workers.orders import Answer, Setup, Task

SPEC = """\
version: 1
passes: [{pass: quantize, preset: W4A16}]
gates: [{metric: size, max_growth: 1%, baseline: base.json}, {metric: ratio, min: 2}]
"""


def through_a_pipe(said: object) -> dict[str, object]:
    found: dict[str, object] = json.loads(json.dumps(said))
    return found


def test_a_setup(tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    file.write_text(SPEC)
    spec = load_spec(file)
    setup = Setup.of(
        spec, folder="out", label="1of3", verify=True, settings={"on_nonfinite": "keep"}
    )
    order = Setup(**through_a_pipe(asdict(setup))).order()  # type: ignore[arg-type]
    assert (order.folder, order.label, order.verify) == (Path("out"), "1of3", True)
    assert (order.settings.jobs, order.settings.on_nonfinite) == (1, "keep")
    assert order.spec.config() == spec.config()
    assert [gate.metric for gate in order.gates] == ["size", "ratio"]
    assert order.gates == order.spec.gates
    # beside the spec; what the journal is about stays relative
    assert order.gates[0].baseline_path() == tmp_path / "base.json"
    assert str(tmp_path) not in json.dumps(order.spec.config())
    where = [limit.origin for gate in order.spec.gates for limit in gate.limits]
    assert [str(one) for one in where] == [
        f"{file}:3:24  gates[0].max_growth",
        f"{file}:3:78  gates[1].min",
    ]


def test_a_task() -> None:
    item = Item(os.fsdecode(b"a/\xff"), Path(os.fsdecode(b"m/a/\xff")), Path("out/a"))
    task = Task.of(item, wait=True)
    found = Task(**through_a_pipe(asdict(task)))  # type: ignore[arg-type]
    assert found == task
    assert found.item == item


def test_an_answer() -> None:
    where = Origin("gates[0].max", "s.yaml", 3, 4)
    breach = Breach("size a", "size 2 B is over 1 B", "size", "max", 2, 1, where)
    for answer in (
        Answer(None),
        Answer(Outcome("a", "done", {"bytes_in": 3}, "packed", notes=("x", "y"))),
        Answer(Outcome("a", "failed", kind="FormatError", message="no"), "Traceback"),
        Answer(Outcome("a", "failed", kind="GateError", message="no", breaches=(breach,))),
    ):
        assert Answer.from_json(through_a_pipe(answer.to_json())) == answer
