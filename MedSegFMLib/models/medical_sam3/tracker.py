"""SAM3's tracker: it memorises an object on slices and finds it on the next ones.

Carion et al., "SAM 3: Segment anything with concepts", 2025.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..planar.video_tracker import VideoTracker
from .tracker_weights import Sam3Tracker

if TYPE_CHECKING:
    import torch
    from torch import Tensor


def sam3_tracker(
    tracker: Sam3Tracker,
    device: torch.device,
    model: str = "medical-sam3",
    path: Path | None = None,
) -> VideoTracker:
    """The `SliceTracker` around SAM3's tracker, which is moved to a device.

    Args:
        tracker: The networks.
        device: The device.
        model: The model name in error messages.
        path: The file of the weights in error messages.
    """
    from transformers import Sam3TrackerVideoInferenceSession

    network: Any = tracker.model.to(device)
    neck: Any = tracker.neck.to(device)

    def levels(features: NDArray[Any]) -> dict[str, list[Tensor]]:
        """Computed as in `Sam3VideoModel.get_vision_features_for_tracker`.

        Args:
            features: (tokens, channels) of the detector's vision transformer.
        """
        import torch

        array = np.ascontiguousarray(features, np.float32)
        tokens = torch.from_numpy(array).to(device)[None]
        side = round(len(array) ** 0.5)
        maps, positions = neck(tokens.unflatten(1, (side, side)).permute(0, 3, 1, 2))
        decoder = network.mask_decoder
        feature_maps = [decoder.conv_s0(maps[0]), decoder.conv_s1(maps[1]), *maps[2:-1]]
        return {
            "vision_feats": [level.flatten(2).permute(2, 0, 1) for level in feature_maps],
            "vision_pos_embeds": [p.flatten(2).permute(2, 0, 1) for p in positions[:-1]],
        }

    return VideoTracker(network, Sam3TrackerVideoInferenceSession, levels, device, model, path)
