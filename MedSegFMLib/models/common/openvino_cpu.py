"""OpenVINO as the runtimes use it: on the CPU and without telemetry."""

from __future__ import annotations

import sys
from functools import cache
from typing import Any, Literal

from ...system.threads import thread_count

Precision = Literal["f32", "bf16"]


def settings(precision: Precision) -> dict[str, Any]:
    """Settings to compile a graph with: low latency, in the given precision.

    The number of threads is that of `system.threads`.
    """
    return {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": precision,
        "INFERENCE_NUM_THREADS": thread_count(),
    }


@cache
def core() -> Any:
    """The single OpenVINO core of this process.

    Each new core gives the main thread a signal stack, and restores the previous stack when it is
    destroyed. If there are two, the first to be destroyed leaves the freed stack of the other in
    place, and the next signal, such as Ctrl-C, ends the process.
    """
    return quiet_openvino().Core()


def quiet_openvino() -> Any:
    """The package, imported without the telemetry message it sends at each import."""
    telemetry = "openvino_telemetry"
    if "openvino" in sys.modules or telemetry in sys.modules:
        import openvino
    else:
        # As if the telemetry package were not installed, a case that OpenVINO supports.
        sys.modules[telemetry] = None  # type: ignore[assignment]
        try:
            import openvino
        finally:
            del sys.modules[telemetry]
    return openvino
