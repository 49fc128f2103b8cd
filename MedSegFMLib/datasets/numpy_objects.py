"""The objects of numpy in a pickle of boxes: types, arrays and numbers, as classes of this file.

No function of numpy or of another package gets a value from the file.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import Any

_CORES = ("numpy.core.multiarray", "numpy._core.multiarray")
# What a pickle may name, by module and name.
NAMES = {
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


class BoxesFault(ValueError):
    """A fault of the boxes, as a clause for the message of the named error."""


@dataclass(frozen=True)
class Name:
    """One of the names in `NAMES`, before it is called."""

    name: str


@dataclass
class ElementType:
    """The type of the elements of an array.

    Attributes:
        name: numpy's letter and the number of bytes; "O8" for objects.
        order: the order of its bytes, "<" or ">"; another letter if it has none of its own.
    """

    name: str
    order: str = "|"

    def set_state(self, state: object) -> None:
        """Take the state that numpy writes for a type, or refuse it."""
        if not isinstance(state, tuple) or len(state) != 8 or state[0] != 3:
            raise BoxesFault("they contain a type that numpy does not write")
        flags = _OBJECT_FLAGS if self.name == "O8" else _NUMBER_FLAGS
        if state[1] not in ("<", ">", "|", "=") or state[2:] != (*_PLAIN_STATE, flags):
            raise BoxesFault("they contain a type that numpy does not write")
        self.order = state[1]

    def number(self, data: bytes) -> int | float:
        """The number of this type in `data`, which it fills."""
        order = self.order if self.order in "<>" else "<"
        value: int | float
        try:
            (value,) = struct.unpack(order + _FORMATS[self.name], data)
        except (KeyError, struct.error) as error:
            raise BoxesFault("they contain a number of a wrong type or size") from error
        return value


@dataclass
class ObjectArray:
    """An array of objects.

    Attributes:
        items: its elements; None before it has its state.
    """

    items: list[Any] | None = None

    def set_state(self, state: object) -> None:
        """Take the state that numpy writes for an array of objects, or refuse it."""
        if not isinstance(state, tuple) or len(state) != 5 or state[0] != 1:
            raise BoxesFault("they contain an array that numpy does not write")
        _, shape, dtype, _, items = state
        if not isinstance(dtype, ElementType) or dtype.name != "O8" or not isinstance(items, list):
            raise BoxesFault("they should be an array of dicts")
        if not isinstance(shape, tuple) or not all(type(n) is int and n >= 0 for n in shape):
            raise BoxesFault("their array has a wrong shape")
        if len(shape) > 1 or math.prod(shape) != len(items):
            raise BoxesFault("their array has a wrong shape")
        # A list that numpy stored as one object.
        is_single = shape == () and isinstance(items[0], list)
        self.items = items[0] if is_single else items


def value_of_call(name: str, arguments: tuple[Any, ...]) -> Any:
    """The value that a call in the file stands for.

    Args:
        name: one of the values of `NAMES`.
        arguments: as in the file.

    Raises:
        BoxesFault: numpy does not write such a call.
    """
    if name == "dtype" and len(arguments) == 3:
        code, *flags = arguments
        is_known = type(code) is str and (code in _FORMATS or code == "O8")
        if is_known and all(type(flag) in (bool, int) for flag in flags):
            return ElementType(code)
    if name == "scalar" and len(arguments) == 2:
        dtype, data = arguments
        if type(dtype) is ElementType and type(data) is bytes:
            return dtype.number(data)
    if name == "_reconstruct" and arguments == (Name("ndarray"), (0,), b"b"):
        return ObjectArray()
    raise BoxesFault("they contain a call that numpy does not write")
