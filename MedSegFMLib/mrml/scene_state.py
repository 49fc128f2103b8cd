"""What is kept of a segmentation so that it can go on later: one JSON document.

It holds the prompts, the model, the seed, which segment shows which object, and which voxels each
segment has from answers, so that the next answer knows what others have drawn meanwhile.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from ..errors import MedSegFMError, PromptError
from ..prompts.json_format import prompts_from_json, prompts_to_json
from ..prompts.prompt_list import PromptList
from ..registry import resolve_name
from ..volumes.geometry import Geometry
from ..volumes.region import Region, shape_triple
from .segments.model_voxels import Holding

FORMAT = "medsegfm-scene"
VERSION = 1

_PACKED: WeakKeyDictionary[Holding, dict[str, Any]] = WeakKeyDictionary()


@dataclass(frozen=True)
class SceneState:
    """A segmentation as it stands.

    segment_ids: for each label the identifier of its segment.
    holdings: for each label the voxels that its segment has from answers, on the segment's grid.
    geometry: where the volume stood, so that prompts can be taken along if it was moved since.
    """

    prompts: PromptList
    model: str
    seed: int = 0
    segment_ids: Mapping[int, str] = field(default_factory=dict)
    holdings: Mapping[int, Holding] = field(default_factory=dict)
    geometry: Geometry | None = None


def state_to_json(state: SceneState) -> str:
    """The state as JSON text."""
    document = {
        "format": FORMAT,
        "version": VERSION,
        "model": state.model,
        "seed": state.seed,
        "prompts": json.loads(prompts_to_json(state.prompts)),
        "segments": {str(label): segment_id for label, segment_id in state.segment_ids.items()},
        "answers": {str(label): holding_to_json(h) for label, h in state.holdings.items()},
        "volume": None if state.geometry is None else geometry_to_json(state.geometry),
    }
    return json.dumps(document)


def state_from_json(text: str) -> SceneState:
    """What `state_to_json` wrote; PromptError for anything else."""
    try:
        document = json.loads(text)
        if document["format"] != FORMAT or document["version"] != VERSION:
            raise PromptError(
                f"The stored prompts are '{document['format']}' version {document['version']}; "
                f"this program reads '{FORMAT}' version {VERSION}, update MedSegFM."
            )
        return SceneState(
            prompts_from_json(json.dumps(document["prompts"])),
            resolve_name(str(document["model"])),
            int(document["seed"]),
            {int(label): str(name) for label, name in document["segments"].items()},
            {int(label): holding_from_json(item) for label, item in document["answers"].items()},
            None if document["volume"] is None else geometry_from_json(document["volume"]),
        )
    except PromptError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise PromptError(
            f"The stored prompts are incomplete or damaged ({error!r}); place them again."
        ) from error


def geometry_to_json(geometry: Geometry) -> dict[str, Any]:
    """A grid as JSON: its shape and its matrix."""
    return {"shape_kji": geometry.shape_kji, "ijk_to_ras": geometry.ijk_to_ras.tolist()}


def geometry_from_json(item: Mapping[str, Any]) -> Geometry:
    """What `geometry_to_json` wrote; KeyError, TypeError or ValueError for anything else."""
    return Geometry(shape_triple(item["shape_kji"]), np.array(item["ijk_to_ras"]))


def holding_to_json(holding: Holding) -> dict[str, Any]:
    """A mask as JSON: where it begins, its shape, and its packed and deflated bits.

    A holding does not change, so that it is packed once, however often it is stored.
    """
    known = _PACKED.get(holding)
    if known is not None:
        return known
    bits = zlib.compress(np.packbits(holding.mask_kji).tobytes(), 1)
    item = {
        "start_kji": holding.region.start_kji,
        "shape_kji": holding.region.shape_kji,
        "bits": base64.b64encode(bits).decode("ascii"),
    }
    _PACKED[holding] = item
    return item


def holding_from_json(item: Mapping[str, Any]) -> Holding:
    """What `holding_to_json` wrote; PromptError for anything else."""
    try:
        shape = shape_triple(item["shape_kji"])
        region = Region.whole(shape).shifted(shape_triple(item["start_kji"]))
        # One byte more than there can be tells that there is too much.
        inflater = zlib.decompressobj()
        limit = (region.size + 7) // 8
        packed = inflater.decompress(base64.b64decode(item["bits"], validate=True), limit + 1)
        if len(packed) != limit:
            raise PromptError(f"A stored mask of {shape} voxels holds {len(packed)} bytes.")
        bits = np.unpackbits(np.frombuffer(packed, np.uint8), count=region.size)
        return Holding(region, bits.astype(bool).reshape(shape))
    except (KeyError, TypeError, ValueError, binascii.Error, zlib.error) as error:
        if isinstance(error, MedSegFMError):
            raise
        raise PromptError(f"A stored mask is damaged ({error!r}).") from error
