"""The Tab key in a real bash completes commands, options, names and files."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import refused, run

ROOT = Path(__file__).resolve().parents[2]

# What bash does at Tab: it calls the function that `complete` names, which fills COMPREPLY.
SCRIPT = r"""
eval "$(medsegfm completion bash)"
COMP_LINE=$1 COMP_POINT=${#1} COMP_TYPE=9 COMP_KEY=9
read -r -a COMP_WORDS <<< "$1"
case $1 in *" ") COMP_WORDS+=("") ;; esac
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
handler=$(complete -p medsegfm | sed 's/.*-F \([^ ]*\).*/\1/')
"$handler" medsegfm "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def bin_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the program as pip installs it."""
    program = tmp_path_factory.mktemp("bin") / "medsegfm"
    lines = [f"#!{sys.executable}", "import sys", "from MedSegFMLib.cli import main"]
    program.write_text("\n".join([*lines, "sys.exit(main())"]), encoding="utf-8")
    program.chmod(0o755)
    return program.parent


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("medsegfm seg", "segment"),
        ("medsegfm segment ct.nii.gz --con", "--consistency"),
        ("medsegfm segment ct.nii.gz --model rand", "randomwalk"),
        ("medsegfm train cross", "crossplane"),
        ("medsegfm weights fe", "fetch"),
        ("medsegfm view ct.ni", "ct.nii.gz"),
    ],
)
def test_tab_completes_in_bash(typed: str, expected: str, bin_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "ct.nii.gz").touch()
    path = f"{bin_folder}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "--norc", "-c", SCRIPT, "bash", typed],
        cwd=tmp_path,
        env={**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert expected in [word.strip() for word in done.stdout.splitlines()], done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_a_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("completion", shell) == 0
    assert "medsegfm" in capsys.readouterr().out


def test_a_list_of_models_is_completed_at_its_end() -> None:
    from MedSegFMLib.commands.completion import _NAMES, _completer

    completions = _completer(_NAMES["models"])("ensam,ra")
    assert "ensam,randomwalk" in completions and "ensam" not in completions


def test_without_argcomplete_the_way_to_it_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("MedSegFMLib.commands.completion.find_spec", lambda _: None)
    assert 'pip install ".[completion]"' in refused(capsys, "completion", "bash")
