"""Imports point one way (DESIGN.md), and importing the library is light."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LIBRARY = ROOT / "MedSegFMLib"

# A module may import from its own layer's module, and from all layers before it.
LAYERS = [
    {"errors", "progress"},
    {"atomic", "byte_cache", "masks", "nearest", "region"},
    {"geometry"},
    {"volume", "volume_io", "header_checks", "dicom"},
    {"prompts"},
    {"prompt_voxels", "prompt_list", "challenge_files"},
    {"prompt_json", "prompt_history"},
    {"segmenter"},
    {
        "prompt_region",
        "device",
        "contest",
        "planes",
        "weights",
        "pooling",
        "intensities",
        "resampling",
        "cases",
        "peak_memory",
    },
    {
        "registry",
        "networks",
        "randomwalk",
        "planar",
        "session",
        "simulate",
        "metrics",
        "consensus",
        "slice_drawing",
        "synthesis",
    },
    {"models", "preview"},
    {"consistency"},
    {"train", "evaluate", "worker"},
    {"mrml", "cli", "commands"},
    {"browser"},
]
# Layers whose modules know one another: reading a volume needs its parts.
OPEN_LAYERS = [{"volume", "volume_io", "header_checks", "dicom"}, {"cli", "commands"}]

FILES = sorted(LIBRARY.rglob("*.py"))


def module_of(path: Path) -> str:
    return path.relative_to(LIBRARY).parts[0].removesuffix(".py")


def imported_modules(path: Path) -> set[str]:
    """The modules of the library that a file imports anywhere, by the name of their layer entry."""
    package = ["MedSegFMLib", *path.relative_to(LIBRARY).parts[:-1]]
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1] + (node.module or "").split(".")
            base = [part for part in base if part]
            names = [[*base, alias.name] for alias in node.names] if len(base) == 1 else [base]
            found |= {name[1] for name in names if len(name) > 1}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {"absolute" for _ in [0] if node.module.split(".")[0] == "MedSegFMLib"}
        elif isinstance(node, ast.Import):
            found |= {"absolute" for a in node.names if a.name.split(".")[0] == "MedSegFMLib"}
    return found - {"__version__"}


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(LIBRARY)))
def test_imports_point_one_way(path: Path) -> None:
    own = module_of(path)
    if own in ("__init__", "__main__"):
        return
    level = next(n for n, layer in enumerate(LAYERS) if own in layer)
    allowed = {own}.union(*LAYERS[:level], *(layer for layer in OPEN_LAYERS if own in layer))
    assert imported_modules(path) <= allowed, f"{path.name} is in layer {level}"


def test_every_module_has_a_layer() -> None:
    layered = set().union(*LAYERS)
    assert {module_of(path) for path in FILES} - {"__init__", "__main__"} <= layered


def test_only_the_slicer_module_imports_qt() -> None:
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            assert not {"qt", "ctk", "PySide6"} & set(names), path


@pytest.mark.parametrize(
    "command",
    [
        ["-c", "import MedSegFMLib"],
        ["-c", "from MedSegFMLib.cli import main; main(['segment', '--help'])"],
        ["-m", "MedSegFMLib", "--help"],
    ],
)
def test_starting_needs_numpy_alone(command: list[str]) -> None:
    heavy = ("torch", "SimpleITK", "scipy", "matplotlib", "rich", "jinja2", "surface_distance")
    blocked = f"import sys; sys.modules.update(dict.fromkeys({heavy!r}))\n"
    if command[0] == "-m":
        code = blocked + "import runpy; sys.argv = ['medsegfm', '--help']\n"
        code += "runpy.run_module('MedSegFMLib', run_name='__main__')"
    else:
        code = blocked + command[1]
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
