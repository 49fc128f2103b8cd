"""nnU-Net's predictor with immediate cancellation. Needs torch and nnunetv2.

nnU-Net's own loop over the windows runs beside a thread that prepares them, which waits forever if
the loop is interrupted; here the windows follow one another, with progress reported at each.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from numpy.typing import NDArray

from ...progress import Progress, no_progress
from .torch_stitching import stitched

_log = logging.getLogger(__name__)


class WindowedPredictor(nnUNetPredictor):  # type: ignore[misc]
    """The predictor; its sums, weights and order of windows are nnU-Net's."""

    def __init__(self, step: float, mirrored: bool, device: torch.device) -> None:
        super().__init__(
            tile_step_size=step,
            use_mirroring=mirrored,
            perform_everything_on_device=False,
            device=device,
            allow_tqdm=False,
        )
        self._progress: Progress = no_progress
        self._passes = self._all_passes = 0
        self._reported = 0.0

    def scores(self, data: torch.Tensor, progress: Progress) -> NDArray[np.float16]:
        """Logits (channels, network's grid) of preprocessed data, the mean over all folds."""
        self._progress, self._passes, self._reported = progress, 0, 0.0
        hook = self.network.register_forward_pre_hook(lambda *_: self._report_pass())
        try:
            logits: NDArray[np.float16] = self.predict_logits_from_preprocessed_data(data).numpy()
        finally:
            hook.remove()
            self._progress = no_progress
        return logits

    def _report_pass(self) -> None:
        # After running out of memory there are more passes than expected; progress never decreases.
        self._reported = max(self._reported, min(self._passes / self._all_passes, 1.0))
        self._progress(self._reported, "Predicting the classes")
        self._passes += 1

    def _internal_predict_sliding_window_return_logits(
        self, data: torch.Tensor, slicers: Sequence[Any], do_on_device: bool = True
    ) -> torch.Tensor:
        axes = self.allowed_mirroring_axes if self.use_mirroring else None
        self._all_passes = len(self.list_of_parameters) * len(slicers) * 2 ** len(axes or ())
        if self.device.type == "cuda":
            try:
                return self._stitched(data, slicers, self.device)
            except torch.cuda.OutOfMemoryError:
                _log.warning(
                    "The scores of all classes do not fit on the GPU; using the computer's memory"
                )
                torch.cuda.empty_cache()
        return self._stitched(data, slicers, torch.device("cpu"))

    def _stitched(
        self, data: torch.Tensor, slicers: Sequence[Any], device: torch.device
    ) -> torch.Tensor:
        """The predictions of all windows on the image, the sums kept on a device."""
        return stitched(
            data,
            slicers,
            self.configuration_manager.patch_size,
            self.label_manager.num_segmentation_heads,
            lambda patch: self._internal_maybe_mirror_and_predict(patch.to(self.device))[0],
            device,
            "nnU-Net",
        )
