"""The extension as Slicer's build system and the Extensions Index see it."""

from __future__ import annotations

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
    assert sum(sizes) <= 1_500_000


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
