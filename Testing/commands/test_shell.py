"""Prompts typed one after another: from a pipe, and at a terminal."""

from __future__ import annotations

import argparse
import io
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from command_line import run
from sample_volumes import make_blob
from waiting import GENEROUS_SECONDS

from MedSegFMLib import Box, Geometry, Point, Volume
from MedSegFMLib.commands.interactive.answerer import Answerer
from MedSegFMLib.commands.interactive.commands import run_words
from MedSegFMLib.commands.interactive.completion import completer
from MedSegFMLib.commands.interactive.context import Context, Quit
from MedSegFMLib.commands.interactive.conversation import Conversation
from MedSegFMLib.commands.interactive.lines import file_completions, words_of
from MedSegFMLib.errors import Cancelled, ModelError, OutputError, PromptError
from MedSegFMLib.progress import Progress, no_progress
from MedSegFMLib.prompts.prompt_list import PromptList
from MedSegFMLib.prompts.types import Scribble
from MedSegFMLib.registry import card, create
from MedSegFMLib.session.session import Session
from MedSegFMLib.volumes.images import Channels
from MedSegFMLib.volumes.segmentations.segmentation import Segmentation
from MedSegFMLib.worker.answer import make_answer
from MedSegFMLib.worker.events import Answer

ROOT = Path(__file__).resolve().parents[2]
GEOMETRY = Geometry.from_spacing((18, 22, 24), (0.9, 0.9, 2.1))


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    make_blob(GEOMETRY)[0].write(tmp_path / "ball.nrrd")
    return tmp_path / "ball.nrrd"


class Here:
    """The random walk in this process."""

    def __init__(self, volume: Volume) -> None:
        self._model = create("randomwalk")
        self._volume = volume
        self.classes: tuple[str, ...] = ()
        self.channels: Channels = 1
        self.notes: list[str] = []
        self.fails = False
        self.asked = 0

    def answer(self, prompts: PromptList, progress: Progress) -> Mapping[int, Answer]:
        self.asked += 1
        if self.fails:
            raise ModelError("It fails.")
        session = Session(self._model, self._volume)
        session.change(prompts)
        return {n: make_answer(p) for n, p in session.predict_all(progress).items()}


@pytest.fixture
def context(plain: Path) -> Context:
    volume = Volume.read(plain)
    talk = Conversation(volume, card("randomwalk"), Here(volume), PromptList())
    arguments = argparse.Namespace(volume=str(plain), frame=None, suv=False, series=None)
    return Context(talk, volume, arguments, {})


def typed(context: Context, *lines: str) -> None:
    for line in lines:
        run_words(context, words_of(line))


def piped(monkeypatch: pytest.MonkeyPatch, lines: str, *words: object) -> int:
    monkeypatch.setattr(sys, "stdin", io.StringIO(lines))
    return run("shell", *words, "--model", "randomwalk")


def test_a_script_gives_the_files_that_segment_gives(
    plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made, saved, look = (tmp_path / name for name in ("s.nrrd", "p.json", "look.png"))
    lines = f"""
        # A comment, and an empty line.

        object liver
        box 4,4,3 12 18 15
        object spleen
        point 15 10 8
        view {look}
        save {made}
        save {saved}
    """
    assert piped(monkeypatch, lines, plain) == 0
    captured = capsys.readouterr()
    assert "medsegfm>" not in captured.out and "changed" in captured.out
    assert look.read_bytes().startswith(b"\x89PNG")
    again = tmp_path / "again.nrrd"
    words = ["--model", "randomwalk", "--prompts", saved]
    assert run("segment", plain, "--out", again, *words) == 0
    assert np.array_equal(Volume.read(again).array_kji, Volume.read(made).array_kji)
    capsys.readouterr()
    assert run("replay", made, plain) == 0


def test_a_script_ends_at_its_first_error(
    plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = tmp_path / "p.json"
    lines = f"box 4 4 3 12 18 15\nbox 1 2\nfly\nsave {saved}\n"
    assert piped(monkeypatch, lines, plain) == 2
    assert capsys.readouterr().err.count("\n") == 1 and not saved.exists()
    assert piped(monkeypatch, lines, plain, "--keep-going") == 1
    assert capsys.readouterr().err.count("\n") == 2 and saved.exists()


def test_ctrl_c_stops_the_prediction_and_keeps_the_worker(plain: Path) -> None:
    volume = Volume.read(plain)
    answerer = Answerer(volume, "randomwalk", "cpu", {})
    prompts = PromptList(((1, "a"),), ((1, Box.from_ijk(GEOMETRY, (4, 4, 3), (20, 18, 15))),))

    def interrupt(_fraction: float, _phrase: str) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    try:
        with pytest.raises(Cancelled):
            answerer.answer(prompts, interrupt)
        assert answerer.answer(prompts, no_progress)[1].mask_kji.any()
    finally:
        answerer.close()


def test_every_prompt_is_typed_as_on_the_command_line(context: Context) -> None:
    typed(context, "box 4 4 3 20 18 15", "negative 5 5 4", "scribble 9 10 8 12 10 8")
    talk = context.conversation
    (_, box), (_, click), (_, stroke) = talk.prompts.entries
    assert box == Box.from_ijk(GEOMETRY, (4, 4, 3), (20, 18, 15))
    assert click == Point.from_ijk(GEOMETRY, (5, 5, 4), positive=False)
    assert stroke == Scribble.from_ijk(GEOMETRY, [(9, 10, 8), (12, 10, 8)])


def test_each_prompt_says_what_it_changed(
    context: Context, capsys: pytest.CaptureFixture[str]
) -> None:
    typed(context, "box 4 4 3 20 18 15", "point 11 10 8")
    first, total, second, _ = capsys.readouterr().out.splitlines()
    voxels = context.conversation.segmentation(no_progress).segments[0].voxels
    assert f"changed {voxels} voxels" in first and f"Segment_1 {voxels} voxels" in total
    assert "heeded already" in second


def test_objects_are_continued_by_their_name(context: Context) -> None:
    typed(context, "object liver", "box 4 4 3 12 18 15", "object spleen", "point 15 10 8")
    typed(context, "object Liver", "point 8 10 8")
    assert context.conversation.prompts.labels == (1, 2)
    assert [label for label, _ in context.conversation.prompts.entries] == [1, 2, 1]


def test_undo_and_redo_go_through_all_changes(context: Context) -> None:
    typed(context, "box 4 4 3 20 18 15", "point 11 10 8", "delete 1", "undo", "move 2 12 10 8")
    moved = context.conversation.prompts
    assert len(moved.entries) == 2
    typed(context, "undo", "undo", "redo", "redo")
    assert context.conversation.prompts == moved
    # The answers of earlier states are there.
    model = context.conversation._model
    asked = model.asked
    typed(context, "undo", "redo", "objects")
    assert model.asked == asked
    with pytest.raises(PromptError, match="nothing to redo"):
        typed(context, "redo")


def test_a_prompt_that_fails_changes_nothing(context: Context) -> None:
    typed(context, "box 4 4 3 20 18 15")
    before = context.conversation.prompts
    context.conversation._model.fails = True
    with pytest.raises(ModelError):
        typed(context, "point 11 10 8")
    for line in ("point 99 1 1", "text liver", "point a b c", "box 1 2", "delete 7", "delete x"):
        with pytest.raises(PromptError):
            typed(context, line)
    assert context.conversation.prompts == before


def test_loaded_prompts_of_several_objects_ask_which_one_is_meant(
    context: Context, tmp_path: Path
) -> None:
    typed(context, "object liver", "point 8 10 8", "object spleen", "point 15 10 8")
    talk = Conversation(
        context.volume, card("randomwalk"), Here(context.volume), context.conversation.prompts
    )
    context.conversation = talk
    with pytest.raises(PromptError, match="1 liver, 2 spleen"):
        typed(context, "point 9 10 8")
    typed(context, "object liver", "point 9 10 8")
    assert talk.prompts.entries[-1][0] == 1


def test_objects_and_prompts_are_removed(context: Context) -> None:
    typed(context, "object liver", "point 8 10 8", "object spleen", "point 15 10 8")
    typed(context, "remove liver")
    assert context.conversation.prompts.objects == ((2, "spleen"),)
    with pytest.raises(PromptError, match="did you mean spleen"):
        typed(context, "remove spleem")


def test_segments_with_names_are_saved_and_continued(context: Context, tmp_path: Path) -> None:
    made = tmp_path / "s.seg.nrrd"
    typed(context, "object liver", "point 8 10 8", f"save {made}")
    assert [s.name for s in Segmentation.read(made).segments] == ["liver"]
    typed(context, "object old", f"mask {made}:liver")
    with pytest.raises(OutputError):
        typed(context, f"save {tmp_path / 'ball.nrrd'}")


def test_quit_asks_once_at_a_terminal_if_something_is_not_saved(
    context: Context, tmp_path: Path
) -> None:
    context.asks = True
    typed(context, "point 8 10 8")
    with pytest.raises(OutputError, match="not saved"):
        typed(context, "quit")
    with pytest.raises(Quit):
        typed(context, "quit")
    typed(context, f"save {tmp_path / 'p.json'}")
    with pytest.raises(Quit):
        typed(context, "quit")


def test_commands_objects_and_files_are_completed(context: Context, tmp_path: Path) -> None:
    complete = completer(context)
    assert complete([], "scr") == ["scribble ", "scribble-ras "]
    typed(context, "object left kidney", "object liver")
    assert complete(["object"], "l") == ["left kidney", "liver"]
    assert complete(["object", "left"], "k") == ["kidney"]
    assert complete(["undo"], "l") == []
    (tmp_path / "folder").mkdir()
    assert complete(["save"], f"{tmp_path}/fo") == [f"{tmp_path}/folder/"]
    assert file_completions(f"{tmp_path}/nowhere/x") == []


def test_help_names_every_command(context: Context, capsys: pytest.CaptureFixture[str]) -> None:
    typed(context, "help")
    listed = capsys.readouterr().out
    assert all(word in listed for word in ("box", "scribble", "lasso", "undo", "view", "save"))


@pytest.fixture
def terminal(plain: Path, tmp_path: Path) -> Iterator[SimpleNamespace]:
    """A shell at a pseudo-terminal."""
    pty = pytest.importorskip("pty")
    mine, theirs = pty.openpty()
    variables = {**os.environ, "MEDSEGFM_WEIGHTS": str(tmp_path / "user" / "weights")}
    words = [sys.executable, "-m", "MedSegFMLib", "shell", str(plain), "--model", "randomwalk"]
    process = subprocess.Popen(
        words,
        cwd=ROOT,
        env=variables,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=_take_terminal,
    )
    os.close(theirs)
    seen = bytearray()

    def until(text: str) -> None:
        while text.encode() not in seen:
            ready, _, _ = select.select([mine], [], [], GENEROUS_SECONDS)
            assert ready, f"'{text}' does not come after {bytes(seen)!r}"
            seen.extend(os.read(mine, 4096))
        del seen[: seen.index(text.encode()) + len(text)]

    def write(text: str) -> None:
        os.write(mine, text.encode())

    def interrupt_until(text: str) -> None:
        # Between two keys Python sees a signal only with the next key: a user presses again.
        end = time.monotonic() + GENEROUS_SECONDS
        while text.encode() not in seen and time.monotonic() < end:
            write("\x03")
            while select.select([mine], [], [], 1.0)[0]:
                seen.extend(os.read(mine, 4096))
        until(text)

    yield SimpleNamespace(
        until=until, write=write, interrupt_until=interrupt_until, process=process
    )
    process.kill()
    process.wait()
    os.close(mine)


def _take_terminal() -> None:
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")
def test_errors_and_ctrl_c_at_a_terminal_end_nothing(
    terminal: SimpleNamespace, tmp_path: Path
) -> None:
    terminal.until("medsegfm> ")
    terminal.write("fly\n")
    terminal.until("There is no command 'fly'")
    terminal.until("medsegfm> ")
    terminal.write("box 4 4")
    terminal.until("box 4 4")
    terminal.interrupt_until("medsegfm> ")
    terminal.write("poi\t 11 10 8\n")
    terminal.until("changed")
    terminal.until("medsegfm> ")
    terminal.write("\x04")
    assert terminal.process.wait(GENEROUS_SECONDS) == 0
    history = (tmp_path / "user" / "shell-history").read_text(encoding="utf-8")
    assert "point 11 10 8" in history
