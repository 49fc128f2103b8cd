"""ENSAM's network as two graphs on the CPU, without torch; a library of one's choice runs them.

The graphs are shipped, the weights come from any file of the same configuration: each weight is an
input of the graph.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ...progress import Progress
from ...segmenter import Logits
from ...system.foreign_errors import check_finite_output, loading_errors, predicting_errors
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
    Graphs,
    graphs,
)
from .runtime import Features, NetworkPrompts
from .weights import read_arrays, read_config

# The inputs that are not weights.
_DATA = {IMAGE, *FEATURES, KINDS, POSITIONS, *PROMPT_TURNS, *IMAGE_TURNS, PREVIOUS, MEETS}

# An unused token, for graphs that need at least one.
_PLACEHOLDER = NetworkPrompts(np.array([BOX_END]), np.zeros((1, 3), np.float32))


class Graph(Protocol):
    """A graph that a library has read.

    Attributes:
        inputs: The shape of each input by name; sizes that are not fixed are not whole numbers.
    """

    inputs: Mapping[str, Sequence[Any]]

    def prepare(self, weights: Mapping[str, Logits], config: EnsamConfig) -> None:
        """Get ready to run with these weights, of which the graph takes some."""

    def run(self, data: Mapping[str, Any], outputs: Sequence[str]) -> Mapping[str, Logits]:
        """The outputs of a prepared graph, which later runs do not change."""


class GraphFeatures(Features):
    """The decoder's image inputs by name, and the scale of positions."""

    def __init__(self, inputs: Mapping[str, Logits], scale_kji: Logits) -> None:
        super().__init__(sum(array.nbytes for array in inputs.values()))
        self.inputs = inputs
        self.scale_kji = scale_kji


class GraphRuntime:
    """The `Runtime` around two prepared graphs; for one thread at a time."""

    def __init__(
        self, config: EnsamConfig, encoder: Graph, decoder: Graph, positions: Sequence[Positions]
    ) -> None:
        self._config = config
        self._encoder = encoder
        self._decoder = decoder
        self._positions = positions

    @property
    def config(self) -> EnsamConfig:
        """The network's configuration."""
        return self._config

    def encode(
        self, image: Logits, spacing_kji_mm: Sequence[float], progress: Progress
    ) -> GraphFeatures:
        """See `Runtime.encode`; the image is a cube of the configuration's cells.

        Raises:
            DeviceError: If memory runs out.
        """
        progress(0.0, "Encoding the image")
        cells = self._config.cells
        lengths = np.array(spacing_kji_mm if self._config.millimetres else (1, 1, 1), np.float32)
        scale = lengths / (lengths * np.float32(cells)).max()
        with predicting_errors("ensam"):
            inputs = dict(self._encoder.run({IMAGE: image[None, None]}, FEATURES))
            for name, positions in zip(IMAGE_TURNS, self._positions, strict=True):
                inputs[name] = positions.of_image(cells, scale)
        progress(1.0, "Encoding the image")
        return GraphFeatures(inputs, scale)

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
        assert isinstance(features, GraphFeatures), "features return to the runtime that made them"
        progress(0.0, "Predicting the mask")
        tokens = prompts if len(prompts.kinds) else _PLACEHOLDER
        if previous_logits is None:
            previous_logits = np.zeros((self._config.cells,) * 3, np.float32)
        scaled_positions = tokens.positions_kji * features.scale_kji
        with predicting_errors("ensam"):
            data: dict[str, Any] = {
                **features.inputs,
                KINDS: tokens.kinds[None],
                POSITIONS: tokens.positions_kji[None],
                PREVIOUS: previous_logits[None, None],
                MEETS: np.array(len(prompts.kinds) > 0),
            }
            for name, positions in zip(PROMPT_TURNS, self._positions, strict=True):
                data[name] = positions.of_prompts(scaled_positions)
            # The graph lacks the inputs that its configuration does not use.
            taken = {name: array for name, array in data.items() if name in self._decoder.inputs}
            logits: Logits = self._decoder.run(taken, (LOGITS,))[LOGITS][0, 0]
        check_finite_output(logits, "ensam")
        progress(1.0, "Predicting the mask")
        return logits


def load(path: Path, read: Callable[[Path], Graph], files: Graphs | None = None) -> GraphRuntime:
    """Load weights written by `weights.save` into the shipped graphs, or into `files`.

    Args:
        path: The weights.
        read: Reads the file of a graph.
        files: The graphs; None for the shipped ones.

    Raises:
        WeightsError: If the weights are missing, truncated or of another network.
    """
    config = read_config(path)
    files = files or graphs(config)
    encoder, decoder = read(files.encoder), read(files.decoder)
    shapes = dict(parameter(config.positions, block) for block in range(BLOCKS))
    for graph in (encoder, decoder):
        shapes |= {name: tuple(s) for name, s in graph.inputs.items() if name not in _DATA}
    arrays = read_arrays(path, shapes)
    with loading_errors("ensam", path, "get the weights again"):
        encoder.prepare(arrays, config)
        decoder.prepare(arrays, config)
    positions = [Positions(config.positions, block, arrays) for block in range(BLOCKS)]
    return GraphRuntime(config, encoder, decoder, positions)
