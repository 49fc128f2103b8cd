"""ENSAM's network in torch, on the CPU or a GPU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...progress import Progress
from ...segmenter import Logits
from ...system.device import on_device
from ...system.foreign_errors import check_finite_output, predicting_errors
from .network.config import EnsamConfig
from .runtime import Features, NetworkPrompts

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from .network.network import Ensam, EnsamFeatures


class TorchFeatures(Features):
    """The network's own features."""

    def __init__(self, features: EnsamFeatures) -> None:
        super().__init__(features.nbytes)
        self.features = features


class TorchRuntime:
    """The `Runtime` around a network on a device."""

    def __init__(self, network: Ensam, device: torch.device) -> None:
        self._network = network
        self._device = device

    @property
    def config(self) -> EnsamConfig:
        """The network's configuration."""
        return self._network.config

    def encode(
        self, image: Logits, spacing_kji_mm: Sequence[float], progress: Progress
    ) -> TorchFeatures:
        """See `Runtime.encode`.

        Raises:
            DeviceError: If memory runs out.
        """
        import torch

        with torch.inference_mode(), predicting_errors("ensam"):
            features = self._network.encode(self._tensor(image), spacing_kji_mm, progress)
        return TorchFeatures(features)

    def decode(
        self,
        features: Features,
        prompts: NetworkPrompts,
        previous_logits: Logits | None,
        progress: Progress,
    ) -> Logits:
        """See `Runtime.decode`.

        Raises:
            DeviceError: If memory runs out.
        """
        import torch

        from .network.network import EnsamPrompts

        assert isinstance(features, TorchFeatures), "features return to the runtime that made them"
        with torch.inference_mode(), predicting_errors("ensam"):
            logits = self._network.decode(
                features.features,
                EnsamPrompts(
                    on_device(prompts.kinds, self._device)[None],
                    on_device(prompts.positions_kji, self._device)[None],
                ),
                None if previous_logits is None else self._tensor(previous_logits),
                progress,
            )
            answer = np.array(logits[0, 0].float().cpu().numpy(), order="C")
        check_finite_output(answer, "ensam")
        return answer

    def _tensor(self, array: Logits) -> Tensor:
        """(1, 1, K, J, I) on the device."""
        return on_device(array, self._device)[None, None]
