"""The random walker's own answer as a channel of ENSAM's input."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from MedSegFMLib import Box, Geometry, Point, Session, Volume
from MedSegFMLib.errors import ModelError
from MedSegFMLib.metrics import dice
from MedSegFMLib.models.ensam.model import EnsamSegmenter
from MedSegFMLib.models.ensam.network.config import (
    BACKGROUND,
    BOX_END,
    BOX_START,
    FOREGROUND,
    EnsamConfig,
)
from MedSegFMLib.models.ensam.network.export import SHIPPED
from MedSegFMLib.models.ensam.network.network import Ensam, EnsamPrompts, with_random_walk
from MedSegFMLib.models.ensam.runtime import Features, NetworkPrompts
from MedSegFMLib.models.ensam.walk_channel import Walks
from MedSegFMLib.progress import Progress

SIDE = 24
k, j, i = np.ogrid[:SIDE, :SIDE, :SIDE]
BALL = (k - 11) ** 2 + (j - 12) ** 2 + (i - 10) ** 2 <= 49
NOISE = np.random.default_rng(0).normal(0, 0.05, BALL.shape)
IMAGE = np.clip(0.3 + 0.4 * BALL + NOISE, 0, 1).astype(np.float32)
BOX = ((BOX_START, 4, 5, 3), (BOX_END, 18, 19, 17))


def walked(*tokens: tuple[float, ...], walks: Walks | None = None) -> np.ndarray | None:
    kinds = np.array([int(token[0]) for token in tokens], dtype=np.int64)
    positions = np.array([token[1:] for token in tokens], dtype=np.float32).reshape(-1, 3)
    return (walks or Walks(IMAGE, (1, 1, 1), (1, 1, 1))).logits(kinds, positions)


def test_the_walker_finds_a_ball_in_its_box_without_the_network() -> None:
    logits = walked(*BOX)
    assert logits is not None and logits.dtype == np.float32
    assert dice(BALL, logits > 0) > 0.9


def test_clicks_change_the_walkers_answer() -> None:
    walks = Walks(IMAGE, (1, 1, 1), (1, 1, 1))
    plain = walked(*BOX, walks=walks)
    clicked = walked(*BOX, (BACKGROUND, 11, 12, 10), walks=walks)
    assert plain is not None and clicked is not None
    assert plain[11, 12, 10] > 0 > clicked[11, 12, 10]
    # What an earlier call has prepared does not change a later answer.
    np.testing.assert_array_equal(walked(*BOX, walks=walks), plain)


@pytest.mark.parametrize(
    "tokens",
    [
        (),
        ((FOREGROUND, 11, 12, 10),),
        ((BOX_START, -2, 5, 3), (BOX_END, 18, 19, 17)),
        ((BOX_START, 4, 5, 3), (BOX_END, 18, 19, 24)),
    ],
    ids=["nothing", "a click alone", "a box that begins outside", "a box that ends outside"],
)
def test_without_a_whole_box_there_is_no_answer(tokens: tuple[tuple[float, ...], ...]) -> None:
    assert walked(*tokens) is None


def test_a_box_of_less_than_a_cell_and_clicks_on_the_edge_are_answered() -> None:
    tiny = ((BOX_START, 11.2, 12.3, 10.4), (BOX_END, 11.3, 12.4, 10.4))
    logits = walked(*tiny, (BACKGROUND, -0.4, 23.4, 12.0))
    assert logits is not None and np.isfinite(logits).all()


@pytest.mark.parametrize("slices", [1, 3])
def test_a_box_on_few_slices_is_all_of_their_cells(slices: int) -> None:
    disc = np.broadcast_to(BALL[11], BALL.shape)
    image = np.clip(0.3 + 0.4 * disc + NOISE, 0, 1).astype(np.float32)
    size = SIDE / slices
    walks = Walks(image, (1 / size, 1, 1), (size, 1, 1))
    last = (slices - 0.5) * size - 0.5
    tokens = ((BOX_START, size / 2 - 0.5, 5, 3), (BOX_END, last, 19, 17))
    logits = walked(*tokens, walks=walks)
    assert logits is not None and dice(disc, logits > 0) > 0.9


class WatchedRuntime:
    """A runtime that keeps the prompts of each image that it decodes."""

    config = SHIPPED

    def __init__(self) -> None:
        self.prompts: list[NetworkPrompts] = []

    def encode(self, image: np.ndarray, spacing: object, progress: Progress) -> Features:
        return Features(image.nbytes)

    def decode(
        self, features: object, prompts: NetworkPrompts, previous: object, progress: Progress
    ) -> np.ndarray:
        self.prompts.append(prompts)
        return np.full((SHIPPED.cells,) * 3, -1, np.float32)


def test_the_model_shows_the_network_the_walkers_answer_to_each_prompt() -> None:
    volume = Volume(IMAGE, Geometry.from_spacing(IMAGE.shape))
    runtime = WatchedRuntime()
    session = Session(EnsamSegmenter(runtime), volume)
    session.add(Box.from_ijk(volume.geometry, (3, 5, 4), (17, 19, 18)))
    session.predict()
    session.add(Point.from_ijk(volume.geometry, (4, 6, 5)))
    session.predict()
    boxed, clicked = (prompts.walk_logits for prompts in runtime.prompts)
    assert boxed is not None and clicked is not None
    assert (boxed > 0).sum() > 1.2 * BALL.sum() and (clicked > 0).sum() > (boxed > 0).sum()


def test_without_a_box_the_model_shows_the_network_no_answer_of_the_walker() -> None:
    volume = Volume(IMAGE, Geometry.from_spacing(IMAGE.shape))
    runtime = WatchedRuntime()
    session = Session(EnsamSegmenter(runtime), volume)
    session.add(Point.from_ijk(volume.geometry, (10, 12, 11), True))
    session.predict()
    assert runtime.prompts and all(prompts.walk_logits is None for prompts in runtime.prompts)


def test_a_network_gets_the_channel_without_any_change_to_its_answers() -> None:
    torch.manual_seed(0)
    network = Ensam(replace(SHIPPED, cells=SIDE, random_walk=False)).eval()
    wider = with_random_walk(network).eval()
    assert wider.config == replace(SHIPPED, cells=SIDE)
    prompts = EnsamPrompts(torch.tensor([[0, 1]]), torch.tensor([[[4.0, 5, 3], [18, 19, 17]]]))
    walk = torch.randn(1, 1, SIDE, SIDE, SIDE)
    image = torch.from_numpy(IMAGE)[None, None]
    with torch.inference_mode():
        before = network(image, prompts)
        after = wider(image, replace(prompts, walk_logits=walk))
    torch.testing.assert_close(after, before)


def test_no_answer_of_the_walker_counts_as_zeros_and_others_matter() -> None:
    torch.manual_seed(0)
    network = Ensam(replace(SHIPPED, cells=16)).eval()
    image = torch.rand(1, 1, 16, 16, 16)
    prompts = EnsamPrompts(torch.tensor([[2]]), torch.tensor([[[4.0, 5, 3]]]))
    zeros = torch.zeros(1, 1, 16, 16, 16)
    with torch.inference_mode():
        without = network(image, prompts)
        torch.testing.assert_close(network(image, replace(prompts, walk_logits=zeros)), without)
        seen = network(image, replace(prompts, walk_logits=zeros + 3))
    assert float((seen - without).abs().max()) > 1e-3


@pytest.mark.parametrize("changes", [{"dense_prompts": False}, {"native": True}])
def test_the_channel_needs_drawn_prompts_on_cells(changes: dict[str, bool]) -> None:
    values = {"dense_prompts": True, "random_walk": True, **changes}
    with pytest.raises(ModelError, match="random_walk is true, which needs dense_prompts=true"):
        EnsamConfig(**values)  # type: ignore[arg-type]
