"""VoxTell as a model: whatever free words name, segmented in 3D.

Rokuss, Langenberg et al., "VoxTell: Free-Text Promptable Universal 3D Medical Image Segmentation",
CVPR 2026 (arXiv 2511.11450). The network and the wording of phrases are those of the package
`voxtell`; reading of files, orientation and windows are done here.
"""

from __future__ import annotations

from pathlib import Path

from ...segmenter import ModelCard, ModelOption, Segmenter
from ...system.device import choose_device
from ...weights import store
from ..class_based.segmenter import WHOLE_VOLUME, parse_overlap

CARD = ModelCard(
    name="voxtell",
    title="VoxTell",
    summary="Segments in 3D what free words name: organs, their parts, findings.",
    prompts=("text",),
    modalities=("CT", "MR", "PET"),
    dimensions=3,
    code_licence="Apache-2.0",
    weights_licence="CC BY-NC-SA 4.0",
    region_rule=WHOLE_VOLUME,
    packages=("torch", "nnunetv2", "voxtell"),
    weights="voxtell",
    can_predict_empty=True,
    takes_words=True,
    # An estimate: nnInteractive's pass of the same patch through the same encoder takes 7.2 GB
    # (Testing/benchmarks/backends.py), and this network has 1.4 GB more of weights.
    base_bytes=10_000_000_000,
    # The image in 32 bits, its turned copy, and the logits of four phrases in 16 bits.
    bytes_per_voxel=24,
    trial_options={"overlap": 0.0},
    options=(
        ModelOption(
            "text_encoder",
            "Text encoder",
            "Folder of Qwen3-Embedding-4B, for words that were not embedded beforehand",
            default="none",
            is_private=True,
            at_import="folder",
        ),
        ModelOption(
            "embeddings",
            "Embedded phrases",
            "File text_embeddings.npz, as it is published with the weights",
            default="that of the weights",
            is_private=True,
            at_import="file",
        ),
        ModelOption("overlap", "Overlap", "Of neighbouring windows, 0 to 0.9", default="0.5"),
    ),
)


def said_by(weights: Path) -> frozenset[str]:
    """The options that need not be asked for: embedded phrases in the folder are taken."""
    from .folder import BANK

    return frozenset({"embeddings"} if (weights / BANK).is_file() else ())


def create(
    device: str = "auto",
    weights: str | Path | None = None,
    text_encoder: str | Path | None = None,
    embeddings: str | Path | None = None,
    overlap: float | str = 0.5,
) -> Segmenter:
    """Load the imported folder, or the folder `weights`. Nothing is downloaded.

    Args:
        device: "auto" (CUDA if available), "cpu", "cuda" or "cuda:N".
        weights: A folder; None for the imported one.
        text_encoder: The folder of Qwen3-Embedding-4B; None to understand embedded phrases alone.
        embeddings: A file of embedded phrases; None for text_embeddings.npz in the folder of the
            weights, if it is there.
        overlap: The overlap of neighbouring windows as a fraction of their width, 0 to 0.9; 0.5 as
            published.

    Raises:
        ModelError: An option is invalid.
        DeviceError: The device is not available.
        MissingPartError: There are neither embedded phrases nor a text encoder.
        WeightsError: A file is damaged, altered, or not of VoxTell.
    """
    from . import folder, network
    from .phrases import Phrases
    from .segmenter import VoxTellSegmenter
    from .torch_windows import WindowedVoxTell

    chosen, step = choose_device(device), 1 - parse_overlap(overlap)
    path = store.find(CARD.name) if weights is None else Path(weights)
    store.verify_recorded(path)
    published = folder.read(path)
    own = path / folder.BANK
    bank = own if embeddings is None and own.is_file() else embeddings
    phrases = Phrases(
        None if bank is None else Path(bank),
        None if text_encoder is None else Path(text_encoder),
        published.sizes["text_embedding_dim"],
        chosen,
    )
    windows = WindowedVoxTell(network.load(published), published.patch, step, chosen)
    return VoxTellSegmenter(CARD, windows, phrases, path)
