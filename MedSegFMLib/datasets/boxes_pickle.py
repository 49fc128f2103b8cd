"""The boxes of a challenge file: an array of dicts, which numpy writes as a pickle.

Nothing is unpickled. The opcodes that numpy writes for an array of dicts of numbers are interpreted
(`pickle_interpreter`), and build lists, dicts, texts and numbers only. The names that such a pickle
contains (`numpy.ndarray`, `numpy.dtype`, `_reconstruct` and `scalar`) stand for classes of
`numpy_objects`. Every other opcode, name or value is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .numpy_objects import BoxesFault, ObjectArray
from .pickle_interpreter import interpret

_MOST_ITEMS = 100_000
_LARGEST_INDEX = 2**31 - 1


def parse_boxes(data: bytes) -> list[Any]:
    """The items in the pickle of an object array, as `numpy.save` writes it.

    Returns:
        Lists, dicts, texts, numbers and None, nested in any way; see `box_numbers`.

    Raises:
        BoxesFault: it contains anything else, or an opcode that numpy does not write for those.
    """
    array = interpret(data)
    if type(array) is not ObjectArray or array.items is None:
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
