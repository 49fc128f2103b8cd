"""Messages and pages say in one way how a part of MedSegFM is installed."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from MedSegFMLib.system.installing import extra_command

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "Docs").glob("*.md"), ROOT / "Docs/volume-to-table.ipynb"]
# A version that must be the one of a server is installed from the index, where the client is.
OTHER = {"MedSegFMLib/models/nninteractive/remote.py", "MedSegFMLib/system/installing.py"}


def sources() -> dict[str, str]:
    files = (ROOT / "MedSegFMLib").rglob("*.py")
    return {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in files}


def test_messages_name_extras_by_the_one_function() -> None:
    assert [path for path, text in sources().items() if "pip install" in text] == sorted(
        OTHER, key=list(sources()).index
    )


def test_every_extra_that_a_message_names_exists() -> None:
    named = {
        e for text in sources().values() for e in re.findall(r"extra_command\(['\"]([\w-]+)", text)
    }
    assert named >= {"models", "zarr", "cluster", "completion"}
    assert named <= EXTRAS.keys()


def test_the_extras_of_models_exist() -> None:
    from MedSegFMLib.registry import _OWN_EXTRAS

    assert {extra for text in _OWN_EXTRAS.values() for extra in text.split(",")} <= EXTRAS.keys()


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_pages_install_from_the_sources_and_name_extras_that_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert "medsegfm[" not in text and not re.search(r"pip install '?\"?medsegfm\b", text)
    for extras in re.findall(r'pip install "?\.\[([^\]]+)\]', text):
        assert set(extras.split(",")) <= EXTRAS.keys()


def test_the_command_is_quoted_for_every_shell() -> None:
    assert extra_command("models").startswith('pip install ".[models]"')
