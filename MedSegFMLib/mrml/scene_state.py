"""The state of a segmentation as one JSON document, from which work can go on later.

It holds the prompts, the model, the seed, which segment shows which object, and which voxels each
segment has from answers, so that the next answer leaves alone what others have drawn meanwhile.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from ..errors import PromptError
from ..prompts.json_format import (
    geometry_from_json,
    geometry_to_json,
    prompts_from_json,
    prompts_to_document,
)
from ..prompts.prompt_list import PromptList
from ..registry import resolve_name
from ..system.json_files import parse_json
from ..system.names import parse_label
from ..system.packed_text import bits_of_text, text_of_bits
from ..volumes.geometry import Geometry
from ..volumes.region import Region, shape_triple
from .segments.model_voxels import ModelVoxels

FORMAT = "medsegfm-scene"
VERSION = 1
# Masks are stored as text, so that states are larger than other JSON.
LARGEST_BYTES = 1_000_000_000

_PACKED: WeakKeyDictionary[ModelVoxels, dict[str, Any]] = WeakKeyDictionary()


@dataclass(frozen=True)
class SceneState:
    """The state of a segmentation.

    Attributes:
        prompts: The objects and their prompts.
        model: The name of the model that answered.
        seed: The seed of its random numbers.
        segment_ids: The identifier of each object's segment, by label.
        model_voxels: The voxels that segments have from answers, by label, on the segments' grid.
        geometry: The volume's grid, so that prompts can be moved with the volume; None if unknown.
        adopted: By label, the voxels that an adopted segment had before, on the segments' grid.
        answered_by: The model whose answer to these prompts the segments hold, with its options
            as in `model_choice`; None if that answer is still awaited.
        options: The options of the model that are not its defaults; None if they are not recorded.
    """

    prompts: PromptList
    model: str
    seed: int = 0
    segment_ids: Mapping[int, str] = field(default_factory=dict)
    model_voxels: Mapping[int, ModelVoxels] = field(default_factory=dict)
    geometry: Geometry | None = None
    answered_by: str | None = None
    adopted: Mapping[int, ModelVoxels] = field(default_factory=dict)
    options: Mapping[str, Any] | None = None


def state_to_json(state: SceneState) -> str:
    """The state as JSON text."""
    document = {
        "format": FORMAT,
        "version": VERSION,
        "model": state.model,
        "seed": state.seed,
        "prompts": prompts_to_document(state.prompts),
        "segments": {str(label): segment_id for label, segment_id in state.segment_ids.items()},
        "answers": {str(label): voxels_to_json(v) for label, v in state.model_voxels.items()},
        "volume": None if state.geometry is None else geometry_to_json(state.geometry),
        "answered_by": state.answered_by,
    }
    if state.options is not None:
        document["options"] = {name: _plain(value) for name, value in state.options.items()}
    if state.adopted:
        document["adopted"] = {str(n): voxels_to_json(v) for n, v in state.adopted.items()}
    return json.dumps(document)


def state_from_json(text: str) -> SceneState:
    """Read the text that `state_to_json` wrote.

    Raises:
        PromptError: If the text is damaged, or of a later version.
    """
    try:
        document = parse_json(text, dict, LARGEST_BYTES)
        if document["format"] != FORMAT or document["version"] != VERSION:
            raise PromptError(
                f"The stored prompts are '{document['format']}' version {document['version']}; "
                f"this program reads '{FORMAT}' version {VERSION}, update MedSegFM."
            )
        prompts = prompts_from_json(json.dumps(document["prompts"]))
        model = resolve_name(str(document["model"]))
        answers = document["answers"]
        voxels = {stored_label(label): voxels_from_json(item) for label, item in answers.items()}
        # Earlier versions adopted nothing.
        adopted = dict(document.get("adopted", {}))
        if "answered_by" in document:
            answered_by = _model_or_none(document["answered_by"])
        else:
            answered_by = model if _looks_answered(prompts, voxels) else None
        return SceneState(
            prompts,
            model,
            int(document["seed"]),
            {stored_label(label): str(name) for label, name in document["segments"].items()},
            voxels,
            None if document["volume"] is None else geometry_from_json(document["volume"]),
            answered_by,
            {stored_label(label): voxels_from_json(item) for label, item in adopted.items()},
            _options_or_none(document.get("options")),
        )
    except PromptError:
        raise
    except (
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
        OverflowError,
        RecursionError,
    ) as error:
        raise PromptError(
            f"The stored prompts are incomplete or damaged ({error!r}); place them again."
        ) from error


def _model_or_none(text: Any) -> str | None:
    """A model with its options, under its current name."""
    if text is None:
        return None
    name, *rest = re.split(r"([=?])", str(text), maxsplit=1)
    return "".join([resolve_name(name), *rest])


def _options_or_none(options: Any) -> dict[str, Any] | None:
    if options is None:
        return None
    given: dict[str, Any] = dict(options)
    if not all(isinstance(value, str | int | float) for value in given.values()):
        raise TypeError("an option of the model is no text or number")
    return given


def _plain(value: Any) -> Any:
    """An option as JSON has it."""
    return value if isinstance(value, str | int | float) else str(value)


def _looks_answered(prompts: PromptList, voxels: Mapping[int, ModelVoxels]) -> bool:
    """Whether each object with prompts has voxels: earlier versions did not record answers."""
    return all(label in voxels for label, _ in prompts.entries)


def stored_label(text: str) -> int:
    """The label that a key of a stored state writes.

    Raises:
        ValueError: If it is not a label.
    """
    label = parse_label(text)
    if label is None:
        raise ValueError(f"{text!a} is not a label from 1 to 65535")
    return label


def voxels_to_json(voxels: ModelVoxels) -> dict[str, Any]:
    """A mask as JSON: its first voxel, its shape, and its packed and deflated bits.

    It does not change, so it is packed once, however often it is stored.
    """
    known = _PACKED.get(voxels)
    if known is not None:
        return known
    item = {
        "start_kji": voxels.region.start_kji,
        "shape_kji": voxels.mask_kji.shape,
        "bits": text_of_bits(voxels.packed.bits.tobytes()),
    }
    _PACKED[voxels] = item
    return item


def voxels_from_json(item: Mapping[str, Any]) -> ModelVoxels:
    """Read a mask that `voxels_to_json` wrote.

    Raises:
        PromptError: If it is damaged.
    """
    try:
        shape = shape_triple(item["shape_kji"])
        region = Region.at(shape_triple(item["start_kji"]), shape)
        packed = bits_of_text(item["bits"], (region.size + 7) // 8)
        bits = np.unpackbits(np.frombuffer(packed, np.uint8), count=region.size)
        return ModelVoxels(region, bits.astype(bool).reshape(shape))
    except (KeyError, TypeError, ValueError) as error:
        raise PromptError(
            f"A stored mask is damaged ({error!r}); place the prompts again."
        ) from error
