"""What needs PyTorch and transformers: the only module that imports them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compress_core.errors import ModelOptError, UnsupportedError, UsageError
from compress_core.gathering.moments import Moments
from compress_core.gathering.texts import Batch, Tokens
from compress_core.settings import Progress

Samples = dict[bool, Moments]


@dataclass(frozen=True)
class Layer:
    """A linear layer of a model that is loaded.

    :ivar name: its module path, as the names of its tensors begin.
    :ivar columns: elements of what it gets.
    :ivar turned: whether its weight is (in, out), as in GPT-2, so that passes see outputs as
        columns.
    """

    name: str
    columns: int
    turned: bool


def require() -> None:
    """Import what a model needs to run.

    :raises UsageError: PyTorch or transformers are not installed.
    """
    try:
        import torch  # noqa: F401
        import transformers  # noqa: F401
    except ImportError as error:
        raise UsageError(
            f"running a model needs PyTorch and transformers: {error}",
            hint="pip install 'modelopt-cli[torch]'",
        ) from None


def open_network(folder: Path) -> Network:
    """Load a checkpoint folder, with nothing but the code of transformers and the files there.

    :raises UnsupportedError: transformers cannot load it, or it lacks weights.
    """
    import torch
    import transformers

    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    torch.manual_seed(0)
    safe: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    with _refused(folder):
        config = transformers.AutoConfig.from_pretrained(folder, **safe)
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **safe)
        cls = _class_of(transformers, config)
        made, told = cls.from_pretrained(
            folder,
            config=config,
            dtype=torch.float32,
            use_safetensors=True,
            output_loading_info=True,
            **safe,
        )
    missing = sorted(told["missing_keys"])
    if missing:
        more = f" and {len(missing) - 1} more" if missing[1:] else ""
        raise UnsupportedError(
            f"the checkpoint lacks weights of {cls.__name__}: {missing[0]}{more}",
            where=str(folder),
            hint="see which class config.json names under architectures",
        )
    return Network(made.train(False), tokenizer, folder)


def _class_of(transformers: Any, config: Any) -> Any:
    """The class of transformers that ``config.json`` names: its names are those of the file."""
    for name in config.architectures or ():
        found = getattr(transformers, name, None)
        if isinstance(found, type) and issubclass(found, transformers.PreTrainedModel):
            return found
    return transformers.AutoModel


@contextmanager
def _refused(folder: Path) -> Iterator[None]:
    """Whatever transformers says of a folder that it cannot use, as one error of ours."""
    try:
        yield
    except ModelOptError:
        raise
    except Exception as error:  # what it may raise is not written down anywhere
        said = " ".join(str(error).split())[:200] or type(error).__name__
        raise UnsupportedError(
            f"transformers cannot run it: {said}",
            where=str(folder),
            hint="it needs config.json, a tokenizer and safetensors of a class of transformers",
        ) from error


class Network:
    """A model and its tokenizer."""

    def __init__(self, model: Any, tokenizer: Any, folder: Path) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._folder = folder

    @property
    def layers(self) -> list[Layer]:
        """Its linear layers, in the order of the model."""
        import torch
        from transformers.pytorch_utils import Conv1D

        found = []
        for name, module in self._model.named_modules():
            if isinstance(module, torch.nn.Linear):
                found.append(Layer(name, module.in_features, turned=False))
            elif isinstance(module, Conv1D):
                found.append(Layer(name, module.weight.shape[0], turned=True))
        return found

    def tokens(self, lines: Sequence[str], max_length: int) -> list[Tokens]:
        """The tokens of texts, special ones included, each cut off at a length."""
        with _refused(self._folder):
            return [
                tuple(self._tokenizer(line, truncation=True, max_length=max_length)["input_ids"])
                for line in lines
            ]

    def moments(
        self,
        layers: Sequence[Layer],
        batches: Sequence[Batch],
        progress: Callable[[Progress], None] | None,
    ) -> dict[str, Samples]:
        """Layer → moments of what it gets of the batches that are not held out, and of the rest."""
        import torch

        found = {
            one.name: {held_out: Moments(one.columns) for held_out in (False, True)}
            for one in layers
        }
        total = sum(len(one.tokens) * len(one.tokens[0]) for one in batches)
        done = 0
        for batch in batches:
            watched = self._watched(found, batch.held_out)
            with watched, torch.inference_mode(), _refused(self._folder):
                self._model(input_ids=torch.tensor(batch.tokens))
            done += len(batch.tokens) * len(batch.tokens[0])
            if progress is not None:
                progress(Progress("gather", done, total))
        return found

    @contextmanager
    def _watched(self, found: Mapping[str, Samples], held_out: bool) -> Iterator[None]:
        """Sum up what layers get meanwhile."""
        hooks = [
            self._model.get_submodule(name).register_forward_pre_hook(
                _adding(samples[held_out]), with_kwargs=True
            )
            for name, samples in found.items()
        ]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()


def _adding(moments: Moments) -> Any:
    def hook(layer: Any, given: tuple[Any, ...], named: dict[str, Any]) -> None:
        inputs = given[0] if given else named["input"]
        moments.add(inputs.detach().reshape(-1, layer.in_features).numpy())

    return hook
