"""pyproject.toml is the one home of packages and versions: what repeats them agrees with it.

Slicer's requirements.txt is compared with it in Testing/panel/test_extension.py.
"""

from __future__ import annotations

import re
import tomllib
from importlib import import_module
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import MedSegFMLib
from MedSegFMLib import cards
from MedSegFMLib.registry import DISTRIBUTIONS
from MedSegFMLib.tasks.environment import machine
from MedSegFMLib.train.registry import RECIPES

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LIGHT, EXTRAS = PROJECT["dependencies"], PROJECT["optional-dependencies"]

# Of the extra "models", what Slicer does not install by pip: the first two come through the
# extension PyTorch, and nothing there shows TensorBoard's log or writes OpenVINO's graphs anew.
NOT_IN_SLICER = {"torch", "torchvision", "tensorboard", "onnx", "onnxscript"}
# Extras of single models, which the extra "models" does not contain.
OF_ONE_MODEL = [
    line
    for extra in ("nninteractive", "nninteractive-client", "sam-med3d", "voxtell")
    for line in EXTRAS[extra]
]


def names(lines: list[str]) -> set[str]:
    """The packages of requirement lines, normalised."""
    return {canonicalize_name(Requirement(line).name) for line in lines}


def lines_of(path: str) -> list[str]:
    """The lines of a requirements file that are no comments."""
    lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def test_slicer_gets_the_extra_models_but_for_what_it_has_no_use_for() -> None:
    wanted = [line for line in EXTRAS["models"] if Requirement(line).name not in NOT_IN_SLICER]
    assert lines_of("MedSegFM/Resources/requirements-models.txt") == [*wanted, *OF_ONE_MODEL]
    assert names(EXTRAS["models"]) >= NOT_IN_SLICER


@pytest.mark.parametrize(
    ("owner", "imported"),
    [
        *((card.name, card.packages) for card in cards()),
        *((c.name, o.packages) for c in cards() for o in c.options if o.packages),
        *((recipe, import_module(module).PACKAGES) for recipe, module in RECIPES.items()),
    ],
)
def test_what_a_model_or_recipe_imports_comes_with_the_light_installation_or_models(
    owner: str, imported: tuple[str, ...]
) -> None:
    installed = {canonicalize_name(DISTRIBUTIONS.get(name, name)) for name in imported}
    assert installed <= names([*LIGHT, *EXTRAS["models"], *OF_ONE_MODEL]), owner


def test_a_report_names_the_versions_of_all_that_models_run_on() -> None:
    listed = machine()["versions"].keys() - {"medsegfm", "Python"}
    lines = [*LIGHT, *EXTRAS["models"], *OF_ONE_MODEL, *EXTRAS["cluster"]]
    spelled = {Requirement(line).name for line in lines}
    assert listed <= spelled
    needed = {DISTRIBUTIONS.get(name, name) for card in cards() for name in card.packages}
    assert {canonicalize_name(name) for name in needed} <= {canonicalize_name(n) for n in listed}


def test_every_package_has_one_pinned_version_that_pyproject_allows() -> None:
    pins = [Requirement(line) for line in lines_of("tools/constraints.txt")]
    assert all(re.fullmatch(r"==[^*+,]+", str(pin.specifier)) for pin in pins)
    versions = {pin.name: str(pin.specifier).removeprefix("==") for pin in pins}
    assert len(versions) == len(pins) and list(versions) == sorted(versions)
    for line in [*LIGHT, *(line for extra in EXTRAS.values() for line in extra)]:
        wanted = Requirement(line)
        assert versions[canonicalize_name(wanted.name)] in wanted.specifier, line


def test_the_version_is_the_same_in_library_citation_and_changelog() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == MedSegFMLib.__version__
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    latest = re.search(r"^## (\d\S+) - (\S+)$", changelog, re.MULTILINE)
    assert latest is not None
    assert latest.groups() == (citation["version"], str(citation["date-released"]))
