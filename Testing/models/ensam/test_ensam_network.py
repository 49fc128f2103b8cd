"""The ENSAM network: its size, its symmetries and its two steps."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from MedSegFMLib.errors import ModelError
from MedSegFMLib.models.ensam.network.attention import UnitLinear
from MedSegFMLib.models.ensam.network.config import (
    BACKGROUND,
    BOX_END,
    BOX_START,
    FOREGROUND,
    EnsamConfig,
    padded_side,
)
from MedSegFMLib.models.ensam.network.network import Ensam, EnsamPrompts
from MedSegFMLib.models.ensam.network.positions import LierePositions, RopePositions

pytestmark = pytest.mark.usefixtures("one_thread")


def network(config: EnsamConfig | None = None, seed: int = 0) -> Ensam:
    torch.manual_seed(seed)
    return Ensam(config).eval()


def image(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.rand(1, 1, *shape, generator=torch.Generator().manual_seed(seed))


def prompts(*tokens: tuple[int, float, float, float]) -> EnsamPrompts:
    rows = torch.tensor([token[1:] for token in tokens], dtype=torch.float32).reshape(1, -1, 3)
    return EnsamPrompts(torch.tensor([[int(token[0]) for token in tokens]]).long(), rows)


BOX = ((BOX_START, 2.0, 3.0, 4.0), (BOX_END, 12.0, 11.0, 13.0))
CLICKS = ((FOREGROUND, 6.0, 6.0, 6.0), (BACKGROUND, 14.0, 1.0, 9.0), (FOREGROUND, 8.0, 9.0, 5.0))


@pytest.mark.parametrize(("skip", "expected"), [("concat", 5_484_819), ("add", 5_474_067)])
def test_parameter_count_is_the_documented_one(skip: str, expected: int) -> None:
    assert sum(p.numel() for p in Ensam(EnsamConfig(skip=skip)).parameters()) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"activation": "relu", "alpha": "ngpt", "native": True}, 5_484_819),
        ({"width": 8}, 1_396_643),
        ({"depth": 1}, 3_097_664),
        ({"depth": 3}, 7_871_974),
        ({"attention": "standard"}, 5_486_349),
    ],
)
def test_variants_of_ablations_have_their_parameter_counts(
    changes: dict[str, Any], expected: int
) -> None:
    net = network(EnsamConfig(**changes))
    assert sum(p.numel() for p in net.parameters()) == expected
    with torch.inference_mode():
        logits = net(image(17, 16, 9), prompts(*BOX, *CLICKS), torch.zeros(1, 1, 17, 16, 9))
    assert logits.shape == (1, 1, 17, 16, 9) and bool(torch.isfinite(logits).all())


def test_a_configuration_of_an_earlier_version_has_the_defaults_of_what_it_lacks() -> None:
    text = '{"skip": "add", "positions": "rope", "millimetres": true, "dense_prompts": true, '
    config = EnsamConfig.from_json(text + '"cells": 24}')
    assert config == EnsamConfig("add", "rope", True, True, 24)
    assert config.activation == "silu" and config.alpha == "half" and not config.native


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"width": 6}, "multiple of 4 from 4 to 64"),
        ({"width": 128}, "multiple of 4 from 4 to 64"),
        ({"depth": 0}, "from 1 to 6"),
        ({"depth": True}, "from 1 to 6"),
        ({"attention": "sparse"}, "'normalised' or 'standard'"),
        ({"native": 1}, "true or false"),
    ],
)
def test_sizes_that_are_no_light_network_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ModelError, match=said):
        EnsamConfig(**changes)


def test_unknown_choice_is_refused() -> None:
    with pytest.raises(ModelError, match="skip is 'sum'; it must be 'concat' or 'add'"):
        EnsamConfig(skip="sum")  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="millimetres is 1"):
        EnsamConfig(millimetres=1)  # type: ignore[arg-type]


@pytest.mark.parametrize("cells", [8, 20, 0, -16, 32.0])
def test_cells_that_the_network_would_pad_are_refused(cells: float) -> None:
    with pytest.raises(ModelError, match="multiple of 8 from 16 on"):
        EnsamConfig(cells=cells)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["", "[]", '{"skip": "add"}', '{"skip": 1'])
def test_text_that_is_no_configuration_is_refused(text: str) -> None:
    with pytest.raises(ModelError):
        EnsamConfig.from_json(text)


def test_configuration_survives_json() -> None:
    config = EnsamConfig("add", "rope", True)
    assert EnsamConfig.from_json(config.to_json()) == config


def test_same_seed_gives_same_network() -> None:
    first, second, other = (network(seed=s).state_dict() for s in (3, 3, 4))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["encoder.stem.weight"], other["encoder.stem.weight"])


def test_liere_rotations_are_orthogonal_and_identity_at_the_origin() -> None:
    torch.manual_seed(0)
    positions = torch.cat((torch.zeros(1, 1, 3), torch.rand(1, 20, 3)), dim=1)
    rotations = LierePositions(32)(positions)
    product = rotations @ rotations.transpose(-1, -2)
    torch.testing.assert_close(product, torch.eye(32).expand_as(product), atol=1e-4, rtol=0)
    torch.testing.assert_close(rotations[0, 0], torch.eye(32))


def shift_error(kind: type[LierePositions] | type[RopePositions]) -> float:
    """The greatest change of unit queries' and keys' products when all positions move."""
    torch.manual_seed(0)
    encoding = LierePositions(32) if kind is LierePositions else RopePositions(4, 32)
    places = torch.rand(1, 12, 3)
    vectors = torch.nn.functional.normalize(torch.randn(2, 1, 4, 12, 32), dim=-1)
    products = []
    for moved in (places, places + torch.tensor([0.2, -0.1, 0.3])):
        queries, keys = (encoding.rotate(v, encoding(moved)) for v in vectors)
        products.append(queries @ keys.transpose(-1, -2))
    return (products[0] - products[1]).abs().max().item()


def test_rope_depends_on_distances_alone() -> None:
    assert shift_error(RopePositions) < 1e-5


def test_liere_depends_on_more_than_distances() -> None:
    assert shift_error(LierePositions) > 0.05


@pytest.mark.parametrize("dense", [False, True])
@pytest.mark.parametrize("positions", ["liere", "rope", "absolute"])
@pytest.mark.parametrize("skip", ["concat", "add"])
@pytest.mark.parametrize("shape", [(1, 5, 33), (16, 17, 23), (24, 16, 8)])
def test_output_has_the_shape_of_an_image_of_any_size(
    shape: tuple[int, int, int], skip: str, positions: str, dense: bool
) -> None:
    net = network(EnsamConfig(skip=skip, positions=positions, dense_prompts=dense))
    with torch.inference_mode():
        logits = net(image(*shape), prompts(*BOX, *CLICKS), torch.ones(1, 1, *shape))
    assert logits.shape == (1, 1, *shape)
    assert bool(torch.isfinite(logits).all())


def test_sides_are_padded_to_multiples_of_eight() -> None:
    assert [padded_side(n) for n in (1, 8, 16, 17, 24, 25)] == [16, 16, 16, 24, 24, 32]


def test_fresh_network_says_background() -> None:
    with torch.inference_mode():
        logits = network()(image(16, 16, 16), prompts(*BOX))
    assert float(logits.max()) < 0


def test_encode_once_and_decode_often_equals_doing_both() -> None:
    net = network()
    with torch.inference_mode():
        features = net.encode(image(16, 24, 16))
        for tokens in (prompts(*BOX), prompts(*CLICKS)):
            expected = net(image(16, 24, 16), tokens)
            assert torch.equal(net.decode(features, tokens), expected)


def test_features_know_how_much_memory_they_take() -> None:
    features = network().encode(image(16, 16, 16))
    # Levels of 16, 32, 64 and 128 floats, then two sets of 8 rotations of 32 x 32.
    floats = 16**3 * 16 + 8**3 * 32 + 4**3 * 64 + 2**3 * 128 + 2 * 8 * 32 * 32
    assert features.nbytes == 4 * floats


def test_order_of_prompts_says_nothing() -> None:
    net = network()
    with torch.inference_mode():
        features = net.encode(image(16, 16, 16))
        straight = net.decode(features, prompts(*BOX, *CLICKS))
        shuffled = net.decode(features, prompts(*CLICKS[::-1], *BOX[::-1]))
    torch.testing.assert_close(straight, shuffled, atol=1e-4, rtol=0)


def test_kind_and_place_of_a_prompt_say_something() -> None:
    net = network()
    with torch.inference_mode():
        features = net.encode(image(16, 16, 16))
        answers = [
            net.decode(features, prompts(token))
            for token in (
                (FOREGROUND, 4.0, 4.0, 4.0),
                (BACKGROUND, 4.0, 4.0, 4.0),
                (FOREGROUND, 12.0, 4.0, 4.0),
            )
        ]
    for other in answers[1:]:
        assert float((answers[0] - other).abs().max()) > 1e-3


@pytest.mark.parametrize("dense", [False, True])
def test_no_prompts_leave_the_image_alone_to_speak(dense: bool) -> None:
    net = network(EnsamConfig(dense_prompts=dense))
    with torch.inference_mode():
        logits = net(image(16, 16, 16), prompts())
    assert bool(torch.isfinite(logits).all())


@pytest.mark.parametrize("dense", [False, True])
def test_previous_logits_change_the_answer_and_zeros_are_none(dense: bool) -> None:
    net = network(EnsamConfig(dense_prompts=dense))
    with torch.inference_mode():
        features = net.encode(image(16, 16, 16))
        without = net.decode(features, prompts(*BOX))
        zeros = net.decode(features, prompts(*BOX), torch.zeros(1, 1, 16, 16, 16))
        some = net.decode(features, prompts(*BOX), 10 * image(16, 16, 16, seed=5))
    assert torch.equal(without, zeros)
    assert float((without - some).abs().max()) > 1e-3


def test_spacing_counts_in_millimetres_alone() -> None:
    thick = (3.0, 1.0, 1.0)
    for millimetres in (False, True):
        net = network(EnsamConfig(millimetres=millimetres))
        with torch.inference_mode():
            same, other = (
                net(image(16, 16, 16), prompts(*BOX), None, spacing)
                for spacing in ((1.0, 1.0, 1.0), thick)
            )
        assert torch.equal(same, other) is not millimetres


def test_positions_are_divided_by_the_longest_side() -> None:
    with torch.inference_mode():
        voxels = network().encode(image(16, 16, 20), (2.0, 1.0, 1.0)).scale_kji
        lengths = network(EnsamConfig(millimetres=True)).encode(image(16, 16, 20), (2.0, 1.0, 1.0))
    torch.testing.assert_close(voxels.flatten(), torch.full((3,), 1 / 20))
    torch.testing.assert_close(lengths.scale_kji.flatten(), torch.tensor([2 / 32, 1 / 32, 1 / 32]))


def test_batch_of_two_equals_one_after_the_other() -> None:
    net = network()
    first, second = image(16, 16, 16, seed=1), image(16, 16, 16, seed=2)
    pair = EnsamPrompts(
        prompts(*BOX).kinds.repeat(2, 1),
        torch.cat((prompts(*BOX).positions_kji, prompts(*BOX).positions_kji + 1)),
    )
    with torch.inference_mode():
        both = net(torch.cat((first, second)), pair)
        alone = net(
            second, replace(pair, kinds=pair.kinds[1:], positions_kji=pair.positions_kji[1:])
        )
    torch.testing.assert_close(both[1:], alone, atol=1e-4, rtol=0)


@pytest.mark.parametrize("dense", [False, True])
@pytest.mark.parametrize("positions", ["liere", "rope", "absolute"])
def test_gradients_reach_every_parameter(positions: str, dense: bool) -> None:
    net = network(EnsamConfig(positions=positions, dense_prompts=dense)).train()
    logits = net(image(16, 16, 24), prompts(*BOX, *CLICKS), image(16, 16, 24, seed=7))
    torch.nn.functional.softplus(logits).sum().backward()
    silent = [
        name for name, p in net.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0
    ]
    assert silent == []
    assert all(bool(torch.isfinite(p.grad).all()) for p in net.parameters() if p.grad is not None)


def test_normalised_weights_are_unit_vectors_of_the_embedding() -> None:
    net = network()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.mul_(3).add_(0.1)
    convolution = net.encoder.stem.weight.clone()
    net.normalise_weights_()
    matrices = [m for m in net.modules() if isinstance(m, UnitLinear)]
    assert len(matrices) == 2 * (3 * 4 + 3)
    for matrix in matrices:
        lengths = matrix.weight.norm(dim=matrix.unit_dim)
        assert matrix.weight.shape[matrix.unit_dim] == 128
        torch.testing.assert_close(lengths, torch.ones_like(lengths))
    torch.testing.assert_close(net.prompt_vectors.norm(dim=1), torch.ones(4))
    assert torch.equal(net.encoder.stem.weight, convolution)


def test_fresh_weights_are_already_normalised() -> None:
    net = network()
    before = {name: p.clone() for name, p in net.named_parameters()}
    net.normalise_weights_()
    for name, parameter in net.named_parameters():
        torch.testing.assert_close(parameter, before[name])


def test_progress_runs_and_can_stop_the_work() -> None:
    heard: list[float] = []
    net = network()

    def stop(fraction: float, phrase: str) -> None:
        raise KeyboardInterrupt

    with torch.inference_mode():
        features = net.encode(image(16, 16, 16), progress=lambda f, phrase: heard.append(f))
        assert heard == sorted(heard) and len(heard) == 4
        with pytest.raises(KeyboardInterrupt):
            net.decode(features, prompts(*BOX), progress=stop)
