"""The commands of Docs/first-hour.md and the pictures that it shows; run to draw them anew."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "Docs/first-hour.md"
PICTURES = ROOT / "Resources/FirstHour"


def commands() -> list[list[str]]:
    """The words of each `medsegfm` command of the page, in their order."""
    blocks = re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    return [shlex.split(line)[1:] for line in lines if line.startswith("medsegfm ")]


def shown_pictures() -> list[str]:
    """The names of the pictures that the page shows."""
    return re.findall(r"\]\(\.\./Resources/FirstHour/([^)]+)\)", PAGE.read_text(encoding="utf-8"))


def drawn_picture(name: str, folder: Path) -> Path:
    """The picture of that name that the commands drew in a folder."""
    return next(folder.rglob(name))


def _draw_anew() -> None:
    from MedSegFMLib.cli import main

    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for words in commands():
            if main(words):
                sys.exit(f"This command of the page failed: {' '.join(words)}")
        PICTURES.mkdir(exist_ok=True)
        for name in shown_pictures():
            shutil.copy(drawn_picture(name, Path(folder)), PICTURES / name)
        os.chdir(before)


if __name__ == "__main__":
    _draw_anew()
