"""SAM3's tracker out of the checkpoint that the detector was read from, in either layout."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import WeightsError
from ...weights.layout import check_layout
from .tracker_tensor_names import (
    MODEL,
    NECK,
    is_left_over,
    is_upstream,
    sources_of,
    tracker_name,
)
from .weights import CONFIG

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import Sam3Config, Sam3TrackerVideoConfig, Sam3TrackerVideoModel
    from transformers.models.sam3.modeling_sam3 import Sam3VisionNeck

    from ...weights.layout import Shapes

_ADVICE = (
    "give a checkpoint of SAM3 as it is published, or leave the tracker out with "
    "--option propagation=boxes"
)


@dataclass(frozen=True, eq=False)
class Sam3Tracker:
    """What follows an object from slice to slice, above the detector's vision transformer.

    model: without a vision encoder of its own. neck: makes its features of several resolutions.
    """

    model: Sam3TrackerVideoModel
    neck: Sam3VisionNeck


def load_tracker(held: Mapping[str, Tensor], detector: Sam3Config, path: Path) -> Sam3Tracker:
    """The tracker in the tensors of a checkpoint, on the CPU, in evaluation mode, float32.

    detector: the configuration of the network whose features it sees. path: of the checkpoint,
    beside which there may be a `config.json`. Raises WeightsError where a tensor is missing,
    unknown or misshapen.
    """
    config = tracker_config(detector, path)
    state = as_transformers(tracker_tensors(held), expected_shapes(config, detector), path)
    tracker = empty_tracker(config, detector)
    for prefix, part in _parts(tracker):
        own = {n.removeprefix(prefix): t.float() for n, t in state.items() if n.startswith(prefix)}
        part.load_state_dict(own, assign=True)
        part.requires_grad_(False)
        part.eval()
    return tracker


def tracker_config(detector: Sam3Config, path: Path) -> Sam3TrackerVideoConfig:
    """What `config.json` beside a file says of the tracker, else the published one."""
    from transformers import Sam3TrackerVideoConfig

    beside = path.with_name(CONFIG)
    vision: Any = detector.vision_config
    try:
        said = json.loads(beside.read_text(encoding="utf-8")) if beside.is_file() else {}
        side = vision.backbone_config.image_size
        published = {"vision_config": vision.to_dict(), "image_size": side}
        return Sam3TrackerVideoConfig.from_dict(said.get("tracker_config") or published)
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise WeightsError(
            f"{beside} is no configuration of SAM3's tracker ({error}); get it again, or leave "
            "the tracker out with --option propagation=boxes."
        ) from error


def empty_tracker(config: Sam3TrackerVideoConfig, detector: Sam3Config) -> Sam3Tracker:
    """The tracker on the CPU, whose weights are not set; what it computes itself is."""
    from transformers import Sam3TrackerVideoModel, initialization
    from transformers.models.sam3.modeling_sam3 import Sam3VisionNeck

    with initialization.no_init_weights():
        model: Any = Sam3TrackerVideoModel(config, remove_vision_encoder=True)
        vision: Any = detector.vision_config
        return Sam3Tracker(model, Sam3VisionNeck(vision))


def expected_shapes(
    config: Sam3TrackerVideoConfig, detector: Sam3Config
) -> dict[str, tuple[int, ...]]:
    """Of each tensor of the tracker, named as in transformers' Sam3VideoModel."""
    import torch

    with torch.device("meta"):
        tracker = empty_tracker(config, detector)
    return {
        prefix + name: tuple(tensor.shape)
        for prefix, part in _parts(tracker)
        for name, tensor in part.state_dict().items()
    }


def tracker_tensors(held: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tracker's tensors of a checkpoint, without the detector's prefix."""
    named = {name: tracker_name(name) for name in held}
    return {own: held[name] for name, own in named.items() if own is not None}


def as_transformers(
    tensors: Mapping[str, Tensor], expected: Shapes, path: Path
) -> dict[str, Tensor]:
    """A tracker's tensors, of either layout, in transformers'.

    expected: transformers' shapes by name. Raises WeightsError, which names them in the layout of
    the file, for tensors that are missing, unknown or misshapen.
    """
    import torch

    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    if not is_upstream(tensors):
        check_layout(shapes, expected, path, "SAM3's tracker", _ADVICE)
        return {name: tensors[name] for name in expected}
    sources = {name: sources_of(name) for name in expected}
    theirs: dict[str, tuple[int, ...]] = {}
    for name, parts in sources.items():
        rows, *rest = expected[name]
        theirs.update(dict.fromkeys(parts, (rows // len(parts), *rest)))
    used = {name: shape for name, shape in shapes.items() if not is_left_over(name)}
    check_layout(used, theirs, path, "SAM3's tracker", _ADVICE)
    return {name: torch.cat([tensors[n] for n in parts]) for name, parts in sources.items()}


def _parts(tracker: Sam3Tracker) -> tuple[tuple[str, Any], tuple[str, Any]]:
    return (MODEL, tracker.model), (NECK, tracker.neck)
