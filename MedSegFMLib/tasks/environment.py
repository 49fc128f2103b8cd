"""Hardware and versions of a machine, for reports."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from .. import __version__
from ..system.threads import usable_cores

# The packages that scores depend on: the library, numerics, and what models run on.
_PACKAGES = (
    "numpy",
    "scipy",
    "SimpleITK",
    "surface-distance",
    "onnxruntime",
    "openvino",
    "torch",
    "torchvision",
    "monai",
    "scikit-image",
    "transformers",
    "segment-anything",
    "peft",
    "safetensors",
    "nnunetv2",
    "nninteractive",
    "nninteractive-client",
    "medim",
    "voxtell",
    "ray",
)
_CPU_INFO = Path("/proc/cpuinfo")


def machine() -> dict[str, Any]:
    """Describe the versions and the hardware of this machine, without its name, for JSON.

    Returns:
        "versions" of installed packages, "system", "cpu", "cores" that this process may use,
        "all_cores", "memory_gb" and "gpus"; these are 0 and empty if the system does not report
        them.
    """
    return {
        "versions": {"medsegfm": __version__, "Python": platform.python_version(), **_installed()},
        "system": platform.platform(),
        "cpu": _cpu(),
        "cores": usable_cores(),
        "all_cores": os.cpu_count() or 1,
        "memory_gb": round(_memory_bytes() / 1e9, 1),
        "gpus": _gpus(),
    }


def _installed() -> dict[str, str]:
    versions = {}
    for name in _PACKAGES:
        with suppress(PackageNotFoundError):
            versions[name] = version(name)
    return versions


def _cpu() -> str:
    with suppress(OSError):
        for line in _CPU_INFO.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    if sys.platform == "darwin":
        return _said_by("sysctl", "-n", "machdep.cpu.brand_string") or platform.machine()
    return platform.processor() or platform.machine()


def _memory_bytes() -> int:
    with suppress(AttributeError, ValueError, OSError):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return 0


def _gpus() -> list[str]:
    """Name, memory and driver of each GPU, from the driver's program: torch need not load."""
    if sys.platform == "darwin" and platform.machine() == "arm64":
        # It is part of the processor and shares its memory.
        return [f"{_cpu()} (Metal)"]
    query = ("--query-gpu=name,memory.total,driver_version", "--format=csv,noheader")
    return [line.strip() for line in _said_by("nvidia-smi", *query).splitlines() if line.strip()]


def _said_by(program: str, *arguments: str) -> str:
    """The output of a program; empty if it does not exist or fails."""
    path = shutil.which(program)
    if path is None:
        return ""
    with suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(
            [path, *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=10,
            check=True,
        )
        return done.stdout.strip()
    return ""
