"""The meaning of a segment by its name: Slicer's terminologies give codes and usual colours.

Names that Slicer's list does not have get their codes from the library's (`volumes.segmentations`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import slicer

from ...volumes.segmentations.meanings import listed, ways_to_say, without_number
from ...volumes.segmentations.meanings import meaning_of as usual_meaning_of
from ...volumes.segmentations.vocabulary import own_codes

_LIST = "Segmentation category and type - 3D Slicer General Anatomy list"
# Slicer's way to say that a type has no usual colour.
_NO_COLOR = (127, 127, 127)


@dataclass(frozen=True)
class Meaning:
    """A terminology entry as Slicer writes it, and its colour, red, green and blue from 0 to 1."""

    entry: str
    color_rgb: tuple[float, float, float] | None


def meaning_of(name: str, logic: Any | None) -> Meaning:
    """The meaning of a segment's name; case, underscores and a number at the end are ignored.

    "Left_Kidney 2" is a left kidney, as is "Kidney (L)": the vocabulary's synonyms are looked for.

    Args:
        name: The name.
        logic: The vtkSlicerTerminologiesModuleLogic; None if there is none.

    Returns:
        The meaning; tissue without a colour if the name is unknown.

    Raises:
        PromptError: The user's own vocabulary cannot be used.
    """
    if logic is not None and not own_codes(without_number(name))[0]:
        known = _meanings(logic)
        for words in ways_to_say(name):
            meaning = known.get(" ".join(words))
            if meaning is not None:
                return meaning
            if listed(words) is not None:
                break
    usual, color = usual_meaning_of(name)
    return Meaning(usual.entry, color)


@lru_cache(maxsize=4)
def _meanings(logic: Any) -> dict[str, Meaning]:
    """All entries of Slicer's general anatomy list by their names in lower case."""
    found: dict[str, Meaning] = {}
    for category in _each(
        lambda n, item: logic.GetNthCategoryInTerminology(_LIST, n, item),
        logic.GetNumberOfCategoriesInTerminology(_LIST),
        slicer.vtkSlicerTerminologyCategory,
    ):
        for kind in _each(
            lambda n, item, c=category: logic.GetNthTypeInTerminologyCategory(_LIST, c, n, item),
            logic.GetNumberOfTypesInTerminologyCategory(_LIST, category),
            slicer.vtkSlicerTerminologyType,
        ):
            _add(found, _names(kind), _meaning(logic, category, kind, None))
            for modifier in _each(
                lambda n, item, c=category, k=kind: logic.GetNthTypeModifierInTerminologyType(
                    _LIST, c, k, n, item
                ),
                # Asked of a type without modifiers, Slicer prints an error.
                logic.GetNumberOfTypeModifiersInTerminologyType(_LIST, category, kind)
                if kind.GetHasModifiers()
                else 0,
                slicer.vtkSlicerTerminologyType,
            ):
                side = modifier.GetCodeMeaning().casefold()
                names = [f"{side} {name}" for name in _names(kind)] + _names(modifier)[1:]
                _add(found, names, _meaning(logic, category, kind, modifier))
    return found


def _add(found: dict[str, Meaning], names: list[str], meaning: Meaning) -> None:
    for name in names:
        found.setdefault(name, meaning)


def _names(kind: Any) -> list[str]:
    """The code's meaning, and Slicer's own name for it."""
    names = [kind.GetCodeMeaning(), kind.GetSlicerLabel()]
    return [name.casefold() for name in names if name]


def _each(get: Any, count: int, make: Any) -> list[Any]:
    items = [make() for _ in range(count)]
    return [item for n, item in enumerate(items) if get(n, item)]


def _meaning(logic: Any, category: Any, kind: Any, modifier: Any | None) -> Meaning:
    entry = slicer.vtkSlicerTerminologyEntry()
    entry.SetTerminologyContextName(_LIST)
    entry.GetCategoryObject().Copy(category)
    entry.GetTypeObject().Copy(kind)
    if modifier is not None:
        entry.GetTypeModifierObject().Copy(modifier)
    colored = kind if modifier is None else modifier
    entry_text = logic.SerializeTerminologyEntry(entry)
    rgb = colored.GetRecommendedDisplayRGBValue()
    if rgb == _NO_COLOR:
        return Meaning(entry_text, None)
    red, green, blue = (value / 255 for value in rgb)
    return Meaning(entry_text, (red, green, blue))
