"""SAM's network against segment_anything's own, with the same random weights."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from sam_checkpoints import TINY, random_sam
from segment_anything import SamPredictor, sam_model_registry
from segment_anything.modeling import Sam as PackagedSam
from torch import Tensor

from MedSegFMLib.models.sam.network.config import PUBLISHED, infer_config
from MedSegFMLib.models.sam.network.network import Sam

COUNTS = {"vit_b": 93_735_472, "vit_l": 312_342_832, "vit_h": 641_090_608}
IMAGE = np.random.default_rng(0).integers(0, 256, (1024, 1024, 3), dtype=np.uint8)
BOX = (200.0, 150.0, 700.0, 640.0)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.inference_mode():
        yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def network() -> Sam:
    return random_sam()


@pytest.fixture(scope="module")
def predictor(network: Sam) -> SamPredictor:
    """segment_anything's predictor with those weights, which has looked at IMAGE."""
    packaged = PackagedSam(network.image_encoder, network.prompt_encoder, network.mask_decoder)
    predictor = SamPredictor(packaged)
    predictor.set_image(IMAGE)
    return predictor


@pytest.fixture(scope="module")
def features(network: Sam, predictor: SamPredictor) -> Tensor:
    image = torch.from_numpy(IMAGE).permute(2, 0, 1)[None].float()
    return network.encoder(predictor.model.preprocess(image))


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_networks_have_the_packages_tensors(name: str) -> None:
    with torch.device("meta"):
        ours, theirs = Sam(PUBLISHED[name]), sam_model_registry[name]()
    assert sum(parameter.numel() for parameter in ours.parameters()) == COUNTS[name]
    shapes = {key: tuple(tensor.shape) for key, tensor in ours.state_dict().items()}
    assert shapes == {key: tuple(tensor.shape) for key, tensor in theirs.state_dict().items()}
    assert infer_config(shapes) == PUBLISHED[name]
    for own, other in zip(ours.image_encoder.blocks, theirs.image_encoder.blocks, strict=True):
        assert own.window_size == other.window_size
        assert own.attn.num_heads == other.attn.num_heads
    assert ours.image_encoder.blocks[0].norm1.eps == theirs.image_encoder.blocks[0].norm1.eps


def test_other_networks_are_not_taken_for_published_ones(network: Sam) -> None:
    shapes = {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()}
    assert infer_config(shapes) is None and infer_config({}) is None


def test_features_at_1024_are_the_packages(features: Tensor, predictor: SamPredictor) -> None:
    assert features.std() > 0.1
    torch.testing.assert_close(features, predictor.features, atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("box", "points"),
    [
        (BOX, []),
        (None, [(400.0, 300.0, True)]),
        (None, [(400.0, 300.0, True), (90.0, 800.0, False)]),
        (BOX, [(90.0, 800.0, False)]),
    ],
)
def test_logits_at_1024_are_the_packages(
    network: Sam,
    features: Tensor,
    predictor: SamPredictor,
    box: tuple[float, ...] | None,
    points: list[tuple[float, float, bool]],
) -> None:
    places = torch.tensor([[point[:2] for point in points]]).reshape(1, -1, 2)
    positive = torch.tensor([[point[2] for point in points]]).reshape(1, -1)
    corners = None if box is None else torch.tensor([box])
    prompts = network.prompt_tokens(corners, places, positive.bool(), (1024, 1024))
    masks, qualities = network.decoder(features, network.image_positions(64, 64), prompts)
    said = {
        "point_coords": places[0].numpy() if points else None,
        "point_labels": positive[0].int().numpy() if points else None,
        "box": None if box is None else np.array(box),
    }
    _, single, one = predictor.predict(**said, multimask_output=False)
    _, several, three = predictor.predict(**said, multimask_output=True)
    assert np.ptp(three) > 0.05
    np.testing.assert_allclose(masks[0].numpy(), np.concatenate([one, three]), atol=1e-5)
    expected = np.concatenate([single, several])
    np.testing.assert_allclose(qualities[0].numpy(), expected, atol=1e-5)


def test_images_of_one_batch_do_not_see_one_another(network: Sam) -> None:
    images = torch.randn(3, 3, 96, 64)
    together = network.encoder(images)
    alone = torch.cat([network.encoder(image[None]) for image in images])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)
    prompts = torch.randn(3, 2, 256)
    positions = network.image_positions(6, 4)
    masks, _ = network.decoder(together, positions, prompts)
    for n in range(3):
        own, _ = network.decoder(together[n : n + 1], positions, prompts[n : n + 1])
        torch.testing.assert_close(masks[n], own[0], atol=1e-5, rtol=0)


def test_image_on_its_side_has_its_features_on_their_side() -> None:
    """Of a network that does not tell rows from columns; the image is not square."""
    network = random_sam()
    encoder = network.image_encoder
    encoder.pos_embed.copy_(encoder.pos_embed.transpose(1, 2) + encoder.pos_embed)
    encoder.pos_embed.copy_((encoder.pos_embed + encoder.pos_embed.transpose(1, 2)) / 2)
    encoder.patch_embed.proj.weight.copy_(
        encoder.patch_embed.proj.weight + encoder.patch_embed.proj.weight.transpose(2, 3)
    )
    for block in encoder.blocks:
        block.attn.rel_pos_w.copy_(block.attn.rel_pos_h)
    kernel = encoder.neck[2].weight
    kernel.copy_((kernel + kernel.transpose(2, 3)) / 2)
    image = torch.randn(1, 3, 160, 80)
    upright = network.encoder(image)
    lying = network.encoder(image.transpose(2, 3))
    assert upright.shape == (1, 256, 10, 5)
    torch.testing.assert_close(lying.transpose(2, 3), upright, atol=1e-4, rtol=0)


def test_positions_of_a_smaller_image_are_means_of_the_table(network: Sam) -> None:
    """Of half as many places each lies in the middle of four of the table."""
    from MedSegFMLib.models.sam.network.network import _resized

    table = network.image_encoder.pos_embed
    assert _resized(table, 64, 64) is table
    means = table.reshape(1, 32, 2, 32, 2, TINY.dim).mean(dim=(2, 4))
    torch.testing.assert_close(_resized(table, 32, 32), means, atol=1e-6, rtol=0)


def test_places_are_told_by_their_share_of_the_image(network: Sam) -> None:
    """The centre of the pixel (x, y) = (7, 3) of 16 x 8, and that of (15, 7) of 32 x 16, less
    half a pixel: both lie at the same shares."""
    none = torch.zeros(1, 0, dtype=torch.bool)

    def tokens(box: list[float], size: tuple[int, int]) -> Tensor:
        return network.prompt_tokens(torch.tensor([box]), torch.zeros(1, 0, 2), none, size)

    small = tokens([1.5, 1.5, 7.5, 3.5], (16, 32))
    large = tokens([3.5, 3.5, 15.5, 7.5], (32, 64))
    torch.testing.assert_close(small, large)
    assert (small - tokens([1.5, 1.5, 7.5, 3.5], (32, 16))).abs().max() > 0.01


def test_a_published_network_takes_small_images() -> None:
    """A whole ViT-B with random weights, on an image that is no square."""
    network = random_sam(PUBLISHED["vit_b"])
    features = network.encoder(torch.randn(1, 3, 64, 96))
    assert features.shape == (1, 256, 4, 6) and features.isfinite().all()
