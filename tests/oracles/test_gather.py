"""``modelopt gram`` against inputs that were caught layer by layer and text by text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file

from compress_core import compress, from_config
from compress_core.errors import OutputExistsError, UnsupportedError
from compress_core.gathering import Gathering, gather
from modelopt_cli import main

pytestmark = [pytest.mark.oracle, pytest.mark.filterwarnings("default")]

WORDS = ("the", "cat", "sat", "on", "a", "mat", "while", "rain", "fell", "over", "hills")


def _tokenizer(folder: Path) -> None:
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    vocabulary = {word: at for at, word in enumerate(["[UNK]", "[CLS]", "[SEP]", *WORDS])}
    made = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
    made.pre_tokenizer = Whitespace()
    made.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    PreTrainedTokenizerFast(tokenizer_object=made, unk_token="[UNK]").save_pretrained(folder)


def _model(kind: str) -> Any:
    import torch
    import transformers

    torch.manual_seed(5)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 64}
    if kind == "bert":
        config = transformers.BertConfig(**sizes, intermediate_size=48)
        return transformers.BertForSequenceClassification(config)
    if kind == "gpt2":
        return transformers.GPT2LMHeadModel(
            transformers.GPT2Config(n_embd=32, n_layer=2, n_head=4, vocab_size=64)
        )
    config = transformers.LlamaConfig(**sizes, intermediate_size=48, tie_word_embeddings=False)
    return transformers.LlamaForCausalLM(config)


@pytest.fixture(scope="module", params=["bert", "llama"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _saved(request.param, tmp_path_factory.mktemp(request.param))


def _saved(kind: str, folder: Path) -> Path:
    model = _model(kind)
    model.save_pretrained(folder)
    _tokenizer(folder)
    return folder


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    random = np.random.default_rng(1)
    lines = [" ".join(random.choice(WORDS, size=1 + at % 7)) for at in range(23)]
    path = tmp_path / "texts.txt"
    path.write_text("\n".join([*lines[:9], "", *lines[9:]]) + "\n", encoding="utf-8")
    return path


def _caught(folder: Path, texts: Path, max_length: int) -> dict[tuple[str, bool], NDArray[Any]]:
    """(layer, whether held out) → what it gets, (inputs, columns)."""
    import torch
    from transformers import AutoTokenizer

    model = _model(folder.name.rstrip("0123456789")).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    found: dict[tuple[str, bool], list[NDArray[Any]]] = {}
    for at, line in enumerate(line for line in texts.read_text().splitlines() if line):
        held_out = at % 5 == 4
        for name, inputs in _inputs(model, tokenizer(line)["input_ids"][:max_length], torch):
            found.setdefault((name, held_out), []).append(inputs)
    return {key: np.concatenate(rows).astype(np.float64) for key, rows in found.items()}


def _inputs(model: Any, tokens: list[int], torch: Any) -> Iterator[tuple[str, NDArray[Any]]]:
    seen: list[tuple[str, NDArray[Any]]] = []
    hooks = [
        module.register_forward_pre_hook(
            lambda layer, given, name=name: seen.append(
                (name, given[0].detach().numpy().reshape(-1, layer.in_features))
            )
        )
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear)
    ]
    with torch.no_grad():
        model(input_ids=torch.tensor([tokens]))
    for hook in hooks:
        hook.remove()
    yield from seen


@pytest.mark.parametrize("memory", [4 * 1024**3, 1])
def test_the_moments_are_those_of_the_inputs(
    memory: int, folder: Path, texts: Path, tmp_path: Path
) -> None:
    target = tmp_path / "g.safetensors"
    gathering = Gathering(max_length=512, batch_size=3, matrix_memory=memory)
    done = gather(folder, texts, target, gathering)
    found, wanted = load_file(target), _caught(folder, texts, 512)
    assert (done.texts, done.held_out) == (23, 4)
    assert {name for name, _ in wanted} == set(done.layers)
    for (layer, held_out), rows in wanted.items():
        begin = f"{layer}.held_out" if held_out else layer
        assert found[f"{begin}.count"] == len(rows)
        gram = rows.T @ rows / len(rows)
        scale = np.abs(gram).max()
        np.testing.assert_allclose(found[f"{begin}.gram"], gram, rtol=1e-4, atol=1e-5 * scale)
        np.testing.assert_allclose(found[f"{begin}.mean"], rows.mean(axis=0), atol=1e-5)
    assert len(found) == 3 * len(wanted)


def test_what_it_writes_is_what_passes_take(folder: Path, texts: Path, tmp_path: Path) -> None:
    target = tmp_path / "g.safetensors"
    done = gather(folder, texts, target)
    steps = [{"pass": "quantize", "bits": 3, "refine": "cd", "where": {"role": "linear"}}]
    steps.append({"pass": "bias-correction"})
    spec = {"version": 1, "passes": steps, "gram": str(target), "output": {"layout": "packed"}}
    report = compress(folder, tmp_path / "small", from_config(spec))
    told = {tensor.name.removesuffix(".weight") for tensor in report.tensors if tensor.outputs}
    assert told
    assert told <= set(done.layers)
    assert not any("no Gram matrix" in note for note in report.notes)


def test_texts_that_are_too_long_are_cut_off(folder: Path, texts: Path, tmp_path: Path) -> None:
    target = tmp_path / "g.safetensors"
    gather(folder, texts, target, Gathering(max_length=4))
    wanted = _caught_cut(folder, texts)
    counts = [int(one) for name, one in load_file(target).items() if name.endswith(".count")]
    assert max(counts) == wanted


def _caught_cut(folder: Path, texts: Path) -> int:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    lines = [line for line in texts.read_text().splitlines() if line]
    return sum(
        min(4, len(tokenizer(line)["input_ids"])) for at, line in enumerate(lines) if at % 5 < 4
    )


def test_it_writes_the_same_bytes_again(folder: Path, texts: Path, tmp_path: Path) -> None:
    one, other = tmp_path / "1.safetensors", tmp_path / "2.safetensors"
    gather(folder, texts, one)
    gather(folder, texts, other)
    assert one.read_bytes() == other.read_bytes()


def test_weights_the_other_way_round_are_left_out_and_said(texts: Path, tmp_path: Path) -> None:
    folder = _saved("gpt2", tmp_path / "gpt2")
    with pytest.raises(UnsupportedError, match=r"no linear layer .* \(out, in\)"):
        gather(folder, texts, tmp_path / "g.safetensors")
    assert not (tmp_path / "g.safetensors").exists()


def test_code_of_a_folder_is_not_run(folder: Path, texts: Path, tmp_path: Path) -> None:
    copied = tmp_path / "copied"
    copied.mkdir()
    for path in folder.iterdir():
        (copied / path.name).write_bytes(path.read_bytes())
    config = json.loads((copied / "config.json").read_text())
    config["auto_map"] = {"AutoConfig": "own.Config", "AutoModel": "own.Model"}
    config["model_type"] = "own"
    (copied / "config.json").write_text(json.dumps(config))
    (copied / "own.py").write_text("raise SystemExit('run')")
    with pytest.raises(UnsupportedError, match="transformers cannot run it"):
        gather(copied, texts, tmp_path / "g.safetensors")


def test_weights_that_are_missing_are_said(folder: Path, texts: Path, tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    copied = tmp_path / "copied"
    copied.mkdir()
    for path in folder.iterdir():
        (copied / path.name).write_bytes(path.read_bytes())
    arrays = load_file(copied / "model.safetensors")
    name = next(name for name in arrays if name.endswith(("query.weight", "q_proj.weight")))
    del arrays[name]
    save_file(arrays, copied / "model.safetensors", {"format": "pt"})
    with pytest.raises(UnsupportedError, match=f"lacks weights of .*{name}"):
        gather(copied, texts, tmp_path / "g.safetensors")


def test_the_command_tells_what_it_wrote(
    folder: Path, texts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "g.safetensors"
    arguments = ["gram", str(folder), "--texts", str(texts), "-o", str(target)]
    assert main.run([*arguments, "--held-out", "0"]) == 0
    told = capsys.readouterr().out
    assert told.startswith(f"Wrote {target} · ")
    assert "23 texts, 0 of them held out" in told
    assert not any(".held_out." in name for name in load_file(target))
    assert main.run(arguments) == 2
    with pytest.raises(OutputExistsError):
        gather(folder, texts, texts, replace=True)
