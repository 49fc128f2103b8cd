"""Imports point one way, folder by folder, and importing the library is light.

- ORDER lists what lies in a folder, lowest first: a file or folder imports only what comes before
  its own entry in the list, and itself.
- TIES lists which other model families a family may use, beside what all of them share.
- A module needs torch at import time (torch itself, or a package built on it) only in `train`, in
  `synthesis`, in a file or folder called `network`, or in a file called `torch_*`. Even there a
  recipe, its settings, a registry, a configuration and a package itself load without it.
- A folder holds at most 25 Python files, the library's own at most 8.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LIBRARY = ROOT / "MedSegFMLib"
FILES = sorted(LIBRARY.rglob("*.py"))

# What the entries of one line import of each other is nothing.
ORDER: dict[str, list[set[str]]] = {
    "": [
        {"errors", "progress"},
        {"system"},
        {"volumes"},
        {"prompts"},
        {"segmenter"},
        {"datasets", "session", "synthesis", "weights"},
        {"registry"},
        {"model_choice"},
        {"metrics", "models", "simulate"},
        {"consistency"},
        {"results"},
        {"drawing", "tasks"},
        {"batch", "evaluate", "train", "worker"},
        {"mrml"},
        {"browser"},
        {"commands"},
        {"cli"},
    ],
    "synthesis": [{"phantom", "scene"}, {"fields"}, {"random"}, {"recorded"}],
    "train": [
        {"agreement", "checkpoint", "counters", "distributed", "labelled_volumes", "log", "losses"},
        {"batch_tensors", "precision", "settings_checks", "settings_text", "stopping"},
        {"schedule", "throughput"},
        {"task"},
        {"recipes", "registry", "run_log", "state", "step"},
        {"inputs"},
        {"loop", "search"},
        {"run"},
        {"planner"},
    ],
    "train.recipes": [
        {"crossplane", "ensam", "medical_sam3", "sam3d"},
        {"consistent"},
        {"consistent_sam3d"},
    ],
    "evaluate": [
        {"conversion_notes", "phrasings", "records"},
        {"protocol"},
        {"instances"},
        {"challenge_answer", "conversion", "protocols", "results"},
        {"report", "run"},
    ],
    "mrml": [
        {"nodes", "updates"},
        {"segments"},
        {"requests", "scene_state", "training"},
        {"autosave", "prompts"},
        {"workspace"},
        {"places", "replacing"},
        {"consistency"},
        {"answers", "interaction"},
        {"answer_limits", "questions", "scene_follower", "segment_choice"},
        {"image_choice", "objects", "saved_work"},
        {"logic"},
        {"comparison", "recovery", "results", "segment_editor_link"},
        {"words"},
        {"installing", "review"},
    ],
}

SHARED_BY_MODELS = {"class_based", "common", "planar"}
# The cross-plane adapter and MedSAM are in the family of SAM.
TIES = {
    "ensam": {"randomwalk"},
    "medical_sam3": {"sam"},
    "medsam2": {"sam"},
    # Its plans are those of nnU-Net.
    "nninteractive": {"nnunet"},
    "sam3d": {"sam"},
    # Its plans and windows are those of nnU-Net.
    "voxtell": {"nnunet"},
    # Its words are those of CLIP, too.
    "segvol": {"medical_sam3", "sam"},
}

TORCH = {"accelerate", "monai", "nnunetv2", "peft", "segment_anything", "torch", "torchvision"}
TORCH |= {"medim", "nnInteractive", "transformers", "voxtell", "acvl_utils"}
LIGHT = {"__init__", "config", "recipe", "registry", "settings"}


def parts_of(path: Path) -> tuple[str, ...]:
    """A module's place in the library: ("train", "loop"); a package's is its folder's."""
    parts = path.relative_to(LIBRARY).with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" else parts


MODULES = {parts_of(path): path for path in FILES}


def imports_in(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that run when a module is imported, those in an `if` or a `try` included."""
    for node in body:
        if isinstance(node, ast.If):
            only_typing = "TYPE_CHECKING" in ast.unparse(node.test)
            yield from imports_in(node.orelse if only_typing else node.body + node.orelse)
        elif isinstance(node, ast.Try):
            yield from imports_in(node.body + node.orelse)
        else:
            yield node


def targets_of(path: Path, nodes: Iterator[ast.AST]) -> set[tuple[str, ...]]:
    """The modules of the library that relative imports lead to."""
    package = path.relative_to(LIBRARY).parts[:-1]
    found = set()
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            base += tuple(node.module.split(".")) if node.module else ()
            for alias in node.names:
                found.add(next(p for p in ((*base, alias.name), base) if p in MODULES))
    return found


@cache
def imported(path: Path) -> set[tuple[str, ...]]:
    """The modules of the library that a file imports anywhere."""
    return targets_of(path, ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


@cache
def loaded(path: Path) -> set[tuple[str, ...]]:
    """The modules of the library that are loaded with a file, their packages included."""
    body = imports_in(ast.parse(path.read_text(encoding="utf-8")).body)
    found = targets_of(path, body) | {parts_of(path)}
    return {parts[:n] for parts in found for n in range(len(parts) + 1)} - {parts_of(path)}


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(LIBRARY)))
def test_imports_point_one_way(path: Path) -> None:
    own = parts_of(path)
    for folder, layers in ORDER.items():
        place = tuple(folder.split(".")) if folder else ()
        depth = len(place)
        if own[:depth] != place or own in (place, ("__main__",)):
            continue
        level = next(n for n, layer in enumerate(layers) if own[depth] in layer)
        allowed = {own[depth]}.union(*layers[:level])
        below = {t[depth] for t in imported(path) if t[:depth] == place and len(t) > depth}
        assert below <= allowed, f"{own[depth]} is entry {level} of {folder or 'the library'}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(LIBRARY)))
def test_model_families_are_apart(path: Path) -> None:
    own = parts_of(path)
    if own[0:1] != ("models",) or len(own) < 2:
        return
    used = {t[1] for t in imported(path) if t[0:1] == ("models",) and len(t) > 1}
    shared = set() if own[1] in SHARED_BY_MODELS else SHARED_BY_MODELS
    assert used <= {own[1]} | shared | TIES.get(own[1], set())


def test_every_file_and_folder_has_its_place_in_the_order() -> None:
    for folder, layers in ORDER.items():
        place = tuple(folder.split(".")) if folder else ()
        named = {parts[len(place)] for parts in MODULES if parts[: len(place)] == place != parts}
        assert named - {"__main__"} == set().union(*layers), folder


def test_the_library_imports_itself_relatively() -> None:
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not any(name.split(".")[0] == "MedSegFMLib" for name in names), path


def needs_torch() -> set[tuple[str, ...]]:
    """The modules that torch or a package built on it is loaded with."""
    found = set()
    for parts, path in MODULES.items():
        for node in imports_in(ast.parse(path.read_text(encoding="utf-8")).body):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            if {name.split(".")[0] for name in names} & TORCH:
                found.add(parts)
    before = None
    while before != found:
        before = set(found)
        found |= {parts for parts, path in MODULES.items() if loaded(path) & before}
    return found


def test_the_name_of_a_module_tells_whether_it_needs_torch() -> None:
    for parts in needs_torch():
        stem = MODULES[parts].stem
        is_heavy = parts[0] in ("synthesis", "train") or "network" in parts
        assert (is_heavy or stem.startswith("torch_")) and stem not in LIGHT, ".".join(parts)


def test_folders_stay_small() -> None:
    for folder in {path.parent for path in FILES}:
        most = 8 if folder == LIBRARY else 25
        assert len(list(folder.glob("*.py"))) <= most, folder


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
    heavy += ("pydicom", "imagecodecs", "nibabel", "highdicom")
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
