"""Lives of a session: after adding, moving, undoing and redoing, it answers as a fresh one."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from machines import escape_in_lives

from MedSegFMLib import Box, Geometry, Point, Prediction, Prompt, Region, Session, Volume, create
from MedSegFMLib.errors import PromptError
from MedSegFMLib.progress import Progress
from MedSegFMLib.prompts.mask import Mask, Role
from MedSegFMLib.prompts.prompt_list import PromptList
from MedSegFMLib.prompts.voxels import box_region, enforce_marks, to_voxels
from MedSegFMLib.registry import card
from MedSegFMLib.segmenter import Encoding, Segmenter

NAME = "session lives"

SHAPE = (8, 10, 12)
GEOMETRY = Geometry.from_spacing(SHAPE, (1.0, 2.0, 3.0))
VOLUME = Volume(np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE), GEOMETRY)
places = st.tuples(*(st.integers(0, n - 1) for n in SHAPE[::-1]))


class Continuing:
    """A model whose answer depends on each one before: the box and marks, and those rolled on."""

    card = replace(card("randomwalk"), uses_previous=True)
    classes = ()

    def encode(self, volume: Volume, region: Region | None, progress: Progress) -> Encoding:
        return Encoding(volume.geometry, region or Region.whole(volume.geometry.shape_kji), 8)

    def predict(
        self,
        encoding: Encoding,
        prompts: Sequence[Prompt],
        previous: Prediction | None,
        progress: Progress,
    ) -> Prediction:
        whole = np.full(SHAPE, -5, np.float32)
        if previous is not None:
            before = np.full(SHAPE, -5, np.float32)
            before[previous.region.slices] = previous.logits_kji
            whole = np.roll(before, 1, 2)
        for prompt in prompts:
            box = box_region(prompt, GEOMETRY) if isinstance(prompt, Box) else None
            if box is not None:
                whole[box.slices] = 5
        logits = whole[encoding.region.slices].copy()
        enforce_marks(logits, to_voxels(prompts, GEOMETRY).within(encoding.region), 9)
        return Prediction(encoding.geometry, encoding.region.start_kji, logits)


class SessionMachine(RuleBasedStateMachine):
    """A session, and the list of states that it should be in."""

    @initialize(
        continues=st.booleans(),
        budget=st.sampled_from([1, 5000, 1 << 29]),
        answers_each=st.booleans(),
    )
    def begin(self, continues: bool, budget: int, answers_each: bool) -> None:
        self.answers_each = answers_each
        self.model: Segmenter = Continuing() if continues else create("ellipsoid", "cpu")
        self.points = continues
        self.session = Session(self.model, VOLUME, budget)
        self.done = [PromptList()]
        self.undone: list[PromptList] = []

    def note(self) -> None:
        self.done.append(self.session.prompts)
        self.undone.clear()

    @rule(low=places, high=places)
    def box(self, low: tuple[int, ...], high: tuple[int, ...]) -> None:
        pairs = list(zip(low, high, strict=True))
        corners = [min(pair) for pair in pairs], [max(pair) + 1 for pair in pairs]
        self.session.add(Box.from_ijk(GEOMETRY, *corners))
        self.note()

    @precondition(lambda self: self.points)
    @rule(place=places, positive=st.booleans())
    def point(self, place: tuple[int, ...], positive: bool) -> None:
        self.session.add(Point.from_ijk(GEOMETRY, place, positive))
        self.note()

    @rule(low=places, high=places, role=st.sampled_from(["start", "start", "avoid", "keep"]))
    def mask(self, low: tuple[int, ...], high: tuple[int, ...], role: Role) -> None:
        pairs = [(min(pair), max(pair) + 1) for pair in zip(low, high, strict=True)][::-1]
        inside = np.zeros(SHAPE, bool)
        inside[tuple(slice(*pair) for pair in pairs)] = True
        before = self.session.prompts
        try:
            self.session.add(Mask.from_array(inside, GEOMETRY, role=role))
        except PromptError:
            assert inside.all() and self.session.prompts == before
        else:
            self.note()

    @rule()
    def add_object(self) -> None:
        self.session.add_object()
        self.note()

    @precondition(lambda self: self.session.prompts.objects)
    @rule(n=st.integers(0, 9))
    def remove_object(self, n: int) -> None:
        labels = self.session.prompts.labels
        self.session.remove_object(labels[n % len(labels)])
        self.note()

    @precondition(lambda self: self.session.prompts.entries)
    @rule(n=st.integers(0, 9))
    def delete(self, n: int) -> None:
        self.session.delete(n % len(self.session.prompts.entries))
        self.note()

    @precondition(lambda self: self.session.prompts.entries)
    @rule(n=st.integers(0, 9), place=places)
    def move(self, n: int, place: tuple[int, ...]) -> None:
        before = self.session.prompts
        target = GEOMETRY.ras_from_ijk(np.array(place, float))
        try:
            self.session.move(n % len(before.entries), target)
        except PromptError:
            assert self.session.prompts == before, "a refused move changes nothing"
        else:
            self.note()

    @rule()
    def reset(self) -> None:
        self.session.reset()
        self.note()

    @rule()
    def undo(self) -> None:
        assert self.session.undo() == (len(self.done) > 1)
        if len(self.done) > 1:
            self.undone.append(self.done.pop())

    @rule()
    def redo(self) -> None:
        assert self.session.redo() == bool(self.undone)
        if self.undone:
            self.done.append(self.undone.pop())

    @rule()
    def compare(self) -> None:
        """What the session gives is what a fresh one gives for the same prompts."""
        assert self.session.prompts == self.done[-1]
        fresh = Session(self.model, VOLUME)
        fresh.change(self.done[-1])
        assert outcome(self.session) == outcome(fresh)

    @invariant()
    def compare_each(self) -> None:
        if getattr(self, "answers_each", False):
            self.compare()

    def teardown(self) -> None:
        if hasattr(self, "session"):
            self.compare()


def outcome(session: Session) -> object:
    """The labels' voxels, or the sentence that says why there are none."""
    try:
        return session.labelmap().array_kji.tobytes()
    except PromptError as error:
        return str(error)


def inputs(rng: random.Random) -> Iterator[int]:
    """Numbers of lives."""
    while True:
        yield rng.getrandbits(32)


def escape(payload: int, folder: Path) -> str | None:
    """How a life broke a rule."""
    return escape_in_lives(SessionMachine, payload)
