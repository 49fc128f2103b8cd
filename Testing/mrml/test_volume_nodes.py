"""A volume node as a model sees it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sample_volumes import rotation
from scene_helpers import add_bent_transform, add_transform, add_volume_node
from vtkmodules.vtkCommonDataModel import vtkImageData

from MedSegFMLib import Region, Volume
from MedSegFMLib.errors import GeometryError, VolumeError
from MedSegFMLib.mrml.nodes.volume_nodes import content_stamp, volume_from_node


def test_voxels_are_shared_and_stand_where_the_node_says(
    volume_node: Any, blob: tuple[Volume, np.ndarray]
) -> None:
    volume = volume_from_node(volume_node)
    assert np.array_equal(volume.array_kji, blob[0].array_kji)
    assert volume.geometry.matches(blob[0].geometry, 1e-9)
    volume_node.GetImageData().SetScalarComponentFromDouble(1, 2, 3, 0, 77)
    assert volume.array_kji[3, 2, 1] == 77


def test_parent_transforms_are_folded_in(
    scene: Any, volume_node: Any, blob: tuple[Volume, np.ndarray]
) -> None:
    outer, inner = np.eye(4), np.eye(4)
    outer[:3, :3], inner[:3, 3] = rotation(10, 20, 30), (1, -2, 3)
    above, below = add_transform(scene, outer), add_transform(scene, inner)
    below.SetAndObserveTransformNodeID(above.GetID())
    volume_node.SetAndObserveTransformNodeID(below.GetID())
    found = volume_from_node(volume_node).geometry.ijk_to_ras
    assert np.allclose(found, outer @ inner @ blob[0].geometry.ijk_to_ras)


def test_a_bent_transform_is_refused(scene: Any, plain: Any) -> None:
    plain.SetAndObserveTransformNodeID(add_bent_transform(scene).GetID())
    with pytest.raises(GeometryError, match="non-linear transform bend"):
        volume_from_node(plain)


def test_a_volume_without_image_data_is_refused(scene: Any) -> None:
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty")
    with pytest.raises(VolumeError, match="empty holds no image data"):
        volume_from_node(node)
    node.SetAndObserveImageData(vtkImageData())
    with pytest.raises(VolumeError, match="empty holds no image data"):
        volume_from_node(node)


def test_a_single_slice_is_a_volume(scene: Any, blob: tuple[Volume, np.ndarray]) -> None:
    volume = blob[0].crop(Region((4, 0, 0), (5, *blob[0].geometry.shape_kji[1:])))
    found = volume_from_node(add_volume_node(scene, volume))
    assert np.array_equal(found.array_kji, volume.array_kji)
    assert found.geometry.matches(volume.geometry, 1e-9)


def test_several_values_per_voxel_are_refused(scene: Any) -> None:
    image = vtkImageData()
    image.SetDimensions(3, 3, 3)
    image.AllocateScalars(4, 3)
    node = scene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", "colours")
    node.SetAndObserveImageData(image)
    with pytest.raises(VolumeError, match="3 values per voxel"):
        volume_from_node(node)


def test_a_singular_parent_transform_is_refused(scene: Any, plain: Any) -> None:
    plain.SetAndObserveTransformNodeID(add_transform(scene, np.diag([1.0, 1, 0, 1])).GetID())
    with pytest.raises(GeometryError):
        volume_from_node(plain)


def test_the_stamp_grows_with_changed_voxels_alone(plain: Any) -> None:
    before = content_stamp(plain)
    plain.SetName("other")
    assert content_stamp(plain) == before
    plain.GetImageData().GetPointData().GetScalars().Modified()
    assert content_stamp(plain) > before
