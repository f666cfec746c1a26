from __future__ import annotations

import pytest

from compress_core.errors import FormatError, UnsupportedError, UsageError
from tests.compress_core.formats.torch.assembler import (
    NONE,
    SIX,
    integer,
    list_of,
    mapping,
    sizes,
    storage,
    tensor,
    text,
    tuple_of,
    zipped,
)
from tests.compress_core.formats.torch.conftest import Open

T = tensor()
STATE = mapping({"w": T, "b": T})
OTHER = tensor(storage("1"))
NUMBER = integer(3)
GROUPS = list_of(mapping({"lr": NUMBER}))
ADAM = mapping({"state": mapping({0: mapping({"exp_avg": T})}), "param_groups": GROUPS})

Entries = dict[str | int, bytes]


def made(root: bytes) -> bytes:
    return zipped(root, {"0": SIX, "1": SIX})


def names(opened: Open, root: bytes, key: str | None = None) -> list[str]:
    return list(opened(made(root), key).infos)


@pytest.mark.parametrize(
    ("root", "expected"),
    [
        (T, ["tensor"]),
        (list_of(T, OTHER), ["0", "1"]),
        (tuple_of(T, OTHER), ["0", "1"]),
        (STATE, ["w", "b"]),
        (mapping({0: T, 7: T}), ["0", "7"]),
        (mapping({"a.weight": T, "module.b": T}), ["a.weight", "module.b"]),
        (mapping({"": T}), [""]),
        (mapping({"encoder": STATE, "decoder": STATE}), ["encoder.w", "encoder.b", "decoder.w"]),
        (mapping({"params": list_of(T, tuple_of(T, mapping({"x": T})))}), ["0", "1.0", "1.1.x"]),
        # wrapped
        (mapping({"state_dict": STATE}), ["w", "b"]),
        (mapping({"model": STATE, "optimizer": mapping({"s": T}), "epoch": NUMBER}), ["w", "b"]),
        (mapping({"model_state_dict": STATE, "loss": T}), ["w", "b"]),
        (mapping({"MODEL": STATE, "epoch": NUMBER}), ["w", "b"]),
        (mapping({"my_state_dict": STATE, "optimizer_state_dict": STATE}), ["w", "b"]),
        (mapping({"model": mapping({"state_dict": STATE, "step": NUMBER})}), ["w", "b"]),
        (
            mapping({"model": STATE, "optimizer": STATE, "lr_schedulers": STATE, "scaler": STATE}),
            ["w", "b"],
        ),
        (mapping({"state_dict": STATE, "callbacks": STATE, "loops": STATE}), ["w", "b"]),
        (mapping({"model": STATE, "rng_state": T, "cuda_rng_states": list_of(T)}), ["w", "b"]),
        # no wrapper: a part of the names
        (mapping({"bert": mapping({"x": T})}), ["bert.x"]),
        (mapping({"params": mapping({"bert": mapping({"x": T})})}), ["bert.x"]),
        (mapping({"w": T, "layers": STATE}), ["w", "layers.w", "layers.b"]),
        (mapping({"w": T, "b": T, "c": T, "model": STATE}), ["w", "b", "c", "model.w", "model.b"]),
        (mapping({"w": T, "optimizer": ADAM}), ["w"]),
        (mapping({"w": T, "anything": list_of(ADAM, ADAM)}), ["w"]),
        (mapping({"encoder": mapping({"x": T}), "opts": mapping({"g": ADAM})}), ["encoder.x"]),
        (mapping({"w": T, "model": mapping({})}), ["w"]),
    ],
)
def test_what_the_weights_are(opened: Open, root: bytes, expected: list[str]) -> None:
    assert names(opened, root)[: len(expected)] == expected
    assert len(names(opened, root)) - len(expected) in (0, 1 if "decoder.w" in expected else 0)


A, B = mapping({"x": T}), mapping({"y": T})


@pytest.mark.parametrize(
    ("root", "expected"),
    [
        ({"encoder": A, "upsampler": B, "decoder": A}, ["encoder.x", "upsampler.y", "decoder.x"]),
        ({"image_proj": A, "resampler": B}, ["image_proj.x", "resampler.y"]),
        ({"encoder": A, "sampler": B, "scaler": A}, ["encoder.x", "sampler.y", "scaler.x"]),
        ({"parameters": A, "buffers": B}, ["parameters.x", "buffers.y"]),
        ({"parameters": A, "epoch": NUMBER}, ["parameters.x"]),
        ({"wrangler": A, "preloader": B, "scheduled": A}, ["wrangler.x", "preloader.y"]),
        ({"encoder": A, "config": B}, ["encoder.x", "config.y"]),
        ({"w": T, "b": T, "c": T, "model": A, "scaler": T}, ["w", "b", "c", "model.x", "scaler"]),
    ],
)
def test_what_is_only_called_like_a_state_is_taken(
    opened: Open, root: Entries, expected: list[str]
) -> None:
    assert names(opened, mapping(root))[: len(expected)] == expected


def test_what_is_called_like_a_state_beside_weights_is_for_the_user(opened: Open) -> None:
    for name in ("upsampler", "parameters", "optical"):
        with pytest.raises(UnsupportedError, match=f"several sets of weights: model .*{name}"):
            opened(made(mapping({"model": STATE, name: STATE})))


def test_names_are_the_same_with_and_without_a_counter(opened: Open) -> None:
    for key, expected in (("encoder", ["encoder.w", "encoder.b"]), ("net", ["w", "b"])):
        assert names(opened, mapping({key: STATE})) == expected
        assert names(opened, mapping({key: STATE, "epoch": NUMBER})) == expected


def test_the_state_of_an_optimizer_is_refused(opened: Open) -> None:
    with pytest.raises(UnsupportedError, match="state of an optimizer, not weights") as caught:
        opened(made(ADAM))
    assert caught.value.hint == "if that is meant: --key ."
    assert names(opened, ADAM, ".") == ["state.0.exp_avg"]
    assert names(opened, ADAM, "state") == ["0.exp_avg"]
    with pytest.raises(UnsupportedError, match="tensors are only in model"):
        opened(made(mapping({"model": ADAM, "epoch": NUMBER})))


def test_the_state_of_several_optimizers_is_refused(opened: Open) -> None:
    root = mapping({"optimizer_states": list_of(ADAM, ADAM), "rng_state": T})
    with pytest.raises(UnsupportedError, match="only in optimizer_states, rng_state"):
        opened(made(root))
    key = "optimizer_states"
    assert names(opened, root, key) == ["0.state.0.exp_avg", "1.state.0.exp_avg"]
    assert names(opened, root, f"{key}.1") == ["state.0.exp_avg"]


def test_two_sets_are_for_the_user_to_choose(opened: Open) -> None:
    root = mapping({"ema": STATE, "model": mapping({"w": T}), "optimizer": STATE})
    with pytest.raises(UnsupportedError) as caught:
        opened(made(root))
    assert caught.value.message == "several sets of weights: model (1 tensor), ema (2 tensors)"
    assert caught.value.hint == "choose one: --key model; or take all: --key ."
    assert names(opened, root, "ema") == ["w", "b"]
    assert names(opened, root, "model") == ["w"]
    assert len(names(opened, root, ".")) == 5


def test_two_sets_deeper_down(opened: Open) -> None:
    root = mapping({"model": mapping({"ema": STATE, "my net": STATE, "net": STATE})})
    with pytest.raises(UnsupportedError) as caught:
        opened(made(root))
    assert caught.value.hint == "choose one: --key model.net; or take all: --key ."
    assert names(opened, root, "model.my net") == ["w", "b"]


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("a", ["w", "b"]),
        ("a.b", ["x"]),
        ("a.b.c", ["y"]),
        ("a.w", ["tensor"]),
        ("list.1", ["z"]),
        ("optimizer", ["s"]),
        ("7", ["seven"]),
        ("wrapped", ["w", "b"]),
        ("a.", ["w", "b"]),
        ("a.b..", ["x"]),
    ],
)
def test_keys(opened: Open, key: str, expected: list[str]) -> None:
    """Keys with dots are found: the longest that fits is meant."""
    root = mapping(
        {
            "a": STATE,
            "a.b": mapping({"x": T}),
            "a.b.c": mapping({"y": T}),
            "list": list_of(T, mapping({"z": T})),
            "optimizer": mapping({"s": T}),
            7: mapping({"seven": T}),
            "wrapped": mapping({"state_dict": STATE, "epoch": NUMBER}),
        }
    )
    assert names(opened, root, key) == expected


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("modle", "did you mean --key model?"),
        ("model.decoder", "did you mean --key model.encoder?"),
        ("zzz", "there is model, optimizer"),
        ("epoch", "there is model, optimizer"),
        ("", "there is model, optimizer"),
        ("model.encoder.w.x", "that is a tensor itself: --key model.encoder.w"),
        ("..", "there is model, optimizer"),
        (".model", "did you mean --key model?"),
    ],
)
def test_unknown_keys(opened: Open, key: str, hint: str) -> None:
    root = mapping(
        {"epoch": NUMBER, "optimizer": STATE, "model": mapping({"encoder": STATE, "x": T})}
    )
    with pytest.raises(UsageError) as caught:
        opened(made(root), key)
    assert caught.value.hint == hint


def test_notes(opened: Open) -> None:
    optimizer = mapping({"shared": T, "own": OTHER, "again": OTHER})
    root = mapping(
        {
            "epoch": NUMBER,
            "model": mapping({"w": T, "version": NUMBER, "none": NONE, "empty": mapping({})}),
            "optimizer": optimizer,
            "args\x1b": text("x"),
        }
    )
    assert list(opened(made(root)).notes) == [
        "weights taken from: model",
        "not weights, and left out (24 B of the file): optimizer (24 B), epoch, 'args\\x1b'",
        "not tensors, and left out: version, none, empty",
    ]
    assert not opened(made(STATE)).notes
    deep = mapping({"model": mapping({"state_dict": STATE})})
    for key, notes in (
        (None, ["weights taken from: model.state_dict"]),
        ("model", ["weights taken from: model.state_dict"]),
        ("model.state_dict", []),
    ):
        assert opened(made(deep), key).notes == notes


def test_notes_of_a_key(opened: Open) -> None:
    root = mapping({"model": STATE, "ema": mapping({"w": OTHER, "step": NUMBER}), "lr": NUMBER})
    assert opened(made(root), "ema").notes == [
        "not under this key, and left out (24 B of the file): model (24 B), lr",
        "not tensors, and left out: step",
    ]
    inside = mapping({"list": list_of(T, OTHER)})
    assert opened(made(inside), "list.1").notes == [
        "not under this key, and left out (24 B of the file): list.0 (24 B)"
    ]


def test_long_names(opened: Open) -> None:
    assert names(opened, mapping({"x" * 5000: T})) == ["x" * 5000]


def test_long_notes(opened: Open) -> None:
    others: Entries = {f"n{number}": NUMBER for number in range(20)}
    outside = opened(made(mapping({"model": STATE, **others}))).notes[1]
    assert outside.endswith("n7 and 12 more")
    inside = opened(made(mapping({"model": mapping({"w": T, **others})}))).notes[1]
    assert inside.endswith("n4 and 15 more")


@pytest.mark.parametrize("root", [NUMBER, NONE, mapping({"epoch": NUMBER}), list_of(NONE), b")"])
def test_no_tensors(opened: Open, root: bytes) -> None:
    with pytest.raises(UnsupportedError, match="holds no tensors") as caught:
        opened(made(root))
    assert caught.value.hint == "save model.state_dict()"


def test_only_the_state_of_a_trainer(opened: Open) -> None:
    root = mapping({"optimizer": STATE, "epoch": NUMBER})
    with pytest.raises(UnsupportedError, match="tensors are only in optimizer") as caught:
        opened(made(root))
    assert caught.value.hint == "if those are meant: --key optimizer"


@pytest.mark.parametrize(
    "root",
    [
        mapping({"a.b": T, "a": mapping({"b": T}), "c": T}),
        mapping({1: T, "1": T}),
    ],
)
def test_two_tensors_of_one_name(opened: Open, root: bytes) -> None:
    with pytest.raises(FormatError, match="two tensors have the name"):
        opened(made(root))


@pytest.mark.parametrize("name", ["__metadata__", "\ud800"])
def test_names_that_safetensors_cannot_hold(opened: Open, name: str) -> None:
    with pytest.raises(UnsupportedError, match="safetensors cannot hold"):
        opened(made(mapping({name: T})))


def nested(depth: int) -> bytes:
    return b"(" * depth + T + b"t" * depth


def test_depth(opened: Open) -> None:
    assert names(opened, nested(100)) == [".".join(["0"] * 100)]
    with pytest.raises(FormatError, match="nested deeper than 100"):
        opened(made(nested(101)))


def test_depth_by_two_ways(opened: Open) -> None:
    """A container is counted once, and is as deep as its deepest place."""
    inner = nested(60) + b"q\x00"
    with pytest.raises(FormatError, match="nested deeper than 100"):
        opened(made(b"(" + inner + b"(" * 60 + b"h\x00" + b"t" * 60 + b"t"))


@pytest.mark.parametrize(
    "root", [b"]q\x00h\x00a", b"}q\x00(K\x00h\x00u", b"]q\x00h\x00\x85a", b"}q\x00K\x00]h\x00as"]
)
def test_cycles(opened: Open, root: bytes) -> None:
    with pytest.raises(FormatError, match="holds itself") as caught:
        opened(made(root))
    assert caught.value.message.isprintable()


def test_tied_names(opened: Open) -> None:
    part = tensor(shape=(3,), strides=(1,))
    turned = tensor(shape=(3, 2), strides=(1, 3))
    flat = tensor(shape=(1, 2, 3), strides=(77, 3, 1))
    empty = tensor(shape=(0, 3), strides=(3, 1))
    root: Entries = {
        "a": T,
        "b": T,
        "c": OTHER,
        "part": part,
        "turned": turned,
        "flat": flat,
        "d": T,
    }
    root |= {"flat2": tensor(shape=(1, 2, 3), strides=(6, 3, 1)), "e1": empty, "e2": empty}
    reader = opened(made(mapping(root)))
    assert reader.aliases == {"b": "a", "d": "a", "flat2": "flat"}


def test_a_parameter_is_tied_too(opened: Open) -> None:
    root = mapping({"a": T + b"q\x00", "b": b"h\x00"})
    assert opened(made(root)).aliases == {"b": "a"}


def test_expanded_tensors_are_bounded_by_the_file(opened: Open) -> None:
    one = tensor(shape=(1 << 20, 6), strides=(0, 1))
    assert opened(made(mapping({"x": one}))).infos["x"].nbytes == 24 << 20
    huge = tensor(shape=(1 << 40,), strides=(0,))
    with pytest.raises(UnsupportedError, match=r"4\.00 TiB, and the file is"):
        opened(made(mapping({"x": huge})))
    many = mapping({"model": mapping({str(n): one for n in range(60)})})
    with pytest.raises(UnsupportedError, match="and the file is"):
        opened(made(many))


def test_sizes_of_nothing(opened: Open) -> None:
    root = mapping({"x": tensor(shape=(), strides=(), offset=5), "size": sizes(2, 3)})
    reader = opened(made(root))
    assert reader.read("x", 0, 1).tolist() == [[5]]
    assert reader.notes == ["not tensors, and left out: size"]
