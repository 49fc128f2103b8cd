"""Settings, a dataclass, parsed from key=value arguments and explained from its docstring.

Explanations are the entries of the docstring's section `Attributes:`.
"""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

from ..errors import TrainingError
from ..system.suggestions import with_suggestion

Settings = TypeVar("Settings")

# The argument that names a preset.
PRESET = "recipe"

_SECTION = "Attributes:"
_ENTRY = re.compile(r"    (\w+): (.*)")
_CONTINUED = " " * 8


@dataclass(frozen=True)
class Described:
    """A setting with its explanation.

    Attributes:
        name: the key.
        default: the default as it is typed; "" if a value must be given.
        meaning: the explanation.
    """

    name: str
    default: str
    meaning: str


def parse_settings(kind: type[Settings], texts: Sequence[str]) -> Settings:
    """Parse settings from arguments such as "minutes=30".

    A class may have PRESETS, values of several settings by a name: recipe=NAME stands for them, and
    arguments change them.

    Raises:
        TrainingError: a key is unknown, missing or given twice, or a value is invalid.
    """
    hints = get_type_hints(kind)
    values: dict[str, Any] = {}
    for argument in texts:
        key, equals, text = argument.partition("=")
        if equals and key == PRESET and key not in values and _presets(kind):
            values[key] = text
            continue
        if not equals or key not in hints:
            wrong = with_suggestion(argument, hints)
            if equals:
                wrong = with_suggestion(key, hints)
            raise TrainingError(
                f"{wrong} is not a setting; write key=value with one of {', '.join(hints)}."
            )
        if key in values:
            raise TrainingError(f"{key} is given twice; give it once.")
        values[key] = _value(key, text, hints[key])
    if "out" in hints and "out" not in values:
        raise TrainingError("Training needs a folder for its results; give out=FOLDER.")
    preset = values.pop(PRESET, None)
    return kind(**{**_preset(kind, preset), **values})


def _presets(kind: type[Any]) -> Mapping[str, Mapping[str, Any]]:
    presets: Mapping[str, Mapping[str, Any]] = getattr(kind, "PRESETS", {})
    return presets


def _preset(kind: type[Any], name: str | None) -> Mapping[str, Any]:
    if name is None:
        return {}
    presets = _presets(kind)
    if name not in presets:
        raise TrainingError(
            f"{PRESET} is {with_suggestion(name, presets)}; it must be {' or '.join(presets)}."
        )
    return presets[name]


def described_presets(kind: type[Any]) -> dict[str, str]:
    """Each preset by its argument, with the arguments that it stands for."""
    return {
        f"{PRESET}={name}": " ".join(f"{key}={_typed(value)}" for key, value in values.items())
        for name, values in _presets(kind).items()
    }


def described(kind: type[Any]) -> list[Described]:
    """The settings in their order, with defaults as they are typed."""
    meanings: dict[str, str] = {}
    # Settings that extend those of another recipe explain their own alone.
    for described_class in reversed(kind.__mro__):
        meanings |= _meanings(inspect.cleandoc(described_class.__doc__ or ""))
    return [
        Described(field.name, _typed(field.default), meanings.get(field.name, ""))
        for field in fields(kind)
    ]


def _meanings(docstring: str) -> dict[str, str]:
    meanings: dict[str, str] = {}
    name = ""
    _, _, section = docstring.partition(f"\n{_SECTION}\n")
    for line in section.splitlines():
        entry = _ENTRY.fullmatch(line)
        if entry:
            name = entry[1]
            meanings[name] = entry[2]
        elif name and line.startswith(_CONTINUED):
            meanings[name] += f" {line.strip()}"
        else:
            break
    return meanings


def _typed(default: Any) -> str:
    if default is MISSING or default is None:
        return ""
    return str(default).lower() if isinstance(default, bool) else str(default)


def _value(key: str, text: str, hint: Any) -> Any:
    if hint in (Path, Path | None):
        if not text:
            raise TrainingError(f"{key} is empty; give a path.")
        return Path(text)
    if choices := get_args(hint):
        if text not in choices:
            raise TrainingError(
                f"{key} is {with_suggestion(text, choices)}; it must be {' or '.join(choices)}."
            )
        return text
    if hint is bool:
        if text not in ("true", "false"):
            raise TrainingError(f"{key} is '{text}'; it must be true or false.")
        return text == "true"
    try:
        value = hint(text)
    except ValueError as error:
        kind = {int: "a whole number", float: "a number"}[hint]
        raise TrainingError(f"{key} is '{text}'; it must be {kind}.") from error
    if hint is float and not math.isfinite(value):
        raise TrainingError(f"{key} is '{text}'; it must be finite.")
    return value
