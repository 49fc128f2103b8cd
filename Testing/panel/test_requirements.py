"""Install's requirements exist for each system of Slicer, beside Slicer's own packages."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
_RUNTIMES = {"openvino", "onnxruntime"}

# Slicer 5.12 has numpy 2.4.6. Versions that the tests run with stand for those of the others.
_SLICERS_OWN = {"numpy": "2.4.6", "scipy": "", "simpleitk": "", "requests": ""}


@dataclass(frozen=True)
class System:
    """A system: the tags of its wheels, and what markers ask about it."""

    tags: tuple[str, ...]
    sys_platform: str
    platform_machine: str


SYSTEMS = {
    "Linux": System(
        (*(f"manylinux_2_{n}_x86_64" for n in range(5, 29)), "manylinux2014_x86_64",
         "manylinux2010_x86_64", "manylinux1_x86_64"),
        "linux",
        "x86_64",
    ),
    "Windows": System(("win_amd64",), "win32", "AMD64"),
    # Slicer 5.12 for macOS is of this kind, also on newer Macs.
    "macOS on Intel": System(("macosx_14_0_x86_64",), "darwin", "x86_64"),
    "macOS on ARM": System(("macosx_14_0_arm64",), "darwin", "arm64"),
}  # fmt: skip


def lines_of(path: str) -> list[Requirement]:
    lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def wanted_on(system: System) -> list[Requirement]:
    """The light requirements whose markers hold there."""
    known = {"sys_platform": system.sys_platform, "platform_machine": system.platform_machine}
    return [
        Requirement(str(requirement).split(";")[0])
        for requirement in lines_of("MedSegFM/Resources/requirements.txt")
        if requirement.marker is None or requirement.marker.evaluate(known)
    ]


def slicers_own() -> dict[str, str]:
    pins = {canonicalize_name(r.name): r for r in lines_of("tools/constraints.txt")}
    return {
        name: version or str(pins[canonicalize_name(name)].specifier).removeprefix("==")
        for name, version in _SLICERS_OWN.items()
    }


def resolved(system: System, wanted: list[Requirement], folder: Path) -> dict[str, str] | None:
    """The versions that pip would install beside Slicer's packages; None if that is impossible."""
    constraints, report = folder / "constraints.txt", folder / "report.json"
    pins = [f"{name}=={version}" for name, version in slicers_own().items()]
    constraints.write_text("\n".join(pins))
    words = [word for tag in system.tags for word in ("--platform", tag)]
    words += ["--python-version", "3.12", "--only-binary=:all:", "--target", str(folder / "none")]
    words += ["--dry-run", "--ignore-installed", "--quiet", "--disable-pip-version-check"]
    words += ["--constraint", str(constraints), "--report", str(report), *map(str, wanted)]
    command = [sys.executable, "-m", "pip", "install", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stderr)
        return None
    entries = json.loads(report.read_text(encoding="utf-8"))["install"]
    found = [entry["metadata"] for entry in entries]
    return {canonicalize_name(item["name"]): item["version"] for item in found}


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> None:
    """An index of packages that pip reaches."""
    folder = tmp_path_factory.mktemp("index")
    nothing_else = [Requirement("mdurl")]
    if resolved(SYSTEMS["Linux"], nothing_else, folder) is None:
        assert not os.environ.get("CI"), "pip reaches no index of packages"
        pytest.skip("pip reaches no index of packages")


@pytest.mark.parametrize("name", SYSTEMS)
def test_one_library_that_runs_networks_is_asked_for_on_each_system(name: str) -> None:
    names = {canonicalize_name(requirement.name) for requirement in wanted_on(SYSTEMS[name])}
    expected = "onnxruntime" if name == "macOS on Intel" else "openvino"
    assert names & _RUNTIMES == {expected}


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_light_requirements_can_be_installed_beside_slicers_own(
    system: str, index: None, tmp_path: Path
) -> None:
    wanted = wanted_on(SYSTEMS[system])
    found = resolved(SYSTEMS[system], wanted, tmp_path)
    assert found is not None, "pip finds no versions that leave Slicer's packages as they are"
    for requirement in wanted:
        assert found[canonicalize_name(requirement.name)] in requirement.specifier
    own = slicers_own()
    for name in own.keys() & found.keys():
        assert found[name] == own[name]


def test_a_requirement_that_would_change_slicers_numpy_is_noticed(
    index: None, tmp_path: Path
) -> None:
    older = [Requirement("numpy<2.4")]
    assert resolved(SYSTEMS["macOS on Intel"], older, tmp_path) is None
