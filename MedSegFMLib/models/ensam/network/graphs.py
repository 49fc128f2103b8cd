"""Paths, inputs and outputs of ENSAM's graphs, which `export` makes from torch.

A graph is the network as ONNX whose weights are inputs of their own, under the names of the state
dict, so that one small file serves all weights of a configuration: trained, random or fine-tuned.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .config import EnsamConfig, PositionKind

BLOCKS = 2

# Encoder: an image (1, 1, n, n, n) in 0 to 1, n a multiple of 8, to the features of each level.
IMAGE = "image"
FEATURES = ("skip0", "skip1", "skip2", "embedding")

# Decoder: those features and what follows, to logits.
KINDS = "kinds"  # (1, n) int64, at least one
POSITIONS = "positions_kji"  # (1, n, 3) in cells
PROMPT_TURNS = tuple(f"prompt_turn{block}" for block in range(BLOCKS))
IMAGE_TURNS = tuple(f"image_turn{block}" for block in range(BLOCKS))
PREVIOUS = "previous_logits"  # (1, 1, n, n, n), zeros if there are none
MEETS = "meets"  # bool, whether the image attends to the tokens; false without prompts
LOGITS = "logits"

# The token axis of the rotations. The image's rotations have three axes in its place, k, j and i.
TOKEN_AXIS: dict[PositionKind, int] = {"liere": 1, "rope": 3, "absolute": 2}

_FOLDER = Path(__file__).with_name("graphs")


@dataclass(frozen=True)
class Graphs:
    """The files of one configuration; the encoder is the same for all of one width and depth."""

    encoder: Path
    decoder: Path

    @property
    def are_shipped(self) -> bool:
        """Whether both files are shipped."""
        return self.encoder.is_file() and self.decoder.is_file()


def graphs(config: EnsamConfig, folder: Path = _FOLDER) -> Graphs:
    """The files of a configuration, which need not exist."""
    prompts = "dense" if config.dense_prompts else "sparse"
    # Configurations of earlier versions keep their names.
    size = _marked(config, "native", "width", "depth")
    steps = _marked(config, "activation", "alpha", "attention")
    name = f"ensam-decoder-{config.skip}-{config.positions}-{prompts}{steps}{size}.onnx"
    return Graphs(folder / f"ensam-encoder{size}.onnx", folder / name)


def _marked(config: EnsamConfig, *names: str) -> str:
    """The fields of a configuration that differ from the defaults, for a file name."""
    marks = []
    for name in names:
        value = getattr(config, name)
        if value != getattr(EnsamConfig, name):
            marks.append(f"-{name}{'' if value is True else value}")
    return "".join(marks)
