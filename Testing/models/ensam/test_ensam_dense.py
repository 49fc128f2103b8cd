"""Prompts drawn voxel by voxel for ENSAM's decoder."""

from __future__ import annotations

import subprocess
import sys

import torch

from MedSegFMLib.models.ensam.network.config import (
    BACKGROUND,
    BOX_END,
    BOX_START,
    FOREGROUND,
)
from MedSegFMLib.models.ensam.network.dense_prompts import CHANNELS, prompt_channels

SIDE = 16
ELLIPSOID, CUBOID, ON, OFF, PREVIOUS = range(CHANNELS)

BOX = ((BOX_START, 2, 3, 4), (BOX_END, 6, 10, 12))
OTHER_BOX = ((BOX_START, 10, 11, 1), (BOX_END, 13, 14, 2))
CLICKS = ((FOREGROUND, 5, 6, 7), (BACKGROUND, 12, 1, 9), (FOREGROUND, 0, 15, 3))


def draw(*tokens: tuple[int, ...], previous: torch.Tensor | None = None) -> torch.Tensor:
    """The channels (5, K, J, I) of tokens."""
    rows = torch.tensor([token[1:] for token in tokens], dtype=torch.float32).reshape(1, -1, 3)
    kinds = torch.tensor([[token[0] for token in tokens]]).long()
    if previous is None:
        previous = torch.zeros(1, 1, SIDE, SIDE, SIDE)
    return prompt_channels(kinds, rows, previous)[0]


def test_box_is_drawn_from_its_first_to_its_last_voxel() -> None:
    channels = draw(*BOX)
    expected = torch.zeros(SIDE, SIDE, SIDE)
    expected[2:7, 3:11, 4:13] = 1
    torch.testing.assert_close(channels[CUBOID], expected)
    ellipsoid = channels[ELLIPSOID]
    assert ellipsoid[4, 6, 8] == ellipsoid[4, 7, 8] == ellipsoid.max()
    assert ellipsoid[4, 6, 8] > ellipsoid[2, 6, 8] > ellipsoid[0, 6, 8]
    assert channels[ON].abs().max() == channels[OFF].abs().max() == 0


def test_box_of_one_voxel_is_drawn() -> None:
    cuboid = draw((BOX_START, 3, 4, 5), (BOX_END, 3, 4, 5))[CUBOID]
    assert cuboid.sum() == cuboid[3, 4, 5] == 1


def test_click_is_drawn_at_its_voxel_on_the_side_it_speaks_of() -> None:
    for kind, channel, silent in ((FOREGROUND, ON, OFF), (BACKGROUND, OFF, ON)):
        channels = draw((kind, 5, 6, 7))
        assert channels[channel][5, 6, 7] == channels[channel].max() == 1
        assert channels[silent].abs().max() == channels[CUBOID].abs().max() == 0


def test_two_boxes_are_both_drawn_and_nothing_between_them() -> None:
    both = draw(*BOX, *OTHER_BOX)
    torch.testing.assert_close(both[CUBOID], draw(*BOX)[CUBOID] + draw(*OTHER_BOX)[CUBOID])


def test_overlapping_prompts_are_drawn_no_stronger_than_one() -> None:
    assert draw(*BOX, *BOX, *CLICKS, *CLICKS).max() <= 1


def test_order_of_tokens_says_nothing_but_within_a_box() -> None:
    straight = draw(*BOX, *OTHER_BOX, *CLICKS)
    shuffled = draw(CLICKS[2], *OTHER_BOX, CLICKS[0], *BOX, CLICKS[1])
    torch.testing.assert_close(straight, shuffled)


def test_no_prompts_draw_nothing() -> None:
    assert not draw().any()


def test_previous_logits_are_squeezed_and_keep_their_sign() -> None:
    previous = torch.linspace(-50, 50, SIDE**3).reshape(1, 1, SIDE, SIDE, SIDE)
    channel = draw(previous=previous)[PREVIOUS]
    assert channel.abs().max() <= 1
    assert torch.equal(channel > 0, previous[0, 0] > 0)


def test_memory_does_not_grow_with_tokens_times_voxels() -> None:
    # 64 tokens times 128 ** 3 voxels would be 512 MiB for each of the arrays involved.
    code = (
        "import resource, torch\n"
        "from MedSegFMLib.models.ensam.network.dense_prompts import prompt_channels\n"
        "def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024\n"
        "previous = torch.zeros(1, 1, 128, 128, 128)\n"
        "prompt_channels(torch.full((1, 1), 2), torch.zeros(1, 1, 3), previous)\n"
        "before = peak()\n"
        "prompt_channels(torch.full((1, 64), 2), torch.zeros(1, 64, 3), previous)\n"
        "assert peak() - before < 128, peak() - before\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
