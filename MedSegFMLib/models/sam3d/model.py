"""SAM3D as a model: segmentation of its classes in the whole volume, without clicks.

Bui et al., "SAM3D: Segment Anything Model in volumetric medical images", ISBI 2024. SAM's image
encoder, as published, encodes every slice; a light decoder predicts classes from its features in
3D. Slices are those along k, the array's first axis, whatever the orientation. Nothing is
resampled or limited unless options say so (`preparation`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ...errors import MissingPartError
from ...segmenter import ModelCard, ModelOption
from ...system.device import choose_device
from ...system.feature_store import is_switched_off
from ...weights import store
from ..class_based.segmenter import WHOLE_VOLUME
from ..common.options import BASE_OPTION
from . import weights as sam3d_weights
from .encoder_features import Base
from .feature_files import FeatureFiles
from .options import channels_of, facts_of, parse_numbers
from .preparation import (
    CLIP_OPTION,
    MIRROR_OPTION,
    SCORES_OPTION,
    SPACING_OPTION,
    parse_preparation,
)
from .segmenter import Sam3dSegmenter
from .volume_scores import VolumeScorer
from .weights import Sam3dFacts

CARD = ModelCard(
    name="sam3d",
    title="SAM3D",
    summary="Segments the classes its decoder was trained for, from features of SAM's encoder.",
    prompts=("text",),
    modalities=("as its weights",),
    dimensions=3,
    code_licence="Apache-2.0",
    weights_licence="not stated by its authors",
    region_rule=WHOLE_VOLUME,
    packages=("torch", "torchvision", "segment_anything"),
    weights="sam3d",
    base="sam",
    channels=None,
    # ViT-B and three classes, patches of 160 by 160 by 16 on a CPU, growth: 1457, 1476 and 1496 MB
    # for volumes of 48, 96 and 160 voxels a side (Testing/benchmarks/memory.py); excluding the
    # networks 257, 763 and 1442 MB for 160, 256 and 320. Each further class adds about 10 bytes a
    # voxel.
    base_bytes=1_450_000_000,
    bytes_per_voxel=45,
    trial_options={"cache_bytes": 0},
    options=(
        ModelOption("classes", "Classes", "Their names, with commas", at_import="text"),
        ModelOption(
            "patch", "Patch size", "In voxels along each axis of a slice", at_import="text"
        ),
        ModelOption("depth", "Patch depth", "In slices", at_import="text"),
        ModelOption(
            "images",
            "Images",
            "The names of the images of each volume, with commas, in the order of its training",
            (),
            "in the order given",
            at_import="text",
        ),
        ModelOption("overlap", "Overlap", "Of neighbouring patches, 0 to 0.9", (), "0.5"),
        MIRROR_OPTION,
        SPACING_OPTION,
        CLIP_OPTION,
        SCORES_OPTION,
        BASE_OPTION,
        ModelOption(
            "cache_bytes", "Cache", "The most bytes of features on disk; 0 for none", (), "4 GB"
        ),
    ),
)

# The limit of the features on disk, in the user's folder of weights.
DEFAULT_CACHE_BYTES = 4 << 30
_FOLDER = "features"


def create(
    device: str = "auto",
    weights: str | Path | None = None,
    base: str | Path | None = None,
    classes: Sequence[str] | str | None = None,
    patch: int | str | None = None,
    depth: int | str | None = None,
    images: Sequence[str] | str | None = None,
    overlap: float | str = 0.5,
    cache_bytes: int | str = DEFAULT_CACHE_BYTES,
    spacing: str = "",
    clip: str = "",
    scores: str = "",
    mirrors: str = "no",
) -> Sam3dSegmenter:
    """Load the stored decoder, or the one in the file `weights`, and the SAM that it needs.

    Args:
        device: a name as in `system.device.choose_device`.
        weights: The decoder's file; None for the stored one.
        base: A file with SAM's weights, those that the decoder was trained on; None for the stored
            ones.
        classes: For a published checkpoint, which does not contain them, the class names without
            background, as in its training; as text, separated by commas. Weights from this
            project's training contain them, as well as `patch` and `depth`.
        patch: For a published checkpoint, the pixels of a patch's side, such as 160.
        depth: For a published checkpoint, the slices of a patch, such as 16.
        images: For a decoder of several images of each volume, their names in the order of its
            training, such as t1,t1ce,t2,flair; without, a volume has them in that order.
        overlap: The overlap of neighbouring patches as a fraction of their width, 0 to 0.9; 0.5 as
            published, less to save time.
        cache_bytes: The disk limit of volumes' features in the user's folder of weights, so that a
            volume is encoded once; 0 stores none.
        spacing: The millimetres along i, j and k, separated by commas, that volumes are resampled
            to before; "" leaves them.
        clip: The lowest and the highest intensity, separated by a comma; "" sets no limits.
        scores: The mean and the deviation of z-scores, separated by a comma; "" takes those of each
            volume.
        mirrors: The mirror images whose answers are averaged: "no", "slices" (in either order,
            which costs little) or "all" eight, as published, which encodes every slice four times.

    Raises:
        ModelError: If an option is invalid.
        DeviceError: If the device is not available.
        WeightsError: If weights are missing, altered, of another network or of another base.
    """
    chosen = choose_device(device)
    part, budget = parse_numbers(overlap, cache_bytes)
    path = store.find(CARD.name) if weights is None else Path(weights)
    store.verify_recorded(path)
    decoder = sam3d_weights.load(path)
    named = classes.split(",") if isinstance(classes, str) else classes
    facts = facts_of(path, decoder.config.classes - 1, named, patch, depth)
    channels = channels_of(path, decoder.config.modalities, facts.channels, images)
    preparation = parse_preparation(spacing, clip, scores, mirrors)
    encoder = open_base(base, str(chosen), facts.base_sha256, path)
    files = (
        FeatureFiles(store.folder() / _FOLDER, budget) if budget and not is_switched_off() else None
    )
    scorer = VolumeScorer(decoder.to(chosen), facts, encoder, preparation, part, files)
    return Sam3dSegmenter(replace(CARD, channels=channels), scorer)


def said_by(weights: Path) -> frozenset[str]:
    """The options that weights say themselves, of those to ask for at their import.

    Raises:
        WeightsError: If their description cannot be read.
    """
    facts = sam3d_weights.read_facts(weights)
    if facts is None:
        return frozenset()
    names = {option.name for option in CARD.options if option.at_import}
    return frozenset(names - {"base"} if _needs_other_base(facts) else names)


def _needs_other_base(facts: Sam3dFacts) -> bool:
    """Whether a decoder was trained on another SAM than the one that is installed, if any."""
    here = [item.sha256 for item in store.installed() if item.name == CARD.base]
    return facts.base_sha256 is not None and facts.base_sha256 not in here


def open_base(
    base: str | Path | None, device: str, sha256: str | None = None, decoder: Path | None = None
) -> Base:
    """Load the SAM whose features the decoder takes, from a file or the store.

    Args:
        base: A file or the name of stored weights; None for SAM's stored weights.
        device: The device.
        sha256: The SHA-256 that the file must have according to the file `decoder`.
        decoder: The decoder's file, for the error message.

    Raises:
        WeightsError: If the SAM is missing, altered or a different one.
    """
    from ..sam import base as sam_base
    from ..sam import weights as sam_weights
    from ..sam.torch_runtime import TorchSamRuntime

    path, actual_sha256 = sam_base.base_weights(str(base or CARD.base))
    if sha256 not in (None, actual_sha256):
        raise MissingPartError(
            f"{decoder} was trained on the SAM with the SHA-256 {sha256}, but {path} has "
            f"{actual_sha256}; give that one as base=FILE."
        )
    chosen = choose_device(device)
    # Not OpenVINO: compiling its graphs pays off for a single size of image only.
    runtime = TorchSamRuntime(sam_weights.load(path), chosen, CARD.name)
    return Base(runtime, actual_sha256, chosen.type)
