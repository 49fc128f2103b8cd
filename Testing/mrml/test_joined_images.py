"""Volume nodes joined as the images of one volume: sent together, followed, kept with the scene."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scene_helpers import SessionClient, add_volume_node

from MedSegFMLib import Box, Geometry, Volume
from MedSegFMLib.mrml.logic import SegmentationLogic
from MedSegFMLib.mrml.nodes.image_set import joined_images
from MedSegFMLib.mrml.updates import Warned


@pytest.fixture
def other_node(scene: Any, blob: tuple[Volume, np.ndarray]) -> Any:
    """Another image on the grid of the blob."""
    volume = blob[0]
    return add_volume_node(scene, volume.with_array(volume.array_kji * 2 + 1), "PET")


def warnings(logic: SegmentationLogic) -> list[str]:
    return [update.sentence for update in logic.pump() if isinstance(update, Warned)]


def test_joined_volumes_are_sent_as_images_of_one(
    logic: SegmentationLogic, client: SessionClient, volume_node: Any, other_node: Any
) -> None:
    logic.set_volume(volume_node)
    assert not client.volumes[-1].images
    logic.images.join("PET", other_node)
    logic.images.join("CT", volume_node)
    assert warnings(logic) == []
    sent = client.volumes[-1]
    assert list(sent.images) == ["CT", "PET"] and sent.primary == "CT"
    assert np.allclose(sent.images["PET"], sent.images["CT"] * 2 + 1)
    logic.images.join("PET", None)
    assert warnings(logic) == [] and not client.volumes[-1].images
    assert logic.images.by_name == {"CT": volume_node}


def test_a_volume_that_is_not_named_is_there_under_its_own_name(
    logic: SegmentationLogic, client: SessionClient, volume_node: Any, other_node: Any
) -> None:
    logic.set_volume(volume_node)
    logic.images.join("PET", other_node)
    assert warnings(logic) == []
    assert list(client.volumes[-1].images) == ["ball", "PET"]


def test_the_answer_is_asked_for_again_with_other_images(
    logic: SegmentationLogic,
    client: SessionClient,
    volume_node: Any,
    other_node: Any,
    blob: tuple[Volume, np.ndarray],
) -> None:
    logic.set_volume(volume_node)
    mask = np.argwhere(blob[1])[:, ::-1]
    logic.add(Box.from_ijk(blob[0].geometry, mask.min(axis=0), mask.max(axis=0) + 1))
    logic.pump()
    before = len(client.requests)
    logic.images.join("PET", other_node)
    logic.pump()
    assert len(client.requests) == before + 1
    count = len(client.volumes)
    other_node.GetImageData().Modified()
    other_node.Modified()
    logic.pump()
    assert len(client.volumes) > count, "a joined image that changes counts"
    count = len(client.volumes)
    volume_node.Modified()
    logic.pump()
    assert len(client.volumes) == count, "nothing changed"


def test_an_image_on_another_grid_is_one_sentence_until_it_is_resampled(
    logic: SegmentationLogic, client: SessionClient, volume_node: Any, scene: Any
) -> None:
    volume = logic.volume
    logic.set_volume(volume_node)
    volume = logic.require_volume()
    finer = volume.pad((1, 1, 1), (0, 0, 0))
    logic.images.join("PET", add_volume_node(scene, finer, "PET"))
    (sentence,) = warnings(logic)
    assert "The image PET is on another grid" in sentence
    assert logic.volume is not None and not client.volumes[-1].images
    logic.images.are_resampled = True
    assert warnings(logic) == []
    assert np.allclose(client.volumes[-1].images["PET"], volume.array_kji, atol=1e-3)


def test_a_deleted_image_is_no_longer_one(
    logic: SegmentationLogic, client: SessionClient, volume_node: Any, other_node: Any, scene: Any
) -> None:
    logic.set_volume(volume_node)
    logic.images.join("PET", other_node)
    logic.pump()
    scene.RemoveNode(other_node)
    assert warnings(logic) == []
    assert not client.volumes[-1].images and logic.images.by_name == {}


def test_images_are_kept_with_the_scene(
    logic: SegmentationLogic, volume_node: Any, other_node: Any
) -> None:
    logic.set_volume(volume_node)
    logic.images.join("10", other_node)
    logic.images.join("9", volume_node)
    logic.set_volume(other_node)
    assert logic.images.by_name == {}
    logic.set_volume(volume_node)
    assert list(logic.images.by_name) == ["9", "10"], "numbers in their order"
    assert joined_images(volume_node)["10"] is other_node
    assert isinstance(logic.require_volume().geometry, Geometry)
