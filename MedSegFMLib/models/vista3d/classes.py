"""VISTA3D's classes: their names, and the numbers of the network's classes that each consists of.

Three of them are made of others, as in the published bundle: kidney, lung and bone.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from ...system.json_files import load_json

# A number beyond those of the classes, with which clicks are on an object of none of them.
NO_CLASS = 133


@cache
def numbers_by_class() -> dict[str, tuple[int, ...]]:
    """The numbers of each class by its name."""
    content = load_json(Path(__file__).with_name("classes.json"), dict)
    return {name: tuple(numbers) for name, numbers in content["classes"].items()}


@cache
def all_numbers() -> tuple[int, ...]:
    """Each number once, in the order of the names."""
    return tuple(dict.fromkeys(n for numbers in numbers_by_class().values() for n in numbers))
