"""Several volumes in a file, and NaN outside a mask: the same answer in every format."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from MedSegFMLib import Volume
from MedSegFMLib.errors import VolumeError

FRAMES = np.random.default_rng(0).integers(-900, 900, (2, 3, 4, 5)).astype(np.int16)


def write_frames(path: Path) -> Path:
    if path.suffix == ".mgz":
        nibabel.save(nibabel.MGHImage(FRAMES.T, np.diag([1, 2, 3, 1])), path)
    elif path.name.endswith(".list.nrrd"):
        image = sitk.GetImageFromArray(np.moveaxis(FRAMES, 0, -1), isVector=True)
        image.SetSpacing((1, 2, 3))
        sitk.WriteImage(image, str(path))
    else:
        image = sitk.GetImageFromArray(FRAMES, isVector=False)
        image.SetSpacing((1, 2, 3, 4))
        sitk.WriteImage(image, str(path))
    return path


@pytest.mark.parametrize("ending", [".nii", ".nii.gz", ".nrrd", ".mha", ".mgz", ".list.nrrd"])
def test_one_of_several_volumes_is_chosen_by_frame(ending: str, tmp_path: Path) -> None:
    path = write_frames(tmp_path / f"v{ending}")
    with pytest.raises(VolumeError, match=r"2 volumes on one grid; choose|one with --frame"):
        Volume.read(path)
    for frame in (1, 2):
        read = Volume.read(path, frame=frame)
        assert np.array_equal(read.array_kji, FRAMES[frame - 1])
        assert np.allclose(read.geometry.spacing_ijk_mm, (1, 2, 3), atol=1e-5)
    for wrong in (0, 3, -1):
        with pytest.raises(VolumeError, match=f"2 volumes and no frame {wrong}"):
            Volume.read(path, frame=wrong)


@pytest.mark.parametrize("ending", [".nii.gz", ".nrrd", ".mha"])
def test_the_only_volume_is_the_first_frame(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"v{ending}"
    sitk.WriteImage(sitk.GetImageFromArray(FRAMES[0]), str(path))
    assert np.array_equal(Volume.read(path, frame=1).array_kji, FRAMES[0])
    with pytest.raises(VolumeError, match="1 volume and no frame 2; leave --frame out"):
        Volume.read(path, frame=2)
    with pytest.raises(VolumeError, match="not DICOM, so that no SUV"):
        Volume.read(path, suv=True)


@pytest.mark.parametrize("ending", [".nii", ".nii.gz", ".nrrd", ".mha", ".mgz"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nan_counts_as_background_in_every_format(
    ending: str, dtype: type, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    array = FRAMES[0].astype(np.float32 if ending == ".mgz" else dtype)
    lowest = array[1:].min()
    array[0, :, 2:] = np.nan
    path = tmp_path / f"v{ending}"
    if ending == ".mgz":
        nibabel.save(nibabel.MGHImage(array.T, np.eye(4)), path)
    else:
        sitk.WriteImage(sitk.GetImageFromArray(array), str(path))
    read = Volume.read(path).array_kji
    assert read.dtype == array.dtype
    assert np.array_equal(read, np.where(np.isnan(array), min(lowest, np.nanmin(array)), array))
    assert "has 12 voxels that are NaN and count as background" in caplog.text
    assert caplog.text.count("\n") == 1


@pytest.mark.parametrize("ending", [".nii", ".nrrd", ".mha"])
def test_infinite_values_count_as_the_nearest_finite_ones(
    ending: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    array = FRAMES[0].astype(np.float32)
    low, high = array[1:].min(), array[1:].max()
    array[0], array[0, 0, :3] = low, (np.inf, -np.inf, np.nan)
    sitk.WriteImage(sitk.GetImageFromArray(array), str(tmp_path / f"v{ending}"))
    array[0, 0, :3] = high, low, low
    assert np.array_equal(Volume.read(tmp_path / f"v{ending}").array_kji, array)
    assert (
        "1 voxel that is NaN and counts" in caplog.text
        and "2 voxels that are infinite" in caplog.text
    )


@pytest.mark.parametrize("ending", [".nii", ".nrrd", ".mha"])
def test_a_volume_of_nan_is_refused(ending: str, tmp_path: Path) -> None:
    image = sitk.GetImageFromArray(np.full((3, 4, 5), np.nan, np.float32))
    sitk.WriteImage(image, str(tmp_path / f"v{ending}"))
    with pytest.raises(VolumeError, match=r"Every voxel of .* is NaN"):
        Volume.read(tmp_path / f"v{ending}")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("ending", [".nii", ".nrrd", ".mha"])
@pytest.mark.parametrize("value", [1e300, -1.7e308])
def test_values_beyond_those_of_models_are_refused_by_name(
    value: float, ending: str, tmp_path: Path
) -> None:
    array = np.zeros((3, 4, 5))
    array[0, 0, :2] = value, np.nan
    sitk.WriteImage(sitk.GetImageFromArray(array), str(tmp_path / f"v{ending}"))
    with pytest.raises(VolumeError, match=rf"v{ending} has values from .* 32-bit floats"):
        Volume.read(tmp_path / f"v{ending}")
