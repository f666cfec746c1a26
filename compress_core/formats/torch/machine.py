"""Read a pickle as data: one loop over its opcodes, and nothing is imported or called for it.

PyTorch files are programs for the virtual machine of Python's pickles. The opcodes below are those
that ``torch.save`` and other writers of state dicts use; all others are errors. They are described
in ``pickletools.py`` of CPython.

Why not Python's own reader with a strict ``find_class``: nine bytes make it take 4 GB (a place in
the memo that is far away), and it can build objects before anybody is asked.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable

from compress_core.errors import FormatError, UnsupportedError
from compress_core.formats.torch.allowed import allowed
from compress_core.formats.torch.budget import INTEGER, ITEM, MAPPING, SEQUENCE, Budget
from compress_core.formats.torch.feed import Feed
from compress_core.formats.torch.rebuild import Rebuild
from compress_core.formats.torch.records import Ordered
from compress_core.formats.torch.state import State

_STOP = ord(".")
_PROTOCOLS = range(6)
_BLOCK = 4096
_LONGEST_NAME = 500

_EMPTY_SET: frozenset[object] = frozenset()


def load(feed: Feed, rebuild: Rebuild, budget: Budget) -> object:
    """The value that the next pickle of ``feed`` stands for.

    :raises FormatError: it is damaged, or breaks a rule.
    :raises UnsupportedError: it asks for something that is not allowed here, or for too much.
    """
    state = State(feed, rebuild, budget)
    table, byte = _TABLE, feed.byte
    while True:
        budget.begin(_BLOCK)
        for _ in range(_BLOCK):
            code = byte()
            if code == _STOP:
                return state.result()
            action = table[code]
            if action is None:
                raise _refusal(code, state)
            action(state)


def _refusal(code: int, state: State) -> FormatError | UnsupportedError:
    if code not in _REFUSED:
        return state.broken(f"{code:#04x} is no opcode")
    said = f"its pickle uses {_REFUSED[code]}, which no state dict needs"
    return UnsupportedError(said, where=state.feed.where, hint="save model.state_dict() instead")


# --- what begins a pickle


def _proto(state: State) -> None:
    if state.feed.position != state.start + 1:
        raise state.broken("PROTO is not its first opcode")
    protocol = state.feed.byte()
    if protocol not in _PROTOCOLS:
        raise state.broken(f"protocol {protocol}")


def _frame(state: State) -> None:
    if state.feed.number(8) > state.feed.rest:
        raise state.broken("a frame reaches past its end")


# --- values


def _none(state: State) -> None:
    state.stack.append(None)


def _true(state: State) -> None:
    state.stack.append(True)


def _false(state: State) -> None:
    state.stack.append(False)


def _int1(state: State) -> None:
    state.stack.append(state.feed.byte())


def _int2(state: State) -> None:
    _push_int(state, state.feed.number(2))


def _int4(state: State) -> None:
    _push_int(state, state.feed.number(4, signed=True))


def _long1(state: State) -> None:
    _push_int(state, state.feed.number(state.feed.byte(), signed=True))


def _push_int(state: State, value: int) -> None:
    state.budget.charge(INTEGER + value.bit_length() // 7)
    state.stack.append(value)


def _float(state: State) -> None:
    state.budget.charge(INTEGER)
    state.stack.append(struct.unpack(">d", state.feed.take(8))[0])


def _text1(state: State) -> None:
    _push_text(state, state.feed.byte())


def _text4(state: State) -> None:
    _push_text(state, state.feed.number(4))


def _bytes4(state: State) -> None:
    """A byte string of Python 2, which is text: so PyTorch itself takes it (encoding utf-8)."""
    count = state.feed.number(4, signed=True)
    if count < 0:
        raise state.broken("a string of negative length")
    _push_text(state, count)


def _push_text(state: State, count: int) -> None:
    data = state.feed.take(count)
    # four bytes a letter, if one of them needs them
    state.budget.charge(sys.getsizeof("") + 32 + (count if data.isascii() else 4 * count))
    try:
        state.stack.append(data.decode("utf-8", "surrogatepass"))
    except UnicodeDecodeError as error:
        raise state.broken("a string that is not UTF-8") from error


# --- containers


def _empty_tuple(state: State) -> None:
    state.stack.append(())


def _empty_list(state: State) -> None:
    state.budget.charge(SEQUENCE)
    state.stack.append([])


def _empty_dict(state: State) -> None:
    state.budget.charge(MAPPING)
    state.stack.append({})


def _empty_set(state: State) -> None:
    state.stack.append(_EMPTY_SET)


def _mark(state: State) -> None:
    state.mark()


def _tuple(state: State) -> None:
    values = state.since_mark()
    state.budget.charge(SEQUENCE + ITEM * len(values))
    state.stack.append(tuple(values))


def _tuple1(state: State) -> None:
    _push_tuple(state, 1)


def _tuple2(state: State) -> None:
    _push_tuple(state, 2)


def _tuple3(state: State) -> None:
    _push_tuple(state, 3)


def _push_tuple(state: State, count: int) -> None:
    state.need(count)
    state.budget.charge(SEQUENCE + ITEM * count)
    state.stack[-count:] = [tuple(state.stack[-count:])]


def _append(state: State) -> None:
    _extend(state, [state.pop()])


def _appends(state: State) -> None:
    _extend(state, state.since_mark())


def _extend(state: State, values: list[object]) -> None:
    into = state.top()
    if type(into) is not list:
        raise state.broken("something is appended to what is no list")
    state.budget.charge(ITEM * len(values))
    into.extend(values)


def _setitem(state: State) -> None:
    value, key = state.pop(), state.pop()
    _update(state, [key, value])


def _setitems(state: State) -> None:
    _update(state, state.since_mark())


def _update(state: State, values: list[object]) -> None:
    into = state.top()
    if type(into) is not dict and type(into) is not Ordered:
        raise state.broken("an item is set in what is no dictionary")
    if len(values) % 2:
        raise state.broken("a key without a value")
    set_item = state.rebuild.set_item
    for at in range(0, len(values), 2):
        set_item(into, values[at], values[at + 1])


# --- the memo


def _put1(state: State) -> None:
    state.put(state.feed.byte())


def _put4(state: State) -> None:
    state.put(state.feed.number(4))


def _memoize(state: State) -> None:
    state.memoize()


def _get1(state: State) -> None:
    state.get(state.feed.byte())


def _get4(state: State) -> None:
    state.get(state.feed.number(4))


# --- names, and what is done with them


def _global(state: State) -> None:
    module, name = _line(state), _line(state)
    state.stack.append(allowed(module, name, state.feed.where))


def _line(state: State) -> str:
    try:
        return state.feed.line(_LONGEST_NAME).decode("utf-8")
    except UnicodeDecodeError as error:
        raise state.broken("a name that is not UTF-8") from error


def _stack_global(state: State) -> None:
    name, module = state.pop(), state.pop()
    if type(name) is not str or type(module) is not str:
        raise state.broken("a name that is no text")
    state.stack.append(allowed(module, name, state.feed.where))


def _reduce(state: State) -> None:
    arguments, callee = state.pop(), state.pop()
    state.stack.append(state.rebuild.call(callee, arguments))


def _build(state: State) -> None:
    """Drop the state of an ``OrderedDict``, where torch keeps the versions of modules."""
    state.pop()
    if type(state.top()) is not Ordered:
        raise state.broken("a state for what is no OrderedDict")


def _persistent(state: State) -> None:
    state.stack.append(state.rebuild.storage(state.pop()))


_Action = Callable[[State], None]

_ACTIONS: dict[bytes, _Action] = {
    b"\x80": _proto,
    b"\x95": _frame,
    b"N": _none,
    b"\x88": _true,
    b"\x89": _false,
    b"K": _int1,
    b"M": _int2,
    b"J": _int4,
    b"\x8a": _long1,
    b"G": _float,
    b"\x8c": _text1,
    b"X": _text4,
    b"U": _text1,
    b"T": _bytes4,
    b")": _empty_tuple,
    b"]": _empty_list,
    b"}": _empty_dict,
    b"\x8f": _empty_set,
    b"(": _mark,
    b"t": _tuple,
    b"\x85": _tuple1,
    b"\x86": _tuple2,
    b"\x87": _tuple3,
    b"a": _append,
    b"e": _appends,
    b"s": _setitem,
    b"u": _setitems,
    b"q": _put1,
    b"r": _put4,
    b"\x94": _memoize,
    b"h": _get1,
    b"j": _get4,
    b"c": _global,
    b"\x93": _stack_global,
    b"R": _reduce,
    b"b": _build,
    b"Q": _persistent,
}
_TABLE: list[_Action | None] = [_ACTIONS.get(bytes([code])) for code in range(256)]

_REFUSED = {
    code: name
    for codes, names in (
        (b"ILFSV", "INT LONG FLOAT STRING UNICODE"),
        (b"\x8b\x8d", "LONG4 BINUNICODE8"),
        (b"CB\x8e\x96", "SHORT_BINBYTES BINBYTES BINBYTES8 BYTEARRAY8"),
        (b"\x97\x98", "NEXT_BUFFER READONLY_BUFFER"),
        (b"ld\x90\x91", "LIST DICT ADDITEMS FROZENSET"),
        (b"pg012P", "PUT GET POP POP_MARK DUP PERSID"),
        (b"io\x81\x92", "INST OBJ NEWOBJ NEWOBJ_EX"),
        (b"\x82\x83\x84", "EXT1 EXT2 EXT4"),
    )
    for code, name in zip(codes, names.split(), strict=True)
}
"""Opcodes that Python knows: numbers as text, buffers, juggling, classes in other ways."""
