"""ENSAM's graphs in ONNX Runtime, for computers on which OpenVINO cannot be installed.

It is slower than OpenVINO, but has wheels for every system and numpy that Slicer runs with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from ...segmenter import Logits
from ...system.threads import thread_count
from . import graph_runtime
from .graph_runtime import GraphRuntime
from .network.config import EnsamConfig
from .network.graphs import Graphs

_ERRORS_ONLY = 3


class OnnxGraph:
    """A `Graph` whose weights stay inputs, which costs no more than constants.

    Args:
        file: The graph.
    """

    def __init__(self, file: Path) -> None:
        session = _library().InferenceSession
        self._session = session(str(file), _options(), providers=["CPUExecutionProvider"])
        self._weights: Mapping[str, Logits] = {}
        self.inputs: Mapping[str, Sequence[Any]] = {
            port.name: port.shape for port in self._session.get_inputs()
        }

    def prepare(self, weights: Mapping[str, Logits], config: EnsamConfig) -> None:
        """See `Graph.prepare`."""
        self._weights = {name: array for name, array in weights.items() if name in self.inputs}

    def run(self, data: Mapping[str, Any], outputs: Sequence[str]) -> Mapping[str, Logits]:
        """See `Graph.run`.

        Raises:
            RuntimeError: As OpenVINO and torch do.
        """
        from onnxruntime.capi.onnxruntime_pybind11_state import Fail, RuntimeException

        try:
            answers = self._session.run(list(outputs), {**self._weights, **data})
        except (Fail, RuntimeException) as error:
            raise RuntimeError(str(error)) from error
        return dict(zip(outputs, answers, strict=True))


def load(path: Path, files: Graphs | None = None) -> GraphRuntime:
    """Load weights; see `graph_runtime.load`."""
    return graph_runtime.load(path, OnnxGraph, files)


@cache
def _library() -> Any:
    """The package, with the events switched off that it reports to Windows."""
    import onnxruntime

    onnxruntime.disable_telemetry_events()
    return onnxruntime


def _options() -> Any:
    """Options of a session; the number of threads is that of `system.threads`."""
    options = _library().SessionOptions()
    options.intra_op_num_threads = thread_count()
    options.log_severity_level = _ERRORS_ONLY
    return options
