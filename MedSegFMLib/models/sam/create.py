"""From a checkpoint in SAM's layout to a model of volumes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from ...segmenter import ModelCard, ModelOption, RegionRule
from ...system.device import choose_device
from ...weights import store
from ..common.options import CACHE_OPTION
from ..planar.fusion import FUSIONS
from ..planar.grey_levels import WINDOW_OPTION, chosen_window
from .preprocessing import PUBLISHED_SIZE, SlicePreprocessor
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
    preprocessor: Callable[[str], SlicePreprocessor],
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
        preprocessor: Creates the preprocessing of slices for a size.
        device: "auto" (CUDA if available), "cpu", "cuda" or "cuda:N".
        weights: A checkpoint; None for the stored weights.
        size: "1024", as published; "native", the region in its own pixels, at most 1024 a side; or
            "224" or "448", the region with its longest side resized to that number of pixels;
            numbers are accepted too. None: "1024" on a GPU and "native" on a CPU, where 1024 takes
            seconds for each slice.
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
    return PlanarSegmenter(card, runtime, preprocessor(size), fusion, names, budget, shown)


def plane_names(planes: Sequence[str] | str) -> list[str]:
    """The names of planes; in text they are separated by commas."""
    return [n.strip() for n in planes.split(",")] if isinstance(planes, str) else list(planes)
