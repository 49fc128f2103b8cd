"""Export ENSAM's graphs: `python -m MedSegFMLib.models.ensam.network.export [FOLDER]`.

For developers who change the network; running the graphs needs neither torch nor onnx.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.func import functional_call

from ....errors import ModelError
from ....progress import no_progress
from ....system.atomic_files import write_bytes
from .config import BOX_END, BOX_START, STRIDE, EnsamConfig
from .graphs import (
    BLOCKS,
    FEATURES,
    IMAGE,
    IMAGE_TURNS,
    KINDS,
    LOGITS,
    MEETS,
    POSITIONS,
    PREVIOUS,
    PROMPT_TURNS,
    TOKEN_AXIS,
    Graphs,
    graphs,
)
from .network import Ensam, EnsamPrompts

# The configuration of the shipped weights.
SHIPPED = EnsamConfig(skip="concat", positions="rope", dense_prompts=True)

_ENCODES = ("encoder.",)
# Rotations are computed outside the graphs: torch's matrix exponential has no ONNX counterpart.
_OUTSIDE = ".positions."


class _Encode(nn.Module):
    def __init__(self, network: Ensam) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> list[Tensor]:
        levels: list[Tensor] = self.network.encoder(image - 0.5, no_progress)
        return levels


class _Decode(nn.Module):
    """axis: the rotations' axis of tokens; the image's rotations have three instead, k, j and i."""

    def __init__(self, network: Ensam, axis: int) -> None:
        super().__init__()
        self.network = network
        self.axis = axis

    def forward(
        self,
        features: list[Tensor],
        kinds: Tensor,
        positions_kji: Tensor,
        prompt_turns: list[Tensor],
        image_turns: list[Tensor],
        previous_logits: Tensor,
        meets: Tensor,
    ) -> Tensor:
        prompts = EnsamPrompts(kinds, positions_kji)
        *skips, embedding = features
        finer, embedding = self.network.add_dense_prompts(
            skips, embedding, prompts, previous_logits
        )
        alone = self.network.image_tokens(embedding)
        flat = [turn.flatten(self.axis, self.axis + 2) for turn in image_turns]
        attended = self.network.attend_prompts(alone, kinds, prompt_turns, flat)
        image = torch.where(meets, attended, alone)
        return self.network.logits(image, embedding, finer, no_progress)


class _WithWeights(nn.Module):
    """A module whose weights are its first argument, by name."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        # In a list, so that torch does not register the weights as this module's own.
        self._modules_called = [module]

    def forward(self, weights: Mapping[str, Tensor], *arguments: object) -> object:
        named = {f"network.{name}": tensor for name, tensor in weights.items()}
        return functional_call(self._modules_called[0], named, arguments)


def export(config: EnsamConfig, folder: Path) -> Graphs:
    """Write both graphs of a configuration, for cubes of any multiple of 8 cells from 16 on.

    Raises:
        ModelError: The network processes voxels or has another width or depth than the paper's; the
            graphs are cubes of cells, and their inputs are those of two interaction blocks.
    """
    plain = EnsamConfig()
    if config.native or (config.width, config.depth) != (plain.width, plain.depth):
        raise ModelError(
            f"A network with native={config.native}, width={config.width} and depth={config.depth} "
            "has no graph; run it in torch."
        )
    network = Ensam(replace(config, cells=4 * STRIDE)).eval().requires_grad_(False)
    state = {name: t for name, t in network.state_dict().items() if _OUTSIDE not in name}
    files = graphs(config, folder)
    folder.mkdir(parents=True, exist_ok=True)
    coarse = torch.export.Dim("coarse", min=2, max=64)

    def cube(times: int) -> dict[int, object]:
        return dict.fromkeys((2, 3, 4), times * coarse if times > 1 else coarse)

    image = torch.rand(1, 1, *3 * (network.config.cells,))
    weights = {name: t for name, t in state.items() if name.startswith(_ENCODES)}
    arguments: tuple[object, ...] = (image,)
    _write(_Encode(network), files.encoder, weights, arguments, (cube(8),), [IMAGE], FEATURES)

    tokens = torch.export.Dim("tokens", min=1, max=1024)
    kinds = torch.tensor([[BOX_START, BOX_END, 2]])
    positions = torch.rand(1, 3, 3) * network.config.cells
    features = network.encode(image)
    scaled = positions * features.scale_kji
    blocks = [network.interactions[block].positions for block in range(BLOCKS)]
    turns = [block(scaled) for block in blocks]
    axis = TOKEN_AXIS[config.positions]
    weights = {name: t for name, t in state.items() if not name.startswith(_ENCODES)}
    arguments = (
        [*features.skips, features.embedding],
        kinds,
        positions,
        turns,
        [turn.unflatten(axis, features.embedding.shape[2:]) for turn in features.rotations],
        torch.rand_like(image),
        torch.tensor(True),
    )
    dynamic: tuple[object, ...] = (
        [cube(8), cube(4), cube(2), cube(1)],
        {1: tokens},
        {1: tokens},
        [{axis: tokens}] * BLOCKS,
        [{axis + n: coarse for n in range(3)}] * BLOCKS,
        cube(8),
        {},
    )
    names = [*FEATURES, KINDS, POSITIONS, *PROMPT_TURNS, *IMAGE_TURNS, PREVIOUS, MEETS]
    _write(_Decode(network, axis), files.decoder, weights, arguments, dynamic, names, (LOGITS,))
    return files


def _write(
    module: nn.Module,
    path: Path,
    weights: dict[str, Tensor],
    arguments: tuple[object, ...],
    shapes: tuple[object, ...],
    inputs: list[str],
    outputs: tuple[str, ...],
) -> None:
    with warnings.catch_warnings():
        # Raised for each axis that shares its name with another one, as intended.
        warnings.filterwarnings("ignore", message="# The axis name")
        program = torch.onnx.export(
            _WithWeights(module).eval(),
            (weights, *arguments),
            dynamo=True,
            verbose=False,
            dynamic_shapes=({name: {} for name in weights}, shapes),
            input_names=[*weights, *inputs],
            output_names=list(outputs),
        )
    model = program.model_proto
    # The source location of each step takes nine tenths of the file.
    for part in (model, model.graph, *model.graph.node, *model.graph.input, *model.graph.output):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    model.graph.ClearField("value_info")
    write_bytes(path, model.SerializeToString(deterministic=True))


if __name__ == "__main__":
    where = Path(sys.argv[1]) if sys.argv[1:] else graphs(SHIPPED).encoder.parent
    print(export(SHIPPED, where))
