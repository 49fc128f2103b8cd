"""ENSAM's network in OpenVINO on the CPU, without torch.

The graphs are shipped, the weights come from any file of the same configuration: each weight is an
input of the graph that is replaced by a constant before OpenVINO compiles it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...progress import Progress
from ...segmenter import Logits
from ...system.foreign_errors import check_finite_output, loading_errors, predicting_errors
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

# An unused token, for graphs that need at least one.
_PLACEHOLDER = NetworkPrompts(np.array([BOX_END]), np.zeros((1, 3), np.float32))


class OpenVinoFeatures(Features):
    """The decoder's image inputs by name, and the scale of positions."""

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
        """The network's configuration."""
        return self._config

    def encode(
        self, image: Logits, spacing_kji_mm: Sequence[float], progress: Progress
    ) -> OpenVinoFeatures:
        """See `Runtime.encode`; the image is a cube of the configuration's cells.

        Raises:
            DeviceError: If memory runs out.
        """
        progress(0.0, "Encoding the image")
        cells = self._config.cells
        lengths = np.array(spacing_kji_mm if self._config.millimetres else (1, 1, 1), np.float32)
        scale = lengths / (lengths * np.float32(cells)).max()
        with predicting_errors("ensam"):
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
        """See `Runtime.decode`.

        Raises:
            DeviceError: If memory runs out.
        """
        assert isinstance(features, OpenVinoFeatures), (
            "features return to the runtime that made them"
        )
        progress(0.0, "Predicting the mask")
        tokens = prompts if len(prompts.kinds) else _PLACEHOLDER
        if previous_logits is None:
            previous_logits = np.zeros((self._config.cells,) * 3, np.float32)
        scaled_positions = tokens.positions_kji * features.scale_kji
        with predicting_errors("ensam"):
            inputs: dict[str, Any] = {
                **features.inputs,
                KINDS: tokens.kinds[None],
                POSITIONS: tokens.positions_kji[None],
                PREVIOUS: previous_logits[None, None],
                MEETS: np.array(len(prompts.kinds) > 0),
            }
            for name, positions in zip(PROMPT_TURNS, self._positions, strict=True):
                inputs[name] = positions.of_prompts(scaled_positions)
            # The graph lacks the inputs that its configuration does not use.
            inputs = {name: inputs[name] for name in self._takes}
            logits: Logits = self._decoder.infer(inputs, share_inputs=True)[LOGITS][0, 0]
        check_finite_output(logits, "ensam")
        progress(1.0, "Predicting the mask")
        return logits


def load(path: Path, precision: Precision = "f32", files: Graphs | None = None) -> OpenVinoRuntime:
    """Load weights written by `weights.save` into the shipped graphs, or into `files`.

    Args:
        path: The weights.
        precision: bf16 is faster on processors that support it, and less exact.
        files: The graphs; None for the shipped ones.

    Raises:
        WeightsError: If the weights are missing, truncated or of another network.
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
    with loading_errors("ensam", path, "get the weights again"):
        for model in models:
            _fill(model, arrays, openvino)
            model.reshape(_shapes(model, config))
            compiled.append(core().compile_model(model, "CPU", settings(precision)))
    positions = [Positions(config.positions, block, arrays) for block in range(BLOCKS)]
    return OpenVinoRuntime(config, compiled[0], compiled[1], positions)


def _fill(model: Any, arrays: Mapping[str, Logits], openvino: Any) -> None:
    """Replace the inputs that have the names of weights by constants."""
    for node in model.get_parameters():
        array = arrays.get(node.output(0).any_name)
        if array is not None:
            node.output(0).replace(openvino.op.Constant(array).output(0))
            model.remove_parameter(node)


def _shapes(model: Any, config: EnsamConfig) -> dict[str, list[int]]:
    """The shapes of the remaining inputs of a graph, fixed except for the number of tokens."""
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
