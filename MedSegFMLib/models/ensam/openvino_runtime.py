"""ENSAM's graphs in OpenVINO."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...segmenter import Logits
from ..common.openvino_cpu import Precision, core, quiet_openvino, settings
from . import graph_runtime
from .graph_runtime import GraphRuntime
from .network.config import EnsamConfig
from .network.graphs import FEATURES, IMAGE, IMAGE_TURNS, PREVIOUS, TOKEN_AXIS, Graphs


class OpenVinoGraph:
    """A `Graph` whose weights become constants before OpenVINO compiles it.

    Args:
        file: The graph.
        precision: The precision of its numbers.
    """

    def __init__(self, file: Path, precision: Precision) -> None:
        self._precision = precision
        self._model = core().read_model(file)
        self._request: Any = None
        self.inputs: Mapping[str, Sequence[Any]] = {
            node.output(0).any_name: [
                None if side.is_dynamic else side.get_length() for side in node.partial_shape
            ]
            for node in self._model.get_parameters()
        }

    def prepare(self, weights: Mapping[str, Logits], config: EnsamConfig) -> None:
        """See `Graph.prepare`."""
        openvino = quiet_openvino()
        for node in self._model.get_parameters():
            array = weights.get(node.output(0).any_name)
            if array is not None:
                node.output(0).replace(openvino.op.Constant(array).output(0))
                self._model.remove_parameter(node)
        self._model.reshape(_shapes(self._model, config))
        compiled = core().compile_model(self._model, "CPU", settings(self._precision))
        self._request = compiled.create_infer_request()

    def run(self, data: Mapping[str, Any], outputs: Sequence[str]) -> Mapping[str, Logits]:
        """See `Graph.run`."""
        answer = self._request.infer(dict(data), share_inputs=True)
        return {name: answer[name] for name in outputs}


def load(path: Path, precision: Precision = "f32", files: Graphs | None = None) -> GraphRuntime:
    """Load weights; see `graph_runtime.load`.

    Args:
        path: The weights.
        precision: bf16 is faster on processors that support it, and less exact.
        files: The graphs; None for the shipped ones.
    """
    return graph_runtime.load(path, lambda file: OpenVinoGraph(file, precision), files)


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
