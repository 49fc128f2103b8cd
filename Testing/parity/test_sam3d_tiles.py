"""SAM3D's tiles: weights of a patch, and places of patches, as in nnU-Net, whose SAM3D's are.

nnU-Net's own functions run beside ours. With a floor of 1e-3 instead of nnU-Net's smallest weight,
2 % of the voxels of a volume of four classes were of another class.
"""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
windows = pytest.importorskip("nnunetv2.inference.sliding_window_prediction")

from MedSegFMLib.models.sam3d.patches import PatchGrid, bell  # noqa: E402

PUBLISHED = {
    "ACDC": (14, 160, 160),
    "Synapse": (64, 176, 176),
    "BraTS": (64, 64, 64),
    "Lung": (34, 192, 192),
}
"""The patches (slices, rows, columns) of the four published data sets."""


@pytest.mark.parametrize("sides", PUBLISHED.values(), ids=PUBLISHED)
def test_a_patch_weighs_as_in_nnunet_to_its_corners(sides: tuple[int, int, int]) -> None:
    theirs = windows.compute_gaussian(
        sides, sigma_scale=1 / 8, dtype=torch.float32, device=torch.device("cpu")
    ).numpy()
    assert np.allclose(bell(sides), theirs, rtol=1e-4, atol=0)
    assert theirs.min() == pytest.approx(3.8e-11, rel=0.02)


@pytest.mark.parametrize("shape", [(14, 200, 161), (40, 400, 320), (64, 177, 500)])
def test_patches_lie_where_nnunets_lie(shape: tuple[int, int, int]) -> None:
    for depth, side, _ in PUBLISHED.values():
        # Where a volume is smaller than a patch, it is padded first.
        padded = tuple(max(n, patch) for n, patch in zip(shape, (depth, side, side), strict=True))
        theirs = windows.compute_steps_for_sliding_window(padded, (depth, side, side), 0.5)
        grid = PatchGrid.covering(shape, side, depth, 0.5)
        rows, columns = zip(*grid.corners, strict=True)
        found = [sorted({int(v) for v in starts}) for starts in (grid.slices, rows, columns)]
        assert found == [sorted({int(v) for v in starts}) for starts in theirs]
