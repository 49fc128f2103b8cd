"""Medical SAM3 as a model of volumes: an object named in words, tracked from slice to slice.

Jiang et al., "Medical SAM3", 2026 (arXiv 2601.10880): SAM3 (Carion et al., "SAM 3: Segment anything
with concepts", 2025) trained further on medical images with text only. Weights of SAM3 itself are
accepted too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...errors import MissingPartError, ModelError, WeightsError
from ...segmenter import ModelCard, ModelOption, RegionRule
from ...system.suggestions import with_suggestion
from ...volumes.windows import AUTO
from ...weights import store
from ...weights.checksums import own_sha256
from ..common.options import CACHE_OPTION
from ..planar.fusion import FUSIONS
from ..planar.grey_levels import WINDOW_OPTION, chosen_window
from ..sam.preprocessing import PUBLISHED_SIZE
from ..sam.segmenter import DEFAULT_CACHE_BYTES, check_options
from .card import WITH_TRACKER, text_alone
from .segmenter import MedicalSam3Segmenter
from .tokenizer import PhraseTokenizer, copy_tokenizer, files_in, tokenizer_for
from .tracker_tensor_names import has_tracker

# The published network on a CPU with three slices took at most 4.9 GB, of which 3.4 GB are weights;
# the features of slices take up to `cache_bytes` more. The tracker's weights are 0.1 GB, and its
# working memory of 0.6 GB is less than encoding a slice has released by then.
_BASE_BYTES = 5_000_000_000 + DEFAULT_CACHE_BYTES
# Grey levels, cached 16-bit logits of detector and tracker, logits and probabilities of one plane.
_BYTES_PER_VOXEL = 29

PROPAGATIONS = ("auto", "boxes", "tracker", "none")
# The evaluation of Medical SAM3: the best object of each axial slice for the text alone, from a
# score of 0.1 on.
PROTOCOLS = ("own", "paper")
_PAPER: dict[str, Any] = {"propagation": "none", "threshold": 0.1, "planes": ("axial",)}

CARD = ModelCard(
    name="medical-sam3",
    title="Medical SAM3",
    summary="Segments the object named in words slice by slice; boxes and clicks refine it.",
    prompts=("text", "box", "point", "mask"),
    modalities=("CT", "MR", "US", "X-ray", "endoscopy", "microscopy"),
    dimensions=2,
    code_licence="Apache-2.0",
    weights_licence="MIT as tagged; derived from weights under the SAM License",
    region_rule=RegionRule(
        margin_voxels=8, margin_fraction=0.1, click_radius_voxels=32, shared=False
    ),
    packages=("torch", "torchvision", "transformers"),
    weights="medical-sam3",
    can_predict_empty=True,
    takes_words=True,
    base_bytes=_BASE_BYTES,
    bytes_per_voxel=_BYTES_PER_VOXEL,
    options=(
        ModelOption(
            "protocol",
            "Protocol",
            "paper: every slice by the words alone, as Medical SAM3 was evaluated",
            PROTOCOLS,
            "own",
        ),
        ModelOption(
            "propagation", "Propagation", "How an answer spreads over slices", PROPAGATIONS, "auto"
        ),
        WINDOW_OPTION,
        ModelOption("planes", "Planes", "Names of planes with commas", (), "axial"),
        ModelOption(
            "fusion", "Planes' vote", "How the planes are combined", tuple(FUSIONS), "reliable"
        ),
        ModelOption("threshold", "Threshold", "The least score of an object, 0 to 1", (), "0.1"),
        ModelOption(
            "step_mm",
            "Search step",
            "With words alone, the distance in mm of the slices that are searched first; 0 for all",
            (),
            "10",
        ),
        ModelOption(
            "tokenizer",
            "Tokenizer",
            "Its file or folder",
            (),
            "that of the weights, or ours",
            at_import="folder",
        ),
        ModelOption("adapter", "Adapter", "A folder of adapters trained on these weights"),
        CACHE_OPTION,
    ),
)


def create(
    device: str = "auto",
    weights: str | Path | None = None,
    tokenizer: str | Path | None = None,
    adapter: str | Path | None = None,
    planes: Sequence[str] | str = ("axial",),
    fusion: str = "reliable",
    threshold: float | str = 0.1,
    step_mm: float | str = 10.0,
    cache_bytes: int | str = DEFAULT_CACHE_BYTES,
    propagation: str = "auto",
    window: str = AUTO,
    protocol: str = "own",
) -> MedicalSam3Segmenter:
    """Load Medical SAM3 with the stored weights, or those in the file or folder `weights`.

    Args:
        device: a name as in `system.device.choose_device`.
        weights: A file or folder of weights; None for the stored ones.
        tokenizer: The folder with tokenizer.json, or vocab.json and merges.txt, or the authors'
            bpe_simple_vocab_16e6.txt.gz, or that file; None for that of the weights, or else the
            shipped one. Nothing is downloaded.
        adapter: A folder of adapters from training with mode=lora on these weights.
        planes: Those of "axial", "coronal" and "sagittal" to segment, in turn; as text, separated
            by commas.
        fusion: The fusion of several planes: "reliable", "regions", "mean" or "majority".
        threshold: Detections with a lower score, 0 to 1, are dropped; Medical SAM3 was evaluated at
            0.1.
        step_mm: With text only, the distance of the slices that are searched first; 0 searches
            every slice. The tracker starts at one of them, within a box, too.
        cache_bytes: The memory limit of the slices' features, about 10 MB each; text is accepted
            too.
        propagation: From slice to slice by "boxes" around masks, or by SAM3's "tracker", which also
            takes clicks; "auto" uses the tracker if the weights include it; "none" searches every
            slice with the text alone, word by word.
        window: "auto", that of MedSAM; or the name of a window or LEVEL,WIDTH.
        protocol: "paper" for the protocol by which Medical SAM3 was evaluated: propagation "none",
            the threshold 0.1, the best object of each axial slice; "own" for the other options.

    Raises:
        ModelError: If an option has no such value.
        DeviceError: If the device is not available.
        WeightsError: If weights, a tokenizer or adapters are missing, altered or of another
            network.
    """
    from ...system.device import choose_device
    from . import lora as medical_sam3_lora
    from . import weights as medical_sam3_weights
    from .torch_runtime import TorchSam3Runtime
    from .tracker import sam3_tracker
    from .tracker_weights import load_tracker

    if protocol not in PROTOCOLS:
        raise ModelError(f"There is no protocol '{protocol}'; choose from {', '.join(PROTOCOLS)}.")
    if protocol == "paper":
        _check_paper(propagation=propagation, threshold=threshold, planes=planes)
        propagation = "none"
    chosen = choose_device(device)
    names = [n.strip() for n in planes.split(",")] if isinstance(planes, str) else list(planes)
    budget = check_options(PUBLISHED_SIZE, fusion, names, cache_bytes)
    least = _number("threshold", threshold, 0.0, 1.0)
    step = _number("step_mm", step_mm, 0.0, 1000.0)
    if propagation not in PROPAGATIONS:
        raise ModelError(
            f"There is no propagation {with_suggestion(propagation, PROPAGATIONS)}; choose "
            f"from {', '.join(PROPAGATIONS)}."
        )
    shown = chosen_window(window)
    path = medical_sam3_weights.find_weights_file(
        store.find(CARD.name) if weights is None else Path(weights)
    )
    # What is missing is said before gigabytes are read.
    text: Any = medical_sam3_weights.config_beside(path).text_config
    given = None if tokenizer is None else Path(tokenizer)
    phrases = PhraseTokenizer(
        tokenizer_for(path, text.vocab_size, given),
        text.max_position_embeddings,
        is_exact=propagation == "none",
    )
    if adapter is not None:
        medical_sam3_lora.check_base(Path(adapter), own_sha256(path))
    checkpoint = medical_sam3_weights.read_checkpoint(path)
    network = medical_sam3_weights.load_detector(checkpoint, path)
    tracker = None
    if propagation not in ("boxes", "none") and has_tracker(checkpoint):
        tracker = sam3_tracker(
            load_tracker(checkpoint, network.config, path), chosen, CARD.name, path
        )
    elif propagation == "tracker":
        raise WeightsError(
            f"{path} contains no tracker; give {WITH_TRACKER}, or leave out propagation=tracker."
        )
    del checkpoint
    if adapter is not None:
        network = medical_sam3_lora.merged(network, Path(adapter), own_sha256(path))
    runtime = TorchSam3Runtime(network, phrases, chosen, CARD.name, path)
    spreads = propagation != "none"
    return MedicalSam3Segmenter(
        CARD, runtime, fusion, names, least, step, budget, tracker, shown, propagates=spreads
    )


def said_by(weights: Path) -> frozenset[str]:
    """The options that need not be asked for: a tokenizer beside the weights is taken."""
    return frozenset({"tokenizer"} if files_in(_folder_of(weights)) else ())


def completed(weights: Path, options: Mapping[str, str]) -> dict[str, str]:
    """The options for an import, with the tokenizer beside the weights if no other is named.

    Raises:
        MissingPartError: If there is no tokenizer at the place that is named.
    """
    given = options.get("tokenizer")
    if given is None:
        beside = {"tokenizer": str(_folder_of(weights))} if said_by(weights) else {}
        return {**options, **beside}
    if not Path(given).is_file() and not files_in(Path(given)):
        raise MissingPartError(
            f"There is no tokenizer in {given}; give the folder that has tokenizer.json, or "
            "vocab.json and merges.txt, or SAM3's own bpe_simple_vocab_16e6.txt.gz."
        )
    return dict(options)


def keep_beside(weights: Path, options: Mapping[str, str]) -> dict[str, str]:
    """Copy the tokenizer beside imported weights; returns the other options.

    Raises:
        OutputError: If it cannot be copied.
    """
    if "tokenizer" in options:
        copy_tokenizer(Path(options["tokenizer"]), weights)
    return {name: value for name, value in options.items() if name != "tokenizer"}


def _folder_of(weights: Path) -> Path:
    return weights if weights.is_dir() else weights.parent


def card_with(options: Mapping[str, Any]) -> ModelCard:
    """The card with options of `create`, before anything is loaded."""
    is_paper = options.get("protocol") == "paper" or options.get("propagation") == "none"
    return text_alone(CARD) if is_paper else CARD


def _check_paper(**given: Any) -> None:
    """ModelError for an option that contradicts the published protocol."""
    own = {"propagation": "auto"}
    for name, value in given.items():
        known = (str(_PAPER[name]), str(own.get(name)), "axial" if name == "planes" else "")
        if str(value) not in known:
            raise ModelError(
                f"protocol=paper has its own {name}, but {name} is '{value}'; leave out one of "
                "them."
            )


def _number(name: str, value: float | str, least: float, most: float) -> float:
    """A number that may be text; ModelError if it is not a number or out of range."""
    try:
        number = float(value)
    except ValueError as error:
        raise ModelError(f"The option {name} is '{value}'; give a number.") from error
    if not least <= number <= most:
        raise ModelError(f"The option {name} is {value}; give {least:g} to {most:g}.")
    return number
