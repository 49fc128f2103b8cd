"""Prompt lists as versioned JSON, for saving, sending and replaying.

{"format": "medsegfm-prompts", "version": 1, "space": "RAS", "unit": "mm",
 "objects": [{"label": 1, "name": "liver"}],
 "prompts": [{"object": 1, "type": "point", "position_ras": [1, 2, 3], "positive": true}]}

The voxels of a mask are packed, deflated and in base64.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import PromptError
from ..system.atomic_files import write_text
from ..system.json_files import JsonError, load_bytes, parse_json
from ..system.names import LARGEST_LABEL, name_fault
from ..system.packed_text import bits_of_text
from ..volumes.geometry import Geometry
from ..volumes.region import shape_triple
from .mask import LARGEST_MASK_VOXELS, Mask, packed_size
from .prompt_list import PromptList
from .types import PROMPT_NAMES, Prompt, is_positive, prompt_name

FORMAT = "medsegfm-prompts"
VERSION = 1
# Outlines are long; a file of prompts is still read at once.
_MOST_BYTES = 256_000_000

_TYPES = {name: prompt_type for prompt_type, name in PROMPT_NAMES.items()}


def prompts_to_json(prompts: PromptList) -> str:
    """The list as JSON text; floats keep all their digits."""
    return json.dumps(prompts_to_document(prompts), indent=1)


def prompts_to_document(prompts: PromptList) -> dict[str, Any]:
    """The list as the object that its JSON text holds."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "space": "RAS",
        "unit": "mm",
        "objects": [{"label": label, "name": name} for label, name in prompts.objects],
        "prompts": [
            {"object": label, "type": prompt_name(prompt), **_fields(prompt)}
            for label, prompt in prompts.entries
        ],
    }


def prompts_from_json(text: str) -> PromptList:
    """Parse the output of `prompts_to_json`.

    Raises:
        PromptError: the text is anything else.
    """
    try:
        document = parse_json(text, most_bytes=_MOST_BYTES)
    except ValueError as error:
        raise PromptError(
            f"The prompts are not JSON ({error}); use a file written by --prompts-out."
        ) from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise PromptError(
            f'The prompts lack "format": "{FORMAT}"; use a file written by --prompts-out.'
        )
    if document.get("version") != VERSION:
        raise PromptError(
            f"The prompts have version {document.get('version')}; this program reads {VERSION}."
        )
    if (document.get("space"), document.get("unit")) != ("RAS", "mm"):
        raise PromptError(
            f"The prompts are in {document.get('space')!r} and {document.get('unit')!r}; convert "
            'them to "space": "RAS" and "unit": "mm".'
        )
    try:
        return PromptList(
            tuple((_label(item["label"]), _name(item["name"])) for item in document["objects"]),
            tuple((_label(item["object"]), _prompt(item)) for item in document["prompts"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        if isinstance(error, PromptError):
            raise
        raise PromptError(f"The prompts are incomplete or damaged ({error!r}).") from error


def read_prompts(path: Path | str) -> PromptList:
    """Read a prompt file.

    Raises:
        PromptError: the file cannot be used; the message names it.
    """
    try:
        return prompts_from_json(load_bytes(Path(path), _MOST_BYTES).decode("utf-8-sig"))
    except OSError as error:
        raise PromptError(f"{path} cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise PromptError(
            f"{path} is not UTF-8 text; use a file written by --prompts-out."
        ) from error
    except (PromptError, JsonError) as error:
        raise PromptError(f"{path}: {error}") from error


def write_prompts(prompts: PromptList, path: Path | str) -> None:
    """Write a prompt file, whole or not at all."""
    write_text(path, prompts_to_json(prompts))


def _fields(prompt: Prompt) -> dict[str, Any]:
    if isinstance(prompt, Mask):
        return {"role": prompt.role, **geometry_to_json(prompt.geometry), "bits": prompt.text}
    # Numbers and tuples, which `dataclasses.asdict` would copy slowly.
    return vars(prompt)


def geometry_to_json(geometry: Geometry) -> dict[str, Any]:
    """A grid as JSON: its shape and its matrix."""
    return {"shape_kji": geometry.shape_kji, "ijk_to_ras": geometry.ijk_to_ras.tolist()}


def geometry_from_json(item: Mapping[str, Any]) -> Geometry:
    """Read a grid that `geometry_to_json` wrote.

    Raises:
        KeyError, TypeError, ValueError: it is damaged.
    """
    return Geometry(shape_triple(item["shape_kji"]), np.array(item["ijk_to_ras"]))


def _mask(item: dict[str, Any]) -> Mask:
    geometry = geometry_from_json(item)
    # Before anything is unpacked.
    size = prod(geometry.shape_kji)
    if size > LARGEST_MASK_VOXELS:
        raise PromptError(f"A mask has {size} voxels; it may have {LARGEST_MASK_VOXELS}.")
    return Mask(geometry, bits_of_text(item["bits"], packed_size(size)), item["role"])


def _prompt(item: dict[str, Any]) -> Prompt:
    if item["type"] not in _TYPES:
        raise PromptError(
            f"A prompt has the type {item['type']!r}; supported are {', '.join(_TYPES)}."
        )
    prompt_type = _TYPES[item["type"]]
    if prompt_type is Mask:
        return _mask(item)
    fields = {f.name: _tuples(item[f.name]) for f in dataclasses.fields(prompt_type)}
    prompt: Prompt = prompt_type(**fields)
    if not isinstance(is_positive(prompt), bool):
        raise PromptError(f'A prompt has "positive": {item["positive"]!r}; use true or false.')
    return prompt


def _label(value: Any) -> int:
    if type(value) is not int or not 1 <= value <= LARGEST_LABEL:
        raise PromptError(
            f"An object has the label {value!r}; use a whole number from 1 to {LARGEST_LABEL}."
        )
    return value


def _name(value: Any) -> str:
    fault = name_fault(value) if isinstance(value, str) else "is not text"
    if fault is not None:
        raise PromptError(f"The name of an object, {str(value)[:60]!a}, {fault}; correct it.")
    return str(value)


def _tuples(value: Any) -> Any:
    return tuple(_tuples(v) for v in value) if isinstance(value, list) else value
