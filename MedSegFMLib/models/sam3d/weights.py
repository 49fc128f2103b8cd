"""SAM3D's decoder as a file: what training here wrote, or a checkpoint as published.

Ours is safetensors, whose metadata tell all that segmenting needs. The published trainer, made of
nnU-Net's, keeps the state dict beside that of its optimiser, and tells neither the classes' names
nor the size of its patches.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import ModelError, WeightsError
from ...weights.layout import check_layout
from ...weights.safetensors_header import read_header
from ...weights.saving import save_tensors
from ...weights.torch_file import is_safetensors
from ..common.state_dict import read_state_dict
from ..sam.network.config import PATCH
from .config import infer_config

if TYPE_CHECKING:
    from .network import Sam3dDecoder

FORMAT = "medsegfm.sam3d"
_VERSION = "1"

# nnU-Net's first version, its second, and other scripts, in the order in which they may nest.
_HOLDERS = ("state_dict", "network_weights", "model")
# What torch puts before each name where several GPUs trained.
_PARALLEL = "module."

_ADVICE = "give a decoder that 'medsegfm train sam3d' or SAM3D's own trainer wrote"

# Below this a patch is a single place for the network, over which nothing can be normalised.
SMALLEST_PATCH = 2 * PATCH


@dataclass(frozen=True)
class Sam3dFacts:
    """What a decoder was trained for.

    classes: their names, without background, in the order of the outputs.
    patch, depth: pixels of a side, and slices, of what it sees at a time.
    base_sha256: of the SAM whose features it was trained on; None where nobody said.
    """

    classes: tuple[str, ...]
    patch: int
    depth: int
    base_sha256: str | None = None

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
        known = [name.strip().casefold() for name in self.classes]
        twice = sorted({name for name in known if known.count(name) > 1})
        if twice:
            raise ModelError(f"Two classes are called {twice[0]}; give each its own name.")


def save(
    decoder: Sam3dDecoder, facts: Sam3dFacts, path: Path, data: Sequence[Mapping[str, Any]] = ()
) -> None:
    """Write a decoder and its facts, whole or not at all; OutputError where that fails.

    data: what it was trained on, a record for each volume.
    """
    metadata = {
        "format": FORMAT,
        "version": _VERSION,
        "facts": json.dumps(asdict(facts)),
        "data": json.dumps(list(data)),
    }
    save_tensors(path, decoder.state_dict(), metadata)


def load(path: Path) -> Sam3dDecoder:
    """The decoder of a file, on the CPU, in evaluation mode, float32.

    Its SHA-256 is for the caller to check first. Raises WeightsError where the file is missing,
    truncated, of another network, or holds anything but tensors.
    """
    from .network import decoder_on_meta

    state = read_state_dict(path, _HOLDERS, _ADVICE)
    state = {name.removeprefix(_PARALLEL): tensor for name, tensor in state.items()}
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    config = infer_config(shapes)
    if config is None:
        raise WeightsError(f"{path} holds no decoder of SAM3D; {_ADVICE}.")
    decoder = decoder_on_meta(config)
    expected = {name: tuple(tensor.shape) for name, tensor in decoder.state_dict().items()}
    check_layout(shapes, expected, path, "SAM3D's decoder", _ADVICE)
    decoder.load_state_dict({n: t.float() for n, t in state.items()}, assign=True)
    decoder.requires_grad_(False)
    return decoder


def read_facts(path: Path) -> Sam3dFacts | None:
    """What a file says of itself; None where it was not written by training here.

    Raises WeightsError where the file is missing or damaged, or of another network of ours.
    """
    if not is_safetensors(path):
        return None
    metadata = read_header(path).metadata
    if "format" not in metadata or metadata["format"] == "pt":
        return None
    found = (metadata["format"], metadata.get("version"))
    if found != (FORMAT, _VERSION):
        raise WeightsError(
            f"{path} holds {found[0]} {found[1] or ''}, not {FORMAT} {_VERSION}; {_ADVICE}."
        )
    try:
        told = json.loads(metadata["facts"])
        return Sam3dFacts(**{**told, "classes": tuple(told["classes"])})
    except (ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"{path} says what nobody can read ({error}); {_ADVICE}.") from error
