"""SAM3D's decoder by the numbers of its paper."""

from __future__ import annotations

import pytest
import torch
from sam3d_checkpoints import random_decoder
from torch.nn import functional

from MedSegFMLib.models.sam3d.config import Sam3dConfig
from MedSegFMLib.models.sam3d.network import decoder_on_meta


@pytest.mark.parametrize(
    ("classes", "modalities", "count"),
    [(4, 1, 1_879_668), (14, 1, 1_880_258), (4, 4, 4_632_180)],
)
def test_the_decoder_has_the_published_number_of_parameters(
    classes: int, modalities: int, count: int
) -> None:
    network = decoder_on_meta(Sam3dConfig(classes, modalities))
    assert sum(p.numel() for p in network.parameters()) == count


def test_each_block_has_the_published_number_of_parameters() -> None:
    network = decoder_on_meta(Sam3dConfig(4))
    counts = {n: sum(p.numel() for p in m.parameters()) for n, m in network.named_children()}
    assert counts == {
        "decoder5": 1_360_256,
        "decoder4": 340_160,
        "decoder3": 85_088,
        "decoder2": 21_296,
        "out1": 3_500,
        "out2": 13_908,
        "out3": 55_460,
    }


def test_answers_keep_the_slices_and_come_in_three_sizes() -> None:
    features = torch.randn(2, 256, 3, 2, 4)
    network = random_decoder()
    shapes = [tuple(answer.shape) for answer in network.supervised(features)]
    assert shapes == [(2, 3, 3, 32, 64), (2, 3, 3, 16, 32), (2, 3, 3, 8, 16)]
    assert torch.equal(network(features), network.supervised(features)[0])


def test_a_block_is_what_the_paper_draws() -> None:
    network = random_decoder()
    features = torch.randn(1, 256, 2, 3, 3)
    block = network.get_submodule("decoder5")
    state = {name: p for name, p in block.named_parameters()}

    def convolved(x: torch.Tensor, name: str, pad: int) -> torch.Tensor:
        made = functional.conv3d(x, state[f"{name}.0.weight"], state[f"{name}.0.bias"], padding=pad)
        return (made - made.mean((2, 3, 4), True)) / (
            made.var((2, 3, 4), False, True) + 1e-5
        ).sqrt()

    inner = functional.leaky_relu(convolved(features, "conv1", 1), 0.01)
    both = convolved(inner, "conv2", 1) + convolved(features, "downsample", 0)
    expected = functional.leaky_relu(both, 0.01).repeat_interleave(2, 3).repeat_interleave(2, 4)
    assert torch.allclose(block(features), expected, atol=1e-5)
