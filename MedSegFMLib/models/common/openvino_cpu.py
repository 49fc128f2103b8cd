"""OpenVINO as our runtimes use it: on the CPU, and without reporting to its makers."""

from __future__ import annotations

import os
import sys
from functools import cache
from typing import Any, Literal

Precision = Literal["f32", "bf16"]


def settings(precision: Precision) -> dict[str, Any]:
    """How to compile a graph: for one answer at a time, in this arithmetic.

    It takes as many threads as OMP_NUM_THREADS says, as torch does; else OpenVINO decides.
    """
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    return {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": precision,
        "INFERENCE_NUM_THREADS": int(wanted) if wanted.isdecimal() else 0,
    }


@cache
def core() -> Any:
    """The one core of this process.

    Each core that is made gives the main thread a stack for signals, and puts the one from before
    in its place when it goes. Of two, the first to go leaves the other's behind freed, and the next
    signal, such as Ctrl-C, ends the process.
    """
    return quiet_openvino().Core()


def quiet_openvino() -> Any:
    """The package, imported without the message that it sends to its makers at each import."""
    reporter = "openvino_telemetry"
    if "openvino" in sys.modules or reporter in sys.modules:
        import openvino
    else:
        # As if the reporting package were not installed, which OpenVINO provides for.
        sys.modules[reporter] = None  # type: ignore[assignment]
        try:
            import openvino
        finally:
            del sys.modules[reporter]
    return openvino
