"""The Dockerfile copies all that its installation needs, and installs what can be started.

A workflow on GitHub builds the image and runs the demo in it; here its instructions are read, and
what they copy is installed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]


def instructions() -> list[tuple[str, str]]:
    """(name, rest) of each instruction of the Dockerfile, with continued lines joined."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(name, rest.strip()) for name, _, rest in (line.partition(" ") for line in lines)]


def of(name: str) -> list[str]:
    return [rest for each, rest in instructions() if each == name]


def test_the_dockerfile_has_instructions_that_docker_knows() -> None:
    known = {"ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "FROM", "RUN", "USER", "VOLUME", "WORKDIR"}
    assert {name for name, _ in instructions()} <= known
    assert instructions()[0][0] == "FROM"
    minor = int(re.match(r"python:3\.(\d+)-slim", of("FROM")[0])[1])  # type: ignore[index]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert minor >= int(project["requires-python"].rpartition(".")[2])
    workflow = yaml.safe_load((ROOT / ".github/workflows/test.yml").read_text(encoding="utf-8"))
    assert f"3.{minor}" in workflow["jobs"]["light"]["strategy"]["matrix"]["python"]


def test_the_image_is_run_by_no_administrator_and_starts_the_command_line() -> None:
    assert of("USER") == ["1000"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    entry = re.findall(r'"([^"]+)"', of("ENTRYPOINT")[0])
    assert len(entry) == 1 and entry[0] in project["scripts"]


def test_what_the_image_copies_is_enough_to_install_and_start(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "installed"
    allowed = [
        line.removeprefix("!")
        for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if line.startswith("!")
    ]
    for copied in of("COPY"):
        *names, place = copied.split()
        for name in names:
            assert any(fnmatch(name, pattern) for pattern in allowed), f"{name} is ignored"
            path = source / place / ("" if (ROOT / name).is_dir() else Path(name).name)
            path.parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / name).is_dir():
                ignore = shutil.ignore_patterns("__pycache__")
                shutil.copytree(ROOT / name, path, ignore=ignore)
            else:
                shutil.copy(ROOT / name, path)
    command = re.search(r"pip install (.*?) &&", of("RUN")[0])
    assert command is not None and '".${EXTRAS}"' in command[1]
    constraints = re.search(r"--constraint (\S+)", command[1])
    assert constraints is not None and (source / constraints[1]).is_file()
    # Dependencies are at hand; those of the light installation are tested by a workflow.
    words = ["-m", "pip", "install", "--quiet", "--no-deps", "--target", target, "."]
    subprocess.run([sys.executable, *words], cwd=source, check=True)
    done = subprocess.run(
        [sys.executable, target / "bin" / of("ENTRYPOINT")[0].strip('[]"'), "models"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(target), "MEDSEGFM_WEIGHTS": str(tmp_path / "w")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "ensam" in done.stdout


@pytest.mark.parametrize("extra", re.findall(r'"\[(\w+)\]"', (ROOT / "Dockerfile").read_text()))
def test_an_extra_that_the_dockerfile_names_exists(extra: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert extra in project["optional-dependencies"]
