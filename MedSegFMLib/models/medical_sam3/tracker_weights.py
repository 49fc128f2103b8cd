"""SAM3's tracker from the checkpoint of the detector, in either layout."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...weights.layout import check_layout
from ..common.configuration_errors import configuration_errors
from ..common.setting_rules import check_parameters
from ..common.state_dict import check_finite
from ..sam.layouts.authors_layout import Source, from_authors
from .config_file import tracker_config as tracker_config
from .tracker_tensor_names import (
    MODEL,
    NECK,
    is_left_over,
    is_upstream,
    sources_of,
    tracker_name,
)

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import Sam3Config, Sam3TrackerVideoConfig, Sam3TrackerVideoModel
    from transformers.models.sam3.modeling_sam3 import Sam3VisionNeck

    from ...weights.layout import Shapes

_NETWORK = "SAM3's tracker"
_ADVICE = (
    "give a checkpoint of SAM3 as it is published, or leave the tracker out with "
    "--option propagation=boxes"
)


@dataclass(frozen=True, eq=False)
class Sam3Tracker:
    """The network that tracks an object, above the detector's vision transformer.

    Attributes:
        model: Without a vision encoder of its own.
        neck: Computes its features at several resolutions.
    """

    model: Sam3TrackerVideoModel
    neck: Sam3VisionNeck


def load_tracker(held: Mapping[str, Tensor], detector: Sam3Config, path: Path) -> Sam3Tracker:
    """Load the tracker from the tensors of a checkpoint, on the CPU, in evaluation mode, float32.

    Args:
        held: The tensors.
        detector: The configuration of the network that computes the features.
        path: The checkpoint, which may have a `config.json` beside it.

    Raises:
        WeightsError: If a tensor is missing, unknown or of the wrong shape.
    """
    config = tracker_config(detector, path)
    with configuration_errors("medical-sam3", path, "SAM3's tracker has", _ADVICE):
        expected = expected_shapes(config, detector)
        check_parameters(expected.values(), "the tracker")
        state = as_transformers(tracker_tensors(held), expected, path)
        check_finite(state, path)
        tracker = empty_tracker(config, detector)
        for prefix, part in _parts(tracker):
            own = {
                name.removeprefix(prefix): tensor.float()
                for name, tensor in state.items()
                if name.startswith(prefix)
            }
            part.load_state_dict(own, assign=True)
            part.requires_grad_(False)
            part.eval()
    return tracker


def empty_tracker(config: Sam3TrackerVideoConfig, detector: Sam3Config) -> Sam3Tracker:
    """The tracker on the CPU with its weights unset; computed tables are set."""
    from transformers import Sam3TrackerVideoModel, initialization
    from transformers.models.sam3.modeling_sam3 import Sam3VisionNeck

    with initialization.no_init_weights():
        model: Any = Sam3TrackerVideoModel(config, remove_vision_encoder=True)
        vision: Any = detector.vision_config
        return Sam3Tracker(model, Sam3VisionNeck(vision))


def expected_shapes(
    config: Sam3TrackerVideoConfig, detector: Sam3Config
) -> dict[str, tuple[int, ...]]:
    """The shape of each tensor of the tracker, named as in transformers' Sam3VideoModel."""
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
    """Convert a tracker's tensors from either layout to transformers'.

    Args:
        tensors: The tracker's tensors.
        expected: transformers' shapes by name.
        path: The checkpoint, for the error message.

    Raises:
        WeightsError: If tensors are missing, unknown or of the wrong shape; the message has their
            names in the file's layout.
    """
    if not is_upstream(tensors):
        shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
        check_layout(shapes, expected, path, _NETWORK, _ADVICE)
        return {name: tensors[name] for name in expected}
    used = {name: tensor for name, tensor in tensors.items() if not is_left_over(name)}
    return from_authors(
        used, expected, lambda name: [*map(Source, sources_of(name))], path, _NETWORK, _ADVICE
    )


def _parts(tracker: Sam3Tracker) -> tuple[tuple[str, Any], tuple[str, Any]]:
    return (MODEL, tracker.model), (NECK, tracker.neck)
