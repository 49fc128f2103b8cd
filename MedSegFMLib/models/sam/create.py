"""From a checkpoint of SAM, SAM 2 or SAM 3 to a model of volumes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ...segmenter import ModelCard, ModelOption, RegionRule
from ...system.device import choose_device
from ...weights import store
from ..common.options import CACHE_OPTION
from ..planar.fusion import FUSIONS
from ..planar.grey_levels import WINDOW_OPTION, chosen_window
from .network.config import NetworkConfig
from .prepared import make_preprocessor
from .preprocessing import PUBLISHED_SIZE
from .segmenter import PlanarSegmenter, check_options

# Common entries of the cards of models around SAM's network.
REGION_RULE = RegionRule(margin_voxels=8, margin_fraction=0.1, click_radius_voxels=32, shared=False)
PACKAGES = ("torch", "torchvision", "segment_anything")
# ViT-B at native size on a CPU, growth over a box and five clicks, with their predictions stored:
# 1561, 1748, 1820 and 2929 MB for regions of 48, 96, 160 and 256 voxels a side
# (Testing/benchmarks/memory.py). At 1024 the features of a slice take 2 MiB, up to `cache_bytes`
# in all, and a CPU's encoder about 5 GB while it is compiled.
BASE_BYTES = 1_600_000_000
BYTES_PER_VOXEL = 80
# BASE_BYTES without ViT-B's 89,670,912 weights.
_LIBRARIES_BYTES = 1_240_000_000
TRIAL_OPTIONS = {"planes": ("axial",)}
OPTIONS = (
    ModelOption("size", "Slice size", "Of the network's input in pixels"),
    ModelOption(
        "fusion", "Planes' vote", "How the planes are combined", tuple(FUSIONS), "reliable"
    ),
    ModelOption("planes", "Planes", "Names of planes with commas", (), "axial,coronal,sagittal"),
    WINDOW_OPTION,
    CACHE_OPTION,
)


def create_planar(
    card: ModelCard,
    prepared: str | None,
    device: str,
    weights: str | Path | None,
    size: str | int | None,
    fusion: str,
    planes: Sequence[str] | str,
    cache_bytes: int | str,
    window: str,
) -> PlanarSegmenter:
    """Load a model of slices with the stored weights, or with those in a file.

    Args:
        card: The model's card.
        prepared: The preprocessing of slices, one of `PREPARED`; None for that of the network's
            family.
        device: a name as in `system.device.choose_device`.
        weights: A checkpoint, or a folder of transformers; None for the stored weights.
        size: "1024", as published, whole slices at the network's own size, which is 1008 for SAM 3;
            "native", the region in its own pixels, at most that many a side; or "224" or "448", the
            region with its longest side resized to that number of pixels; numbers are accepted too.
            None: "1024" on a GPU and "native" on a CPU, where 1024 takes seconds for each slice.
        fusion: "reliable", "regions", "mean" or "majority"; see `fusion`.
        planes: Those of "axial", "coronal" and "sagittal" to segment; as text, separated by commas.
        cache_bytes: The memory limit of the slices' features; text is accepted too.
        window: "auto", as MedSAM was trained; or the name of a window or LEVEL,WIDTH.

    Raises:
        ModelError: If an option has no such value.
        DeviceError: If the device is not available.
        WeightsError: If the weights are missing, altered, truncated or of another network.
    """
    from . import loading

    chosen = choose_device(device)
    size = str(size or ("native" if chosen.type == "cpu" else PUBLISHED_SIZE))
    names = plane_names(planes)
    budget = check_options(size, fusion, names, cache_bytes)
    shown = chosen_window(window)
    path = store.find(card.name) if weights is None else Path(weights)
    runtime = loading.load(path, str(chosen), card.name)
    network = runtime.config
    preprocessor = make_preprocessor(prepared or network.family, size, network)
    fitted = replace(card, base_bytes=max(card.base_bytes, base_bytes(network)))
    return PlanarSegmenter(fitted, runtime, preprocessor, fusion, names, budget, shown)


def base_bytes(network: NetworkConfig) -> int:
    """The predicted memory of a network with little to segment: its weights, and a CPU's libraries.

    All but a few million weights are those of the encoder's blocks, 12 d² each.
    """
    weights: int = sum(12 * block.dim**2 for block in network.blocks)
    return _LIBRARIES_BYTES + 4 * weights


def plane_names(planes: Sequence[str] | str) -> list[str]:
    """The names of planes; in text they are separated by commas."""
    return [n.strip() for n in planes.split(",")] if isinstance(planes, str) else list(planes)
