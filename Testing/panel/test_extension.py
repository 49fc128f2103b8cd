"""The extension as Slicer's build system and the Extensions Index see it."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = Path("lib/Slicer-5.12/qt-scripted-modules")


def files_below(folder: Path) -> set[Path]:
    """The files of a folder that belong to it, relative to its parent."""
    found = (p.relative_to(folder.parent) for p in folder.rglob("*") if p.is_file())
    return {p for p in found if "__pycache__" not in p.parts and p.suffix != ".pyc"}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Where the extension is installed from a build of a copy of the tree, and what CMake said."""
    folder = tmp_path_factory.mktemp("extension")
    source, build, prefix = (folder / name for name in ("source", "build", "installed"))
    ignore = shutil.ignore_patterns("__pycache__")
    for name in ("MedSegFM", "MedSegFMLib"):
        shutil.copytree(ROOT / name, source / name, ignore=ignore)
    shutil.copy(ROOT / "CMakeLists.txt", source)
    cmake = [sys.executable, "-m", "cmake"]
    said = ""
    for words in (
        ["-S", source, "-B", build, f"-DSlicer_DIR={ROOT / 'Testing/support/host/cmake'}"],
        ["--build", build],
        ["--install", build, "--prefix", prefix],
    ):
        done = subprocess.run([*cmake, *words], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr + done.stdout
        said += done.stdout
    return prefix / MODULES, said


def test_every_file_of_module_and_library_is_installed(installed: tuple[Path, str]) -> None:
    modules, _ = installed
    there = {p.relative_to(modules) for p in modules.rglob("*") if p.is_file()}
    wanted = files_below(ROOT / "MedSegFMLib")
    wanted |= {p.relative_to("MedSegFM") for p in files_below(ROOT / "MedSegFM")}
    wanted.discard(Path("CMakeLists.txt"))
    assert there == wanted


def test_the_installed_library_finds_its_models_weights_and_graphs(
    installed: tuple[Path, str], tmp_path: Path
) -> None:
    code = (
        "import MedSegFMLib, MedSegFMPanel\n"
        "from MedSegFMLib import cards\n"
        "from MedSegFMLib.weights.catalogue import entries\n"
        "from pathlib import Path\n"
        "print([card.name for card in cards()], sorted(entries()))\n"
        "print(sorted(p.name for p in Path(MedSegFMLib.__file__).parent.rglob('*.onnx')))\n"
        "print(MedSegFMLib.__file__)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(installed[0])},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "'ensam', 'randomwalk'" in done.stdout and str(installed[0]) in done.stdout
    assert [p.name for p in sorted(ROOT.rglob("MedSegFMLib/**/*.onnx"))] == eval(
        done.stdout.splitlines()[1]
    )


def test_the_module_opens_from_the_install_tree(
    installed: tuple[Path, str], tmp_path: Path
) -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT / 'Testing/support')!r})\n"
        "from host import application\n"
        "from pathlib import Path\n"
        "application.start()\n"
        f"module = application.load_module(Path({str(installed[0])!r}) / 'MedSegFM.py')\n"
        "widget = application.open_panel(module)\n"
        "import MedSegFMLib; print(MedSegFMLib.__file__)\n"
        "widget.cleanup()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert str(installed[0]) in done.stdout


def test_the_self_test_is_registered_with_ctest(installed: tuple[Path, str]) -> None:
    build = installed[0].parents[3] / "build"
    words = [Path(sys.executable).with_name("ctest"), "--test-dir", build, "-N"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert "py_MedSegFM.py" in done.stdout


def test_the_extension_says_what_the_index_asks(installed: tuple[Path, str]) -> None:
    said = dict(re.findall(r"EXTENSION_(\w+)=(.*)", installed[1]))
    assert set(said) == {
        "HOMEPAGE",
        "CONTRIBUTORS",
        "DESCRIPTION",
        "ICONURL",
        "SCREENSHOTURLS",
        "DEPENDS",
    }
    text = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    assert "cmake_minimum_required(VERSION 3.28.0...3.28.0 FATAL_ERROR)" in text
    assert "project(MedSegFM)" in text
    for url in (said["HOMEPAGE"], said["ICONURL"], *said["SCREENSHOTURLS"].split()):
        assert url.startswith("https://") and "$" not in url
        name = url.rpartition("/main/")[2]
        assert "/main/" not in url or (ROOT / name).is_file(), name


def test_the_catalogue_entry_follows_its_schema() -> None:
    raw = (ROOT / "MedSegFM.json").read_bytes()
    assert b"\r" not in raw and raw.endswith(b"\n")
    entry = json.loads(raw)
    assert entry["$schema"].endswith("schema-v1.0.2.json#")
    assert entry["category"] == "Segmentation" and entry["tier"] in (1, 3, 5)
    depends = re.search(
        r'EXTENSION_DEPENDS "([^"]*)"', (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    )
    assert depends is not None and entry["build_dependencies"] == depends[1].split()
    assert entry["scm_url"].endswith("/SlicerMedSegFM.git")


def test_the_icons_are_128_pixels_square() -> None:
    for path in ("Resources/Icons/MedSegFM.png", "MedSegFM/Resources/Icons/MedSegFM.png"):
        header = (ROOT / path).read_bytes()[:24]
        assert struct.unpack(">II", header[16:24]) == (128, 128)


def test_screenshots_stay_small() -> None:
    sizes = [p.stat().st_size for p in (ROOT / "Resources/Screenshots").glob("*.png")]
    assert sum(sizes) <= 2_000_000


def test_the_light_requirements_are_those_of_the_library_beyond_slicers_own() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    text = (ROOT / "MedSegFM/Resources/requirements.txt").read_text(encoding="utf-8")
    light = {line for line in text.splitlines() if line and not line.startswith("#")}
    ours = {
        line
        for line in project["dependencies"]
        if re.split(r"[>=<]", line)[0].lower() not in {"numpy", "scipy", "simpleitk"}
    }
    assert light == ours


def test_the_light_requirements_replace_nothing_of_slicers() -> None:
    for name in ("requirements.txt", "requirements-models.txt"):
        lines = (ROOT / "MedSegFM/Resources" / name).read_text(encoding="utf-8").splitlines()
        wanted = [line for line in lines if line and not line.startswith("#")]
        assert wanted and all(">=" in line and "==" not in line for line in wanted)
        names = {re.split(r"[>=<]", line)[0].lower() for line in wanted}
        assert not names & {"numpy", "simpleitk", "requests", "torch"}


# What the Extensions Index lets modules import at file scope, and our own packages.
ALLOWED = {"slicer", "vtk", "vtkmodules", "qt", "ctk", "SimpleITK", "numpy", "scipy"}
ALLOWED |= {"MedSegFM", "MedSegFMLib", "MedSegFMPanel", "__future__"} | sys.stdlib_module_names
# Slicer's own, for effects of its Segment Editor.
ALLOWED |= {"SegmentEditorEffects"}
# In a plugin of Slicer's module of this name, which that module's presence precedes.
ALLOWED |= {"SegmentStatistics"}
# What only network code imports there: see Docs/publishing.md.
NETWORK_CODE = {"torch", "segment_anything", "nnunetv2", "acvl_utils", "voxtell"}
NETWORK_CODE |= {"medim", "monai", "transformers"}


def imports_at_file_scope(path: Path) -> set[str]:
    """The packages that importing a file imports."""
    found: set[str] = set()
    waiting: list[ast.AST] = list(ast.parse(path.read_text(encoding="utf-8")).body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            waiting += node.orelse
        elif isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add((node.module or "").partition(".")[0])
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for part in ("body", "orelse", "finalbody", "handlers"):
                waiting += getattr(node, part, [])
    return found


def test_the_module_imports_nothing_at_file_scope_that_a_fresh_slicer_lacks() -> None:
    for path in (ROOT / "MedSegFM").rglob("*.py"):
        assert imports_at_file_scope(path) <= ALLOWED, path


def test_only_network_code_of_the_library_imports_torch_at_file_scope() -> None:
    for path in (ROOT / "MedSegFMLib").rglob("*.py"):
        parts = path.relative_to(ROOT / "MedSegFMLib").parts
        if parts[0] == "browser":
            # The server of the page is no part of the module.
            assert imports_at_file_scope(path) - ALLOWED <= {"PIL", "aiohttp", "trame_slicer"}, path
            continue
        named = "network" in parts or path.stem == "network" or path.stem.startswith("torch_")
        is_network_code = named or parts[0] in ("train", "synthesis")
        others = imports_at_file_scope(path) - ALLOWED
        assert others <= (NETWORK_CODE if is_network_code else set()), path


def test_contributors_are_the_same_in_cmake_and_in_the_module() -> None:
    cmake = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    (listed,) = re.findall(r'EXTENSION_CONTRIBUTORS "(.*)"', cmake)
    module = (ROOT / "MedSegFM/MedSegFM.py").read_text(encoding="utf-8")
    (people,) = re.findall(r"parent\.contributors = \[(.*?)\]", module, re.DOTALL)
    assert re.findall(r'"(.*?)"', people) == re.split(r",\s+(?![^(]*\))", listed)


def test_the_evidence_for_each_rule_is_there() -> None:
    text = (ROOT / "Docs/publishing.md").read_text(encoding="utf-8")
    table = text.partition("## What a reviewer checks")[2].partition("\n## ")[0]
    rows = [line.split("|")[1:4] for line in table.splitlines() if line.startswith("| ")][1:]
    assert len(rows) >= 16
    for rule, place, test in rows:
        named = re.findall(r"`([\w./]+)`", test)
        assert named, rule
        for path in named + re.findall(r"`([\w./]+)`", place):
            assert (ROOT / path).exists(), path


def test_a_clone_stays_small() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("this is no clone of the repository")
    files = [ROOT / name for name in listed.stdout.split("\0") if name]
    assert sum(path.stat().st_size for path in files if path.is_file()) < 60e6
    assert (ROOT / "LICENSE").is_file()


def test_the_readme_has_what_the_index_asks() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    module = text.partition("## In 3D Slicer")[2].partition("\n## ")[0]
    assert re.search(r"!\[.*\]\(Resources/Screenshots/[\w-]+\.png\)", text)
    for words in ("The module **MedSegFM**", "CT, MR", "organs", "*MedSegFMAbdomenCT*", "*Sample*"):
        assert words in module, words
    assert "arXiv" in text and "Apache-2.0" in text and "## Licence and citation" in text


def test_help_category_and_acknowledgement_are_given() -> None:
    text = (ROOT / "MedSegFM/MedSegFM.py").read_text(encoding="utf-8")
    assert 'translate("qSlicerAbstractCoreModule", "Segmentation")' in text
    for name in ("helpText", "acknowledgementText"):
        assert re.search(rf"parent\.{name} = _\(", text), name
    cmake = (ROOT / "MedSegFM/CMakeLists.txt").read_text(encoding="utf-8")
    assert "WITH_GENERIC_TESTS" in cmake
