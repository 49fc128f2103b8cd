"""Options of weights, given at their import and recorded beside them.

They say what the file does not say of itself, such as the classes, the patch and the depth of a
published SAM3D decoder. They hold whenever the imported weights are used; an option that is given
then counts before the recorded one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from ..errors import WeightsError
from ..system.atomic_files import write_text
from ..system.json_files import load_json
from . import store


def options_file(path: Path) -> Path:
    """The file with the options of the weights `path`."""
    return path.with_name(f"{path.name}.options.json")


def record_options(path: Path, options: Mapping[str, str]) -> None:
    """Record the options of weights in place of earlier ones; none removes them.

    Raises:
        OutputError: the file cannot be written.
    """
    if options:
        write_text(options_file(path), json.dumps(dict(options), indent=1))
    else:
        options_file(path).unlink(missing_ok=True)


def recorded_options(name: str) -> dict[str, str]:
    """The options of the installed weights of a name; empty if there are none.

    Raises:
        WeightsError: they cannot be read.
    """
    try:
        path = options_file(store.find(name))
    except WeightsError:
        # The model says better what to do without weights.
        return {}
    if not path.is_file():
        return {}
    try:
        options: dict[str, str] = load_json(path, dict)
        if not all(isinstance(value, str) for value in options.values()):
            raise ValueError("an option is not text")
    except (OSError, ValueError) as error:
        raise WeightsError(
            f"{path} cannot be read ({error}); import the weights again with their options."
        ) from error
    return options
