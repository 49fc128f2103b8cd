"""The masks that transformers' own SAM 3 finds in frames."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from transformers import (
    Sam3TrackerVideoModel,
)

from MedSegFMLib.models.medical_sam3.tracker_weights import Sam3Tracker


def features_of(frames: torch.Tensor, network: Any) -> list[np.ndarray]:
    """Of each frame by itself: sums are ordered otherwise where there are several at a time."""
    with torch.inference_mode():
        seen = [network.vision_encoder.backbone(frame[None]) for frame in frames]
    return [output.last_hidden_state[0].numpy() for output in seen]


def transformers_own(network: Any, tracker: Sam3Tracker) -> Any:
    """Sam3TrackerVideoModel with a vision encoder of its own, of the same weights."""
    own: Any = Sam3TrackerVideoModel(tracker.model.config)
    state = dict(tracker.model.state_dict())
    state.update({f"vision_encoder.neck.{n}": t for n, t in tracker.neck.state_dict().items()})
    backbone = network.vision_encoder.backbone.state_dict()
    state.update({f"vision_encoder.backbone.{n}": t for n, t in backbone.items()})
    own.load_state_dict(state)
    return own.eval()
