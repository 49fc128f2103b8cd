"""ENSAM's network run by OpenVINO on the CPU, without torch.

The graphs come with the package, the weights from any file of the same configuration: each weight
is an input of the graph, which becomes a constant before OpenVINO compiles it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...progress import Progress
from ...segmenter import Logits
from ...system.device import memory_errors
from ..common.openvino_cpu import Precision, core, quiet_openvino, settings
from .graph_positions import Positions, parameter
from .network.config import BOX_END, EnsamConfig
from .network.graphs import (
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
from .runtime import Features, NetworkPrompts
from .weights import read_arrays, read_config

_OF_DECODER = {*FEATURES, KINDS, POSITIONS, *PROMPT_TURNS, *IMAGE_TURNS, PREVIOUS, MEETS}

# A token that says nothing, for graphs that want at least one.
_NOTHING = NetworkPrompts(np.array([BOX_END]), np.zeros((1, 3), np.float32))


class OpenVinoFeatures(Features):
    """What the decoder takes of an image, by name, and the scale of positions."""

    def __init__(self, inputs: Mapping[str, Logits], scale_kji: Logits) -> None:
        super().__init__(sum(array.nbytes for array in inputs.values()))
        self.inputs = inputs
        self.scale_kji = scale_kji


class OpenVinoRuntime:
    """The `Runtime` around two compiled graphs; for one thread at a time."""

    def __init__(
        self, config: EnsamConfig, encoder: Any, decoder: Any, positions: Sequence[Positions]
    ) -> None:
        self._config = config
        self._encoder = encoder.create_infer_request()
        self._decoder = decoder.create_infer_request()
        self._takes = [port.any_name for port in decoder.inputs]
        self._positions = positions

    @property
    def config(self) -> EnsamConfig:
        """The network's choices."""
        return self._config

    def encode(
        self, image: Logits, spacing_kji_mm: Sequence[float], progress: Progress
    ) -> OpenVinoFeatures:
        """See `Runtime.encode`; the image is a cube of the configuration's cells.

        Raises DeviceError without memory.
        """
        progress(0.0, "Encoding the image")
        cells = self._config.cells
        lengths = np.array(spacing_kji_mm if self._config.millimetres else (1, 1, 1), np.float32)
        scale = lengths / (lengths * np.float32(cells)).max()
        with memory_errors("ensam"):
            answer = self._encoder.infer({IMAGE: image[None, None]}, share_inputs=True)
            inputs = {name: answer[name] for name in FEATURES}
            for name, positions in zip(IMAGE_TURNS, self._positions, strict=True):
                inputs[name] = positions.of_image(cells, scale)
        progress(1.0, "Encoding the image")
        return OpenVinoFeatures(inputs, scale)

    def decode(
        self,
        features: Features,
        prompts: NetworkPrompts,
        previous_logits: Logits | None,
        progress: Progress,
    ) -> Logits:
        """See `Runtime.decode`; raises DeviceError without memory."""
        assert isinstance(features, OpenVinoFeatures), (
            "features are given back where they came from"
        )
        progress(0.0, "Predicting the mask")
        said = prompts if len(prompts.kinds) else _NOTHING
        if previous_logits is None:
            previous_logits = np.zeros((self._config.cells,) * 3, np.float32)
        places = said.positions_kji * features.scale_kji
        with memory_errors("ensam"):
            inputs: dict[str, Any] = {
                **features.inputs,
                KINDS: said.kinds[None],
                POSITIONS: said.positions_kji[None],
                PREVIOUS: previous_logits[None, None],
                MEETS: np.array(len(prompts.kinds) > 0),
            }
            for name, positions in zip(PROMPT_TURNS, self._positions, strict=True):
                inputs[name] = positions.of_prompts(places)
            # Of an input that the configuration has no use for the graph has none either.
            inputs = {name: inputs[name] for name in self._takes}
            logits: Logits = self._decoder.infer(inputs, share_inputs=True)[LOGITS][0, 0]
        progress(1.0, "Predicting the mask")
        return logits


def load(path: Path, precision: Precision = "f32", files: Graphs | None = None) -> OpenVinoRuntime:
    """The network whose weights `weights.save` wrote, by the shipped graphs or by `files`.

    precision: of the arithmetic; bf16 is faster where the processor knows it, and less exact.

    Raises WeightsError where the weights are missing, truncated or of another network.
    """
    openvino = quiet_openvino()
    config = read_config(path)
    files = files or graphs(config)
    models = [core().read_model(file) for file in (files.encoder, files.decoder)]
    shapes = dict(parameter(config.positions, block) for block in range(BLOCKS))
    for model in models:
        for node in model.get_parameters():
            name = node.output(0).any_name
            if name != IMAGE and name not in _OF_DECODER:
                shapes[name] = tuple(node.partial_shape.to_shape())
    arrays = read_arrays(path, shapes)
    compiled = []
    with memory_errors("ensam"):
        for model in models:
            _fill(model, arrays, openvino)
            model.reshape(_shapes(model, config))
            compiled.append(core().compile_model(model, "CPU", settings(precision)))
    positions = [Positions(config.positions, block, arrays) for block in range(BLOCKS)]
    return OpenVinoRuntime(config, compiled[0], compiled[1], positions)


def _fill(model: Any, arrays: Mapping[str, Logits], openvino: Any) -> None:
    """Put the weights in the place of the inputs that bear their names."""
    for node in model.get_parameters():
        array = arrays.get(node.output(0).any_name)
        if array is not None:
            node.output(0).replace(openvino.op.Constant(array).output(0))
            model.remove_parameter(node)


def _shapes(model: Any, config: EnsamConfig) -> dict[str, list[int]]:
    """The shapes of what is left of a graph's inputs, all known but the number of tokens."""
    axis = TOKEN_AXIS[config.positions]
    first = {
        IMAGE: 2,
        PREVIOUS: 2,
        **dict.fromkeys(FEATURES, 2),
        **dict.fromkeys(IMAGE_TURNS, axis),
    }
    coarser = {"skip1": 2, "skip2": 4, "embedding": 8, **dict.fromkeys(IMAGE_TURNS, 8)}
    shapes = {}
    for node in model.get_parameters():
        name = node.output(0).any_name
        if name in first:
            sides = [-1 if side.is_dynamic else side.get_length() for side in node.partial_shape]
            start = first[name]
            sides[start : start + 3] = [config.cells // coarser.get(name, 1)] * 3
            shapes[name] = sides
    return shapes
