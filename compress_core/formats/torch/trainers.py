"""What trainers keep beside the weights: by its name, and by how it is built."""

from __future__ import annotations

import re

from compress_core.formats.torch.naming import KNOWN, entries

_STATES = (
    *("optim", "optimizer", "optimizers", "last_optimizer", "opt"),
    *("scheduler", "schedulers", "lr_scheduler", "lr_schedulers", "lr_sched"),
    *("scaler", "grad_scaler", "loss_scaler", "amp", "amp_scaler"),
    *("rng", "cuda_rng", "torch_rng", "numpy_rng", "python_rng", "cpu_rng", "random"),
    *("callbacks", "loops", "extra", "meter", "meters", "history", "dataloader", "dataloaders"),
    *("hparams", "hyperparameters", "hyper_parameters", "args", "cfg", "config"),
)
_NAMES = re.compile(rf"(?:{'|'.join(_STATES)})(?:_states?|_state_dicts?)?")

# trainers have one optimizer or some
_MOST_OPTIMIZERS = 8


def is_known(key: object) -> bool:
    """Whether weights are usually kept under such a key."""
    name = str(key).lower()
    return not is_called_state(key) and (name in KNOWN or name.endswith("state_dict"))


def is_called_state(key: object) -> bool:
    """Whether a key is, as a whole, a usual name of a trainer's state.

    Layers have such names, too (``scaler``), so a name alone is no reason to leave anything out.
    """
    return isinstance(key, str) and _NAMES.fullmatch(key.lower()) is not None


def is_optimizer(value: object) -> bool:
    """Whether a value is built like the state of an optimizer of PyTorch."""
    if not isinstance(value, dict):
        return False
    state, groups = value.get("state"), value.get("param_groups")
    return isinstance(state, dict) and isinstance(groups, (list, tuple))


def is_state(value: object) -> bool:
    """Whether a value is the state of an optimizer, or of several, built as PyTorch does."""
    if is_optimizer(value):
        return True
    length = len(value) if isinstance(value, (dict, list, tuple)) else 0
    return 0 < length <= _MOST_OPTIMIZERS and all(is_optimizer(one) for _, one in entries(value))
