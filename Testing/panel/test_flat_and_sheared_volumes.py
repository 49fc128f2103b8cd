"""A single slice and a tilted gantry in the panel: drawn on, segmented and saved as any volume."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from host.panel_driver import Desk
from sample_volumes import sheared_ball
from scene_helpers import add_transform, add_volume_node

from MedSegFMLib import Box, Geometry, Volume
from MedSegFMLib.metrics import dice


@pytest.fixture
def walker(desk: Desk) -> Desk:
    """The panel with a model that needs no packages."""
    desk.panel.parameters.model = type(desk.panel.parameters.model)["randomwalk"]
    return desk


def load(desk: Desk, volume: Volume, mask: np.ndarray) -> Any:
    import slicer

    node = add_volume_node(slicer.mrmlScene, volume, "loaded")
    desk.wait()
    desk.panel.parameters.volume = node
    desk.ball = mask
    desk.wait()
    return node


def flat(axis: int) -> tuple[Volume, np.ndarray]:
    """A slice with a bright disc, one voxel along an axis."""
    shape = [30, 32, 34]
    shape[axis] = 1
    squares = [(v - n // 2) ** 2 for v, n in zip(np.indices(shape), shape, strict=True)]
    disc = sum(squares) <= 64
    noise = np.random.default_rng(0).normal(0, 5, shape)
    geometry = Geometry.from_spacing((shape[0], shape[1], shape[2]), (1.0, 1.0, 1.0))
    return Volume((disc * 100 + noise).astype(np.int16), geometry), disc


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_single_slice_is_boxed_clicked_and_saved(walker: Desk, axis: int, tmp_path: Path) -> None:
    volume, disc = flat(axis)
    load(walker, volume, disc)
    assert not walker.ui.volumeHint.text and walker.ui.boxButton.enabled
    inside = np.argwhere(disc)[:, ::-1]
    # Both corners are in the plane of the slice, as in its view.
    low, high = inside.min(axis=0) - 1.0, inside.max(axis=0) + 1.0
    low[2 - axis] = high[2 - axis] = 0.0
    walker.draw_box(tuple(low), tuple(high))
    walker.wait(lambda: bool(walker.panel.logic.prompts.entries))
    walker.wait()
    assert dice(disc, walker.mask()) > 0.9
    corner = tuple(0.0 if n == 2 - axis else 2.0 for n in range(3))
    walker.ui.positiveButton.click()
    walker.click_in_view(corner)
    walker.wait(lambda: walker.ui.promptTable.rowCount == 2)
    walker.wait()
    voxel = tuple(int(v) for v in corner[::-1])
    assert walker.mask()[voxel]
    walker.ui.undoButton.click()
    walker.wait()
    assert not walker.mask()[voxel]
    walker.panel.dialogs.path = str(tmp_path / "seg.nrrd")
    walker.ui.exportButton.click()
    assert np.array_equal(Volume.read(tmp_path / "seg.nrrd").array_kji > 0, walker.mask())


def test_a_single_slice_is_offered_when_it_is_loaded(walker: Desk) -> None:
    import slicer

    node = add_volume_node(slicer.mrmlScene, flat(0)[0], "xray")
    walker.wait()
    assert walker.panel.parameters.volume is node and walker.panel.logic.volume is not None


@pytest.mark.parametrize("by_transform", [False, True])
def test_a_sheared_volume_is_segmented_on_its_own_grid(
    walker: Desk, by_transform: bool, tmp_path: Path
) -> None:
    volume, mask, _ = sheared_ball(np.diag([-1.0, -1.0, 1.0]))
    geometry = volume.geometry
    if by_transform:
        import slicer

        upright = Geometry.from_spacing(geometry.shape_kji, (0.9, 0.9, 3.0))
        shear = geometry.ijk_to_ras @ np.linalg.inv(upright.ijk_to_ras)
        transform = add_transform(slicer.mrmlScene, shear)
        node = load(walker, Volume(volume.array_kji, upright), mask)
        node.SetAndObserveTransformNodeID(transform.GetID())
        walker.wait()
    else:
        load(walker, volume, mask)
    logic = walker.panel.logic
    assert logic.volume.geometry.matches(geometry, 1e-6) and logic.volume.geometry.is_sheared
    inside = np.argwhere(mask)[:, ::-1]
    logic.add(Box.from_ijk(geometry, inside.min(axis=0), inside.max(axis=0) + 1))
    walker.wait()
    assert dice(mask, walker.mask()) > 0.9
    walker.ui.positiveButton.click()
    walker.click_in_view(tuple(geometry.ras_from_ijk((12, 12, 1)).tolist()))
    walker.wait(lambda: walker.ui.promptTable.rowCount == 2)
    walker.wait()
    assert walker.mask()[1, 12, 12]
    walker.panel.dialogs.path = str(tmp_path / "seg.nrrd")
    walker.ui.exportButton.click()
    saved = Volume.read(tmp_path / "seg.nrrd")
    assert saved.geometry.matches(geometry, 1e-3)
    assert np.array_equal(saved.array_kji > 0, walker.mask())
