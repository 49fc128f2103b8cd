"""A network of SAM 2 or SAM 3 that tracks objects in videos, on slices.

Ravi et al., "SAM 2: Segment anything in images and videos", 2024; Carion et al., "SAM 3: Segment
anything with concepts", 2025. Slices are the frames of a video. transformers' networks are run
here, within their own sessions, with features that were computed before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...segmenter import Logits
from ...system.foreign_errors import check_finite_output, predicting_errors
from .fusion import FAR_LOGIT
from .slice_tracker import ClickedPlace, PlacedBox

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Levels = Callable[[NDArray[Any]], dict[str, list["Tensor"]]]
"""The features of a slice at three resolutions and their positions, as a session stores them."""

# The name of the one object of a session, and its number there.
_OBJECT, _NUMBER = 1, 0
# What a session calls the corners of a box among its points.
_CORNERS = (2, 3)


class VideoTracker:
    """The `SliceTracker` around a network.

    Args:
        network: transformers' network, on the device.
        session: The class of its sessions.
        levels: See `Levels`.
        device: The device.
        model: The model name in error messages.
        path: The file of the weights in error messages.
    """

    def __init__(
        self,
        network: Any,
        session: Callable[..., Any],
        levels: Levels,
        device: torch.device,
        model: str,
        path: Path | None = None,
    ) -> None:
        self.network = network
        self.session = session
        self.levels = levels
        self.device = device
        self._model = model
        self._path = path

    def boundary(self) -> AbstractContextManager[None]:
        """The boundary to transformers; see `predicting_errors`."""
        return predicting_errors(self._model, self._path)

    def check(self, logits: Logits) -> None:
        """See `check_finite_output`."""
        check_finite_output(logits, self._model, self._path)

    def clicked(
        self, features: NDArray[Any], clicks: Sequence[ClickedPlace], before: Logits | None
    ) -> Logits:
        """See `SliceTracker.clicked`; several masks are compared only for a single click."""
        import torch

        network = self.network
        with torch.inference_mode(), self.boundary():
            levels: list[Tensor] = self.levels(features)["vision_feats"]
            levels[-1] = levels[-1] + network.no_memory_embedding
            maps = [
                level.permute(1, 2, 0).unflatten(2, tuple(size))
                for level, size in zip(levels, network.backbone_feature_sizes, strict=True)
            ]
            places = torch.tensor([[[click[:2] for click in clicks]]], device=self.device)
            kinds = torch.tensor([[[int(click[2]) for click in clicks]]], device=self.device)
            sparse, dense = network.get_prompt_embeddings(
                places.float(), kinds, None, None if before is None else self._hint(before)
            )
            config = network.config
            several = config.multimask_min_pt_num <= len(clicks) <= config.multimask_max_pt_num
            masks, quality, _, presence = network.mask_decoder(
                image_embeddings=maps[-1],
                image_positional_embeddings=network.get_image_wide_positional_embeddings(),
                sparse_prompt_embeddings=sparse,
                dense_prompt_embeddings=dense,
                multimask_output=config.multimask_output_in_sam and several,
                high_resolution_features=maps[:-1],
            )
            best: Logits = masks[0, 0, int(quality[0, 0].argmax())].float().cpu().numpy()
            certainty = float(presence)
        self.check(best)
        # A click on the object means that it is present, whatever the network's score.
        if certainty <= 0 and not any(click[2] for click in clicks):
            return np.full_like(best, -FAR_LOGIT)
        return best

    def begin(self, slices: int, backward: bool) -> VideoTrack:
        """See `SliceTracker.begin`."""
        return VideoTrack(self, slices, backward)

    def _hint(self, before: Logits) -> Tensor:
        """(1, 1, h, w): logits of a slice at the size of the network's mask prompt."""
        return resized(before, self.network.prompt_encoder.mask_input_size, self.device)


class VideoTrack:
    """The `SliceTrack` through a stack of `slices`, in a session of transformers."""

    def __init__(self, tracker: VideoTracker, slices: int, backward: bool) -> None:
        import torch

        self._tracker = tracker
        self._backward = backward
        self._session: Any = tracker.session(
            inference_device=tracker.device,
            inference_state_device=tracker.device,
            dtype=torch.float32,
        )
        # The session counts its frames; it gets only their features.
        self._session.processed_frames = dict.fromkeys(range(slices))
        self._session.obj_id_to_idx(_OBJECT)
        config = tracker.network.config
        self._remembered = max(config.num_maskmem, config.max_object_pointers_in_encoder)

    def hold(self, index: int, features: NDArray[Any], mask: NDArray[np.bool_]) -> None:
        """See `SliceTrack.hold`."""
        import torch

        side = self._tracker.network.image_size
        with torch.inference_mode(), self._tracker.boundary():
            whole = resized(mask.astype(np.float32), (side, side), self._tracker.device)
            self._session.add_mask_inputs(_NUMBER, index, (whole >= 0.5).float())
            self._session.obj_with_new_inputs = [_OBJECT]
            self._run(index, features)

    def prompt(
        self,
        index: int,
        features: NDArray[Any],
        box: PlacedBox | None,
        clicks: Sequence[ClickedPlace],
    ) -> Logits:
        """See `SliceTrack.prompt`; the network alone decides whether the object is present."""
        import torch

        corners = [] if box is None else [(box[0], box[1]), (box[2], box[3])]
        places = [*corners, *((x, y) for x, y, _ in clicks)]
        kinds = [*_CORNERS[: len(corners)], *(int(on) for _, _, on in clicks)]
        with torch.inference_mode(), self._tracker.boundary():
            inputs = {
                "point_coords": torch.tensor([[places]], dtype=torch.float32),
                "point_labels": torch.tensor([[kinds]], dtype=torch.int32),
            }
            self._session.add_point_inputs(_NUMBER, index, inputs)
            self._session.obj_with_new_inputs = [_OBJECT]
            masks = self._run(index, features).pred_masks
            logits: Logits = masks[0, 0].float().cpu().numpy()
        self._tracker.check(logits)
        return logits

    def follow(self, index: int, features: NDArray[Any]) -> Logits:
        """See `SliceTrack.follow`."""
        import torch

        with torch.inference_mode(), self._tracker.boundary():
            masks = self._run(index, features).pred_masks
            logits: Logits = masks[0, 0].float().cpu().numpy()
        self._tracker.check(logits)
        kept = self._session.output_dict_per_obj[_NUMBER]["non_cond_frame_outputs"]
        # The memory encoding stays; the mask of a million pixels is not needed again.
        kept[index].pop("high_res_masks")
        for far in [n for n in kept if abs(n - index) >= self._remembered]:
            del kept[far]
        return logits

    def _run(self, index: int, features: NDArray[Any]) -> Any:
        self._session.cache.cache_vision_features(index, self._tracker.levels(features))
        return self._tracker.network(self._session, frame_idx=index, reverse=self._backward)


def resized(slice_array: NDArray[np.float32], size: Sequence[int], device: torch.device) -> Tensor:
    """(1, 1, rows, columns): a slice at another size, bilinear, antialiased if it shrinks."""
    import torch
    from torch.nn.functional import interpolate

    whole = torch.from_numpy(np.ascontiguousarray(slice_array)).to(device)[None, None]
    if tuple(whole.shape[2:]) == tuple(size):
        return whole
    return interpolate(
        whole, size=tuple(size), mode="bilinear", align_corners=False, antialias=True
    )
