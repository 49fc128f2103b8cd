"""The interpreter of a pickle of boxes: a stack machine for the opcodes that numpy writes.

https://docs.python.org/3/library/pickletools.html describes the opcodes.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from .numpy_objects import NAMES, BoxesFault, ElementType, Name, ObjectArray, value_of_call

_LARGEST_PROTOCOL = 5


def interpret(data: bytes) -> Any:
    """The one value in a pickle: a list, dict, text or number, or a class of `numpy_objects`.

    Raises:
        BoxesFault: it contains an opcode, a name or a value that is not allowed, or is cut off.
    """
    return _Interpreter(data).result()


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
        if (module, name) not in NAMES:
            full_name = ascii(f"{module[:60]}.{name[:60]}")[1:-1]
            raise BoxesFault(f"they contain {full_name}, which is not a number")
        self.push(Name(NAMES[module, name]))

    def reduce(self) -> None:
        arguments, function = self._pop(), self._pop()
        if type(function) is not Name or type(arguments) is not tuple:
            raise BoxesFault("they contain a call")
        self.push(value_of_call(function.name, arguments))

    def build(self) -> None:
        state = self._pop()
        target = self._newest()
        if not isinstance(target, ElementType | ObjectArray):
            raise BoxesFault("they contain an object with a state")
        target.set_state(state)


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BoxesFault("they contain text that is not UTF-8") from error


OPCODES: dict[bytes, Callable[[_Interpreter], None]] = {
    b"\x80": _Interpreter.protocol,
    b"\x95": _Interpreter.frame,
    b".": _Interpreter.stop,
    b"(": _Interpreter.mark,
    b"N": lambda machine: machine.push(None),
    b"\x88": lambda machine: machine.push(True),
    b"\x89": lambda machine: machine.push(False),
    b"J": lambda machine: machine.signed(4),
    b"K": lambda machine: machine.unsigned(1),
    b"M": lambda machine: machine.unsigned(2),
    b"\x8a": _Interpreter.long,
    b"G": _Interpreter.float,
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
    b"t": _Interpreter.tuple_to_mark,
    b"a": _Interpreter.append,
    b"e": _Interpreter.appends,
    b"s": _Interpreter.set_item,
    b"u": _Interpreter.set_items,
    b"q": lambda machine: machine.put(1),
    b"r": lambda machine: machine.put(4),
    b"\x94": _Interpreter.memoize,
    b"h": lambda machine: machine.get(1),
    b"j": lambda machine: machine.get(4),
    b"c": _Interpreter.name,
    b"\x93": _Interpreter.stack_name,
    b"R": _Interpreter.reduce,
    b"b": _Interpreter.build,
}
"""The opcodes that numpy writes for an array of dicts of numbers, by their byte."""
