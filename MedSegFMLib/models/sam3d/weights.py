"""SAM3D's decoder as a file: from this project's training, or a published checkpoint.

This project's format is safetensors with all information for segmentation in its metadata. The
published trainer, derived from nnU-Net's, stores the state dict beside that of its optimiser,
without the class names and the patch size.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import ModelError, WeightsError
from ...system.json_files import parse_json
from ...weights.layout import check_layout
from ...weights.safetensors_header import read_header
from ...weights.saving import save_tensors
from ...weights.torch_file import is_safetensors
from ..common.state_dict import check_finite, read_state_dict
from ..sam.network.config import PATCH
from .config import infer_config

if TYPE_CHECKING:
    from .network import Sam3dDecoder

FORMAT = "medsegfm.sam3d"
_VERSION = "1"

# nnU-Net's first version, its second, and other scripts, in the order in which they may nest.
_HOLDERS = ("state_dict", "network_weights", "model")
# The prefix that torch adds to each name after training on several GPUs.
_PARALLEL = "module."

_ADVICE = "give a decoder that 'medsegfm train sam3d' or SAM3D's own trainer wrote"

# A smaller patch has a single position for the network, which cannot be normalised over.
SMALLEST_PATCH = 2 * PATCH


@dataclass(frozen=True)
class Sam3dFacts:
    """The description of a decoder's training.

    Attributes:
        classes: The class names, without background, in the order of the outputs.
        patch: The pixels of a patch's side.
        depth: The slices of a patch.
        base_sha256: The SHA-256 of the SAM whose features it was trained on; None if unknown.
        channels: The names of the images of a volume, in the order of the inputs; () for one image
            and if unknown.
    """

    classes: tuple[str, ...]
    patch: int
    depth: int
    base_sha256: str | None = None
    channels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.patch < SMALLEST_PATCH or self.patch % PATCH:
            raise ModelError(
                f"The patch is {self.patch} pixels wide; give a multiple of {PATCH} from "
                f"{SMALLEST_PATCH} on, such as 160."
            )
        if self.depth < 1:
            raise ModelError(f"The patch is {self.depth} slices deep; give 1 or more, such as 16.")
        if not self.classes or not all(name.strip() for name in self.classes):
            raise ModelError("A class has no name; give classes=liver,spleen, one name for each.")
        names = [name.strip().casefold() for name in self.classes]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ModelError(f"Two classes are called {twice[0]}; give each its own name.")


def save(
    decoder: Sam3dDecoder, facts: Sam3dFacts, path: Path, data: Sequence[Mapping[str, Any]] = ()
) -> None:
    """Write a decoder and its description, completely or not at all.

    Args:
        decoder: The decoder.
        facts: The description.
        path: The file to write.
        data: The training data, a record for each volume.

    Raises:
        OutputError: If the file cannot be written.
    """
    metadata = {
        "format": FORMAT,
        "version": _VERSION,
        "facts": json.dumps(asdict(facts)),
        "data": json.dumps(list(data)),
    }
    save_tensors(path, decoder.state_dict(), metadata)


def load(path: Path) -> Sam3dDecoder:
    """Load the decoder of a file, on the CPU, in evaluation mode, float32.

    The caller must check the file's SHA-256 first.

    Raises:
        WeightsError: If the file is missing, truncated, of another network, or contains anything
            but tensors.
    """
    from .network import decoder_on_meta

    state = read_state_dict(path, _HOLDERS, _ADVICE)
    state = {name.removeprefix(_PARALLEL): tensor for name, tensor in state.items()}
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    config = infer_config(shapes)
    if config is None:
        raise WeightsError(f"{path} does not contain a decoder of SAM3D; {_ADVICE}.")
    decoder = decoder_on_meta(config)
    expected = {name: tuple(tensor.shape) for name, tensor in decoder.state_dict().items()}
    check_layout(shapes, expected, path, "SAM3D's decoder", _ADVICE)
    check_finite(state, path)
    decoder.load_state_dict({n: t.float() for n, t in state.items()}, assign=True)
    decoder.requires_grad_(False)
    return decoder


def read_facts(path: Path) -> Sam3dFacts | None:
    """Read the description in a file; None if this project's training did not write it.

    Raises:
        WeightsError: If the file is missing or damaged, or of another network of this project.
    """
    if not is_safetensors(path):
        return None
    metadata = read_header(path).metadata
    if "format" not in metadata or metadata["format"] == "pt":
        return None
    file_format = (metadata["format"], metadata.get("version"))
    if file_format != (FORMAT, _VERSION):
        raise WeightsError(
            f"{path} holds {file_format[0]} {file_format[1] or ''}, not {FORMAT} {_VERSION}; "
            f"{_ADVICE}."
        )
    try:
        values = parse_json(metadata["facts"], dict)
        lists = {name: tuple(values.get(name, ())) for name in ("classes", "channels")}
        return Sam3dFacts(**{**values, **lists})
    except (ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"{path} has unreadable metadata ({error}); {_ADVICE}.") from error
