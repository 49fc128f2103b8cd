"""Siemens mosaics, made up with CSA headers: unfolded at their places, or refused by name."""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from dicom_files import IMPLICIT, JPEG, RLE, Slice, noise, write_files
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from MedSegFMLib import Volume
from MedSegFMLib.errors import OutputError, VolumeError
from MedSegFMLib.volumes.segmentations.dicom_source import read_source

KIND = {"ImageType": ["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"]}


def csa(tags: Mapping[str, tuple[str, Sequence[object]]]) -> bytes:
    """A CSA header of version 2: (type, values) by name."""
    parts = [b"SV10\4\3\2\1" + struct.pack("<II", len(tags), 77)]
    for name, (vr, values) in tags.items():
        count = len(values)
        parts.append(struct.pack("<64si4s3i", name.encode(), count, vr.encode(), 3, 6, 77))
        for n in range(6):
            text = f"{values[n]}\0".encode() if n < count else b""
            parts.append(struct.pack("<4i", len(text), len(text), 77, len(text)))
            parts.append(text + bytes(-len(text) % 4))
    return b"".join(parts)


def tiled(array: np.ndarray) -> np.ndarray:
    """Slices (K, J, I) as the tiles of a square mosaic."""
    side = int(np.ceil(np.sqrt(len(array))))
    _, rows, columns = array.shape
    mosaic = np.zeros((side * rows, side * columns), array.dtype)
    for n, part in enumerate(array):
        j, i = n // side * rows, n % side * columns
        mosaic[j : j + rows, i : i + columns] = part
    return mosaic


def write(
    folder: Path,
    array: np.ndarray,
    axes: np.ndarray,
    origin: Sequence[float] = (-10, 20, 30),
    spacing: Sequence[float] = (2.0, 3.0, 4.0),
    normal: Sequence[float] | None = None,
    count: int | None = None,
    numbers: Sequence[int] = (1,),
    other_count: int | None = None,
    tags: Mapping[str, Any] | None = None,
    **more: Any,
) -> np.ndarray:
    """Mosaics of (K, J, I), one for each of `numbers`; returns the (4, 4) matrix to RAS.

    Args:
        axes: (3, 3) the directions of i, j and k in LPS, as columns; k is the first mosaic's.
        origin: the place of voxel 0, 0, 0; spacing: along i, j and k.
        normal, count, other_count: what the header states; by default the truth.
    """
    side = int(np.ceil(np.sqrt(len(array))))
    _, rows, columns = array.shape
    i, j, k = axes.T
    # The scanner places the mosaic around the middle of the slice.
    shift = i * spacing[0] * columns * (side - 1) / 2 + j * spacing[1] * rows * (side - 1) / 2
    header = {
        "NumberOfImagesInMosaic": ("US", [len(array) if count is None else count]),
        "SliceNormalVector": ("FD", [f"{v:.8f}" for v in (k if normal is None else normal)]),
        **(tags or {}),
    }
    header = {name: value for name, value in header.items() if value[1]}
    mosaics = [
        Slice(
            tiled(array + number - 1),
            tuple(np.asarray(origin) - shift),
            tuple(i),
            tuple(j),
            (spacing[1], spacing[0]),
            extra={"AcquisitionNumber": number},
        )
        for number in numbers
    ]
    elements = {**KIND, "SpacingBetweenSlices": f"{spacing[2]:.9g}", **more}
    for path in write_files(folder, mosaics, "MR", **elements):
        dataset = pydicom.dcmread(path)
        block = dataset.private_block(0x0029, "SIEMENS CSA HEADER", create=True)
        block.add_new(0x10, "OB", csa(header))
        if other_count:
            block = dataset.private_block(0x0019, "SIEMENS MR HEADER", create=True)
            block.add_new(0x0A, "US", other_count)
        dataset.save_as(path, enforce_file_format=True)
    matrix = np.eye(4)
    matrix[:3, :3] = axes * spacing
    matrix[:3, 3] = origin
    return np.diag([-1, -1, 1, 1]) @ matrix


def assert_read(volume: Volume, array: np.ndarray, matrix: np.ndarray) -> None:
    """Each voxel of the array is in the volume where the matrix places it."""
    k, j, i = (axis.ravel() for axis in np.indices(array.shape))
    ras = np.column_stack([i, j, k, np.ones(len(i))]) @ matrix[:3].T
    ijk = volume.geometry.ijk_from_ras(ras)
    nearest = np.rint(ijk).astype(int)
    assert volume.array_kji.shape == array.shape
    off_mm = np.linalg.norm(volume.geometry.ras_from_ijk(nearest) - ras, axis=1).max()
    assert off_mm < 1e-4
    assert np.array_equal(volume.array_kji[tuple(nearest.T[::-1])], array.ravel())


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("slices", [1, 2, 4, 7, 10])
def test_a_mosaic_is_divided_into_its_slices(tmp_path: Path, sign: int, slices: int) -> None:
    array = noise((slices, 6, 8))
    axes = np.diag([1.0, 1.0, sign])
    matrix = write(tmp_path, array, axes)
    assert_read(Volume.read(tmp_path), array, matrix)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(seed=st.integers(0, 2**32 - 1), slices=st.integers(1, 17))
def test_mosaics_in_any_orientation_are_right_to_1e_4_mm(
    tmp_path_factory: pytest.TempPathFactory, seed: int, slices: int
) -> None:
    rng = np.random.default_rng(seed)
    axes = Rotation.random(random_state=rng).as_matrix()
    if rng.random() < 0.5:
        axes[:, 2] *= -1
    folder = tmp_path_factory.mktemp("mosaic")
    array = noise((slices, 5, 7), seed)
    spacing, origin = rng.uniform(0.5, 5, 3).round(4), rng.uniform(-200, 200, 3).round(4)
    matrix = write(folder, array, axes, origin, spacing)
    assert_read(Volume.read(folder), array, matrix)


def test_a_real_mosaic_is_where_its_protocol_places_the_slices(real_data: Path) -> None:
    path = real_data / "geometry/geo_dicom_enhanced_multiframe/siemens_mosaic.dcm"
    volume = Volume.read(path)
    content = path.read_bytes()
    protocol = re.search(rb"ASCCONV BEGIN.*?ASCCONV END", content, re.DOTALL)[0].decode("latin-1")
    found = re.findall(r"asSlice\[(\d+)\]\.sPosition\.d(Sag|Cor|Tra)\s*=\s*(\S+)", protocol)
    centres = np.zeros((len({n for n, _, _ in found}), 3))
    for n, axis, value in found:
        centres[int(n), ("Sag", "Cor", "Tra").index(axis)] = float(value)
    slices, rows, columns = volume.geometry.shape_kji
    middles = volume.geometry.ras_from_ijk([(columns / 2, rows / 2, k) for k in range(slices)])
    ours, theirs = (sorted(p.round(3).tolist()) for p in (middles * (-1, -1, 1), centres))
    assert np.allclose(ours, theirs, atol=1e-3)


@pytest.mark.parametrize("syntax", [IMPLICIT, RLE, JPEG + "80"])
def test_mosaics_in_other_syntaxes_are_read(tmp_path: Path, syntax: str) -> None:
    array = noise((5, 6, 8))
    matrix = write(tmp_path, array, np.eye(3), syntax=syntax)
    assert_read(Volume.read(tmp_path), array, matrix)


def test_a_series_of_mosaics_is_chosen_by_frame(tmp_path: Path) -> None:
    array = noise((5, 6, 8))
    matrix = write(tmp_path, array, np.eye(3), numbers=(1, 2, 3))
    with pytest.raises(VolumeError, match="choose one with --frame 1 to 3"):
        Volume.read(tmp_path)
    for frame in (1, 2, 3):
        assert_read(Volume.read(tmp_path, frame=frame), array + frame - 1, matrix)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"tags": {"SliceNormalVector": ("FD", [])}}, "without SliceNormalVector"),
        ({"tags": {"NumberOfImagesInMosaic": ("US", [])}}, "without one NumberOfImagesInMosaic"),
        ({"count": 0}, "without one NumberOfImagesInMosaic"),
        ({"normal": (1, 0, 0)}, "without undamaged CSA header at right angles"),
        ({"normal": (0, 0, 0.5)}, "without undamaged CSA header at right angles"),
        ({"SpacingBetweenSlices": ""}, "without SpacingBetweenSlices"),
        ({"count": 6}, "without number of slices that leaves the other tiles empty"),
        ({"count": 26}, "leaves the other tiles empty|tiles fill"),
        ({"other_count": 4}, "without one NumberOfImagesInMosaic"),
    ],
)
def test_a_mosaic_whose_slices_are_not_proven_is_refused_by_name(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    write(tmp_path, noise((7, 8, 8)), np.eye(3), **changes)
    with pytest.raises(VolumeError, match=said) as raised:
        Volume.read(tmp_path)
    assert "000.dcm is a Siemens mosaic" in str(raised.value)


@pytest.mark.parametrize("size", [0, 3, 60, 200, 300])
def test_a_damaged_csa_header_is_refused_by_name(tmp_path: Path, size: int) -> None:
    write(tmp_path, noise((7, 8, 8)), np.eye(3))
    dataset = pydicom.dcmread(tmp_path / "000.dcm")
    block = dataset.private_block(0x0029, "SIEMENS CSA HEADER")
    block[0x10].value = block[0x10].value[:size]
    dataset.save_as(tmp_path / "000.dcm")
    with pytest.raises(VolumeError, match=r"000\.dcm is a Siemens mosaic"):
        Volume.read(tmp_path)


def test_dicom_objects_do_not_refer_to_slices_in_a_mosaic(tmp_path: Path) -> None:
    write(tmp_path / "m", noise((7, 8, 8)), np.eye(3))
    with pytest.raises(OutputError, match=r"a Siemens mosaic, .* write \.seg\.nrrd instead"):
        read_source(tmp_path / "x.dcm", tmp_path / "m")
