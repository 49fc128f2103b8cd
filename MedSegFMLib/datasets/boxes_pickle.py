"""The boxes of a challenge file: an array of dicts, which numpy writes as a pickle.

Nothing is unpickled. The opcodes that numpy writes for an array of dicts of numbers are interpreted
here, and build lists, dicts, texts and numbers only. The names that such a pickle contains
(`numpy.ndarray`, `numpy.dtype`, `_reconstruct` and `scalar`) stand for classes of this file, so
that no function of numpy or of another package receives a value from the file. Every other opcode,
name or value is refused. https://docs.python.org/3/library/pickletools.html describes the opcodes.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

_CORES = ("numpy.core.multiarray", "numpy._core.multiarray")
_NAMES = {
    **{(module, "_reconstruct"): "_reconstruct" for module in _CORES},
    **{(module, "scalar"): "scalar" for module in _CORES},
    ("numpy", "ndarray"): "ndarray",
    ("numpy", "dtype"): "dtype",
}
# By numpy's type, its letter for `struct`.
_FORMATS = {"i1": "b", "i2": "h", "i4": "i", "i8": "q", "u1": "B", "u2": "H", "u4": "I", "u8": "Q"}
_FORMATS |= {"b1": "?", "f2": "e", "f4": "f", "f8": "d"}
# The state that numpy writes for a type of numbers, after version and byte order: no subtype, no
# names, no fields, no size or alignment of its own, and flags that are free of meaning for numbers.
_PLAIN_STATE = (None, None, None, -1, -1)
_OBJECT_FLAGS, _NUMBER_FLAGS = 63, 0
_LARGEST_PROTOCOL = 5
_MOST_ITEMS = 100_000
_LARGEST_INDEX = 2**31 - 1


class BoxesFault(ValueError):
    """A fault of the boxes, as a clause for the message of the named error."""


@dataclass(frozen=True)
class _Name:
    name: str


@dataclass
class _Type:
    name: str
    order: str = "|"

    def set_state(self, state: object) -> None:
        if not isinstance(state, tuple) or len(state) != 8 or state[0] != 3:
            raise BoxesFault("they contain a type that numpy does not write")
        flags = _OBJECT_FLAGS if self.name == "O8" else _NUMBER_FLAGS
        if state[1] not in ("<", ">", "|", "=") or state[2:] != (*_PLAIN_STATE, flags):
            raise BoxesFault("they contain a type that numpy does not write")
        self.order = state[1]

    def number(self, data: bytes) -> int | float:
        order = self.order if self.order in "<>" else "<"
        value: int | float
        try:
            (value,) = struct.unpack(order + _FORMATS[self.name], data)
        except (KeyError, struct.error) as error:
            raise BoxesFault("they contain a number of a wrong type or size") from error
        return value


@dataclass
class _Array:
    items: list[Any] | None = None

    def set_state(self, state: object) -> None:
        if not isinstance(state, tuple) or len(state) != 5 or state[0] != 1:
            raise BoxesFault("they contain an array that numpy does not write")
        _, shape, dtype, _, items = state
        if not isinstance(dtype, _Type) or dtype.name != "O8" or not isinstance(items, list):
            raise BoxesFault("they should be an array of dicts")
        if not isinstance(shape, tuple) or not all(type(n) is int and n >= 0 for n in shape):
            raise BoxesFault("their array has a wrong shape")
        if len(shape) > 1 or math.prod(shape) != len(items):
            raise BoxesFault("their array has a wrong shape")
        # A list that numpy stored as one object.
        is_single = shape == () and isinstance(items[0], list)
        self.items = items[0] if is_single else items


def parse_boxes(data: bytes) -> list[Any]:
    """The items in the pickle of an object array, as `numpy.save` writes it.

    Returns:
        Lists, dicts, texts, numbers and None, nested in any way; see `box_numbers`.

    Raises:
        BoxesFault: it contains anything else, or an opcode that numpy does not write for those.
    """
    array = _Interpreter(data).result()
    if type(array) is not _Array or array.items is None:
        raise BoxesFault("they should be an array of dicts")
    if len(array.items) > _MOST_ITEMS:
        raise BoxesFault(f"they are {len(array.items)}")
    return array.items


def box_numbers(item: object, keys: Sequence[str]) -> list[int]:
    """The whole parts of the numbers under `keys` in a dict.

    Raises:
        BoxesFault: it is not a dict, lacks a key, or has anything but a voxel's index under it.
    """
    if type(item) is not dict:
        raise BoxesFault("one of them is not a dict")
    missing = [key for key in keys if key not in item]
    if missing:
        raise BoxesFault(f"one of them lacks '{missing[0]}'")
    for key in keys:
        # bool is a kind of int in Python; NaN fails the comparison.
        if type(item[key]) not in (int, float) or not abs(item[key]) <= _LARGEST_INDEX:
            raise BoxesFault(f"'{key}' is not the index of a voxel")
    return [int(item[key]) for key in keys]


class _Interpreter:
    """A stack machine for the opcodes in `OPCODES`."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}
        self._is_finished = False

    def result(self) -> Any:
        """Interpret everything and return the one value that is left."""
        while not self._is_finished:
            code = self._take(1)
            handler = OPCODES.get(code)
            if handler is None:
                raise BoxesFault(f"they contain the pickle opcode {code!a}, which is not allowed")
            handler(self)
        if len(self._stack) != 1 or self._marks or self._position != len(self._data):
            raise BoxesFault("their pickle does not end as it should")
        return self._stack.pop()

    def _take(self, count: int) -> bytes:
        if count > len(self._data) - self._position:
            raise BoxesFault("their pickle ends too early")
        self._position += count
        return self._data[self._position - count : self._position]

    def _unsigned(self, nbytes: int) -> int:
        return int.from_bytes(self._take(nbytes), "little")

    def _line(self) -> str:
        end = self._data.find(b"\n", self._position, self._position + 200)
        if end < 0:
            raise BoxesFault("their pickle contains a name that is too long")
        line = self._take(end - self._position + 1)
        return _text(line[:-1])

    def _pop(self) -> Any:
        if len(self._stack) <= (self._marks[-1] if self._marks else 0):
            raise BoxesFault("their pickle takes more values than it has")
        return self._stack.pop()

    def _pop_to_mark(self) -> list[Any]:
        if not self._marks:
            raise BoxesFault("their pickle lacks a mark")
        start = self._marks.pop()
        items = self._stack[start:]
        del self._stack[start:]
        return items

    def _top(self, kind: type) -> Any:
        if not self._stack or type(self._stack[-1]) is not kind:
            raise BoxesFault(f"their pickle adds to something else than a {kind.__name__}")
        return self._stack[-1]

    def protocol(self) -> None:
        if self._unsigned(1) > _LARGEST_PROTOCOL:
            raise BoxesFault("their pickle is of an unknown protocol")

    def frame(self) -> None:
        if self._unsigned(8) > len(self._data) - self._position:
            raise BoxesFault("their pickle ends too early")

    def stop(self) -> None:
        self._is_finished = True

    def mark(self) -> None:
        self._marks.append(len(self._stack))

    def append(self) -> None:
        item = self._pop()
        self._top(list).append(item)

    def appends(self) -> None:
        items = self._pop_to_mark()
        self._top(list).extend(items)

    def set_item(self) -> None:
        value, key = self._pop(), self._pop()
        self._set_items([key, value])

    def set_items(self) -> None:
        self._set_items(self._pop_to_mark())

    def _set_items(self, pairs: list[Any]) -> None:
        target = self._top(dict)
        if len(pairs) % 2 or not all(type(key) is str for key in pairs[::2]):
            raise BoxesFault("one of their keys is not text")
        target.update(zip(pairs[::2], pairs[1::2], strict=True))

    def tuple_of(self, count: int) -> None:
        items = [self._pop() for _ in range(count)]
        self._stack.append(tuple(reversed(items)))

    def tuple_to_mark(self) -> None:
        items = self._pop_to_mark()
        self._stack.append(tuple(items))

    def push(self, value: Any) -> None:
        self._stack.append(value)

    def signed(self, nbytes: int) -> None:
        self.push(int.from_bytes(self._take(nbytes), "little", signed=True))

    def unsigned(self, nbytes: int) -> None:
        self.push(self._unsigned(nbytes))

    def long(self) -> None:
        self.push(int.from_bytes(self._take(self._unsigned(1)), "little", signed=True))

    def float(self) -> None:
        self.push(struct.unpack(">d", self._take(8))[0])

    def text(self, nbytes: int) -> None:
        self.push(_text(self._take(self._unsigned(nbytes))))

    def bytes(self, nbytes: int) -> None:
        self.push(self._take(self._unsigned(nbytes)))

    def put(self, nbytes: int) -> None:
        index = self._unsigned(nbytes)
        self._memo[index] = self._newest()

    def memoize(self) -> None:
        self._memo[len(self._memo)] = self._newest()

    def _newest(self) -> Any:
        if not self._stack:
            raise BoxesFault("their pickle takes more values than it has")
        return self._stack[-1]

    def get(self, nbytes: int) -> None:
        index = self._unsigned(nbytes)
        if index not in self._memo:
            raise BoxesFault("their pickle takes a value that it did not store")
        self.push(self._memo[index])

    def name(self) -> None:
        module, name = self._line(), self._line()
        self._push_name(module, name)

    def stack_name(self) -> None:
        name, module = self._pop(), self._pop()
        self._push_name(module, name)

    def _push_name(self, module: object, name: object) -> None:
        if type(module) is not str or type(name) is not str:
            raise BoxesFault("they contain a name that is not text")
        if (module, name) not in _NAMES:
            full_name = ascii(f"{module[:60]}.{name[:60]}")[1:-1]
            raise BoxesFault(f"they contain {full_name}, which is not a number")
        self.push(_Name(_NAMES[module, name]))

    def reduce(self) -> None:
        arguments, function = self._pop(), self._pop()
        if type(function) is not _Name or type(arguments) is not tuple:
            raise BoxesFault("they contain a call")
        self.push(_made(function.name, arguments))

    def build(self) -> None:
        state = self._pop()
        target = self._newest()
        if not isinstance(target, _Type | _Array):
            raise BoxesFault("they contain an object with a state")
        target.set_state(state)


def _made(name: str, arguments: tuple[Any, ...]) -> Any:
    """The value that a call in the file stands for."""
    if name == "dtype" and len(arguments) == 3:
        code, *flags = arguments
        is_known = type(code) is str and (code in _FORMATS or code == "O8")
        if is_known and all(type(flag) in (bool, int) for flag in flags):
            return _Type(code)
    if name == "scalar" and len(arguments) == 2:
        dtype, data = arguments
        if type(dtype) is _Type and type(data) is bytes:
            return dtype.number(data)
    if name == "_reconstruct" and arguments == (_Name("ndarray"), (0,), b"b"):
        return _Array()
    raise BoxesFault("they contain a call that numpy does not write")


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BoxesFault("they contain text that is not UTF-8") from error


_Machine = _Interpreter
OPCODES: dict[bytes, Callable[[_Machine], None]] = {
    b"\x80": _Machine.protocol,
    b"\x95": _Machine.frame,
    b".": _Machine.stop,
    b"(": _Machine.mark,
    b"N": lambda machine: machine.push(None),
    b"\x88": lambda machine: machine.push(True),
    b"\x89": lambda machine: machine.push(False),
    b"J": lambda machine: machine.signed(4),
    b"K": lambda machine: machine.unsigned(1),
    b"M": lambda machine: machine.unsigned(2),
    b"\x8a": _Machine.long,
    b"G": _Machine.float,
    b"\x8c": lambda machine: machine.text(1),
    b"X": lambda machine: machine.text(4),
    b"C": lambda machine: machine.bytes(1),
    b"B": lambda machine: machine.bytes(4),
    b"]": lambda machine: machine.push([]),
    b"}": lambda machine: machine.push({}),
    b")": lambda machine: machine.push(()),
    b"\x85": lambda machine: machine.tuple_of(1),
    b"\x86": lambda machine: machine.tuple_of(2),
    b"\x87": lambda machine: machine.tuple_of(3),
    b"t": _Machine.tuple_to_mark,
    b"a": _Machine.append,
    b"e": _Machine.appends,
    b"s": _Machine.set_item,
    b"u": _Machine.set_items,
    b"q": lambda machine: machine.put(1),
    b"r": lambda machine: machine.put(4),
    b"\x94": _Machine.memoize,
    b"h": lambda machine: machine.get(1),
    b"j": lambda machine: machine.get(4),
    b"c": _Machine.name,
    b"\x93": _Machine.stack_name,
    b"R": _Machine.reduce,
    b"b": _Machine.build,
}
"""The opcodes that numpy writes for an array of dicts of numbers, by their byte."""
