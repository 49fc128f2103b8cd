"""ENSAM as a model: a region is encoded once, each set of prompts is decoded from it.

Stenhede, Bjørnstad and Ranjbar, "ENSAM: an efficient foundation model for interactive segmentation
of 3D medical images", 2025. The region's intensities go from their 0.5 and 99.5 percentile to 0
and 1; it is max-pooled by 2 on all but its shortest axis until it has 4,194,304 voxels, and its
logits are interpolated back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ..device import choose_device, memory_errors
from ..intensities import intensity_bounds, normalised
from ..pooling import pooled, pooled_positions
from ..progress import Progress, part_of
from ..prompt_voxels import honour_marks
from ..prompts import Prompt
from ..region import Region, Shape
from ..segmenter import Encoding, Logits, ModelCard, Prediction, RegionRule
from ..volume import Volume
from ..weights import store
from . import ensam_weights
from .ensam_grid import pool_factors
from .ensam_tokens import Tokens, prompt_tokens

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from ..networks.ensam import EnsamFeatures, EnsamPrompts

CARD = ModelCard(
    name="ensam",
    title="ENSAM",
    summary="A small network that sees in 3D; takes boxes, clicks and strokes, on CPU or GPU.",
    prompts=("box", "point", "scribble", "lasso"),
    modalities=("CT", "MR", "PET", "US", "microscopy"),
    dimensions=3,
    code_licence="Apache-2.0",
    weights_licence="Apache-2.0",
    region_rule=RegionRule(
        margin_voxels=32, margin_fraction=0.0, click_radius_voxels=16, shared=True
    ),
    packages=("torch", "safetensors"),
    weights="ensam",
    uses_previous=True,
    # Peak on the CPU over 96, 128 and 160 cubed: 536, 512 and 506 bytes a voxel above 0.28 GB.
    base_bytes=300_000_000,
    bytes_per_voxel=540,
)

# A clicked voxel gets at least this logit in the click's direction, whatever the network says.
CLICK_LOGIT = 1.0


class Network(Protocol):
    """What the adapter asks of `networks.ensam.Ensam`."""

    def encode(
        self, image: Tensor, spacing_kji_mm: Sequence[float], progress: Progress
    ) -> EnsamFeatures:
        """Look at an image (1, 1, K, J, I), float32 in 0 to 1."""

    def decode(
        self,
        features: EnsamFeatures,
        prompts: EnsamPrompts,
        previous_logits: Tensor | None,
        progress: Progress,
    ) -> Tensor:
        """Logits (1, 1, K, J, I) of the image."""


@dataclass(frozen=True, eq=False)
class EnsamEncoding(Encoding):
    """The network's features of a region, which it saw pooled by `factors`."""

    features: EnsamFeatures
    factors: Shape


def create(device: str = "auto", weights: str | Path | None = None) -> EnsamSegmenter:
    """Load the model with the weights of the store, or those in the file `weights`.

    device: "auto" (CUDA where there is one), "cpu", "cuda" or "cuda:N".

    Raises DeviceError for a device that is not there, WeightsError for weights that are missing,
    altered, truncated or of another network. `registry.create` has checked that torch is here.
    """
    chosen = choose_device(device)
    path = store.find(CARD.name) if weights is None else Path(weights)
    store.verify_recorded(path)
    with memory_errors(CARD.name):
        return EnsamSegmenter(ensam_weights.load(path).to(chosen), chosen)


class EnsamSegmenter:
    """The `Segmenter` around an ENSAM network on a device."""

    card = CARD

    def __init__(self, network: Network, device: torch.device) -> None:
        self._network = network
        self._device = device

    def encode(self, volume: Volume, region: Region | None, progress: Progress) -> EnsamEncoding:
        """One encoder pass over a region (None: all), which is never written to.

        Raises VolumeError where the region holds NaN or infinity, DeviceError without memory.
        """
        import torch

        progress(0.0, "Preparing the image")
        region = region or Region.whole(volume.geometry.shape_kji)
        array = volume.array_kji[region.slices]
        factors = pool_factors(region.shape_kji)
        bounds = intensity_bounds(array)
        image = normalised(pooled(array, factors, "max"), bounds)
        spacing = volume.geometry.spacing_kji_mm
        pooled_spacing = [mm * factor for mm, factor in zip(spacing, factors, strict=True)]
        with torch.inference_mode(), memory_errors(CARD.name):
            features = self._network.encode(
                self._tensor(image), pooled_spacing, part_of(progress, 0.1, 1.0)
            )
        progress(1.0, "The image is prepared")
        return EnsamEncoding(volume.geometry, region, features.nbytes, features, factors)

    def predict(
        self,
        encoding: Encoding,
        prompts: Sequence[Prompt],
        previous: Prediction | None,
        progress: Progress,
    ) -> Prediction:
        """Decode one object; every marked voxel ends up on the side that its mark says.

        Prompts outside the region say nothing. Raises PromptError for a prompt outside the volume
        or a text, DeviceError without memory.
        """
        import torch

        if not isinstance(encoding, EnsamEncoding):
            raise TypeError(f"ENSAM cannot predict from a {type(encoding).__name__} of a model.")
        CARD.check_takes(prompts)
        progress(0.0, "Reading the prompts")
        tokens = prompt_tokens(prompts, encoding.geometry, encoding.region)
        with torch.inference_mode(), memory_errors(CARD.name):
            logits = self._network.decode(
                encoding.features,
                self._prompts(tokens, encoding.factors),
                None if previous is None else self._previous(previous, encoding),
                part_of(progress, 0.1, 0.9),
            )
            array = _on_region(logits, encoding)
        honour_marks(array, tokens.marks, CLICK_LOGIT)
        progress(1.0, "The object is drawn")
        return Prediction(encoding.geometry, encoding.region.start_kji, array)

    def _tensor(self, array: Logits) -> Tensor:
        """(1, 1, K, J, I) on the model's device."""
        import torch

        return torch.from_numpy(array)[None, None].to(self._device)

    def _prompts(self, tokens: Tokens, factors: Shape) -> EnsamPrompts:
        import torch

        from ..networks.ensam import EnsamPrompts

        positions = pooled_positions(tokens.positions_kji, factors)
        return EnsamPrompts(
            torch.from_numpy(tokens.kinds)[None].to(self._device),
            torch.from_numpy(positions)[None].to(self._device),
        )

    def _previous(self, previous: Prediction, encoding: EnsamEncoding) -> Tensor:
        """The logits of the step before on the network's grid, 0 where it did not look."""
        logits = np.zeros(encoding.region.shape_kji, dtype=np.float32)
        shared = encoding.region.intersection(previous.region)
        if shared is not None:
            seen = previous.logits_kji[shared.relative_to(previous.region).slices]
            logits[shared.relative_to(encoding.region).slices] = seen
        return self._tensor(pooled(logits, encoding.factors, "mean"))


def _on_region(logits: Tensor, encoding: EnsamEncoding) -> Logits:
    """Logits of the pooled grid, interpolated to the voxels of the region."""
    from torch.nn import functional

    if max(encoding.factors) > 1:
        factors = tuple(float(factor) for factor in encoding.factors)
        logits = functional.interpolate(logits, scale_factor=factors, mode="trilinear")
    k, j, i = encoding.region.shape_kji
    array: Logits = logits[0, 0, :k, :j, :i].float().cpu().numpy()
    return np.array(array, order="C")
