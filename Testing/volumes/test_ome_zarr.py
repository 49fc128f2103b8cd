"""OME-Zarr 0.4 and 0.5: one level, channel and time, with the spacing in millimetres."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from MedSegFMLib import Volume
from MedSegFMLib.errors import VolumeError

zarr = pytest.importorskip("zarr", reason="zarr is an optional extra")

NAMES = "tczyx"
KINDS = {"t": "time", "c": "channel"}
VOXELS = np.random.default_rng(0).integers(-500, 2000, (2, 3, 5, 6, 7), np.int16)


def axes(units: Mapping[str, str], names: str = NAMES) -> list[dict[str, Any]]:
    items = []
    for name in names:
        item: dict[str, Any] = {"name": name, "type": KINDS.get(name, "space")}
        items.append({**item, **({"unit": units[name]} if name in units else {})})
    return items


MICRO = dict.fromkeys("xyz", "micrometer")


def write(
    path: Path,
    version: str = "0.5",
    voxels: np.ndarray = VOXELS,
    names: str = NAMES,
    units: Mapping[str, str] = MICRO,
    image: Mapping[str, Any] | None = None,
    labels: Sequence[str] = (),
    **array: Any,
) -> Path:
    """An image of two levels, 2 x 3 x 4 µm (x, y, z) at (10, 20, 30) µm."""
    number = 2 if version == "0.4" else 3
    group = zarr.open_group(path, mode="w", zarr_format=number)
    spatial = {"x": 2.0, "y": 3.0, "z": 4.0}
    places = {"x": 10.0, "y": 20.0, "z": 30.0}
    datasets = []
    for level in (0, 1):
        every = tuple(slice(None, None, 1 + level if n in spatial else 1) for n in names)
        part = voxels[every]
        more = {"chunks": (1,) * (part.ndim - 3) + (2, 4, 4), **array}
        group.create_array(str(level), shape=part.shape, dtype=part.dtype, **more)[:] = part
        scale = [spatial.get(n, 1.0) * (1 + level if n in spatial else 1) for n in names]
        shift = [places.get(n, 0.0) for n in names]
        steps = [{"type": "scale", "scale": scale}, {"type": "translation", "translation": shift}]
        datasets.append({"path": str(level), "coordinateTransformations": steps})
    found: dict[str, Any] = {"axes": axes(units, names), "datasets": datasets, **(image or {})}
    block: dict[str, Any] = {"multiscales": [found]}
    if labels:
        block["omero"] = {"channels": [{"label": label} for label in labels]}
    if version == "0.4":
        found["version"] = version
        group.attrs.update(block)
    else:
        group.attrs["ome"] = {"version": version, **block}
    return path


def zipped(path: Path, inside: bool = False) -> Path:
    """A zip file of a folder: of its contents, or with the folder itself."""
    name = shutil.make_archive(
        str(path), "zip", path.parent if inside else path, path.name if inside else None
    )
    return Path(name)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("kind", ["folder", "zip", "zip with folder"])
def test_a_level_a_channel_and_a_time_are_read_in_millimetres(
    tmp_path: Path, version: str, kind: str
) -> None:
    path = write(tmp_path / "a.zarr", version)
    if kind != "folder":
        path = zipped(path, kind == "zip with folder")
    volume = Volume.read(path, frame=2, channel=3)
    assert np.array_equal(volume.array_kji, VOXELS[1, 2])
    assert volume.array_kji.dtype == np.int16
    assert np.allclose(volume.geometry.spacing_ijk_mm, (0.002, 0.003, 0.004))
    assert np.allclose(volume.geometry.origin_ras, (-0.01, -0.02, 0.03))
    assert volume.geometry.axis_codes == "LPS"
    small = Volume.read(path, frame=1, channel="1", level=1)
    assert np.array_equal(small.array_kji, VOXELS[0, 0, ::2, ::2, ::2])
    assert np.allclose(small.geometry.spacing_ijk_mm, (0.004, 0.006, 0.008))


@pytest.mark.parametrize(
    ("unit", "mm"), [("millimeter", 1), ("nanometer", 1e-6), ("meter", 1e3), ("inch", 25.4)]
)
def test_units_are_converted(tmp_path: Path, unit: str, mm: float) -> None:
    path = write(tmp_path / "a.zarr", voxels=VOXELS[0, 0], names="zyx", units={**MICRO, "z": unit})
    spacing = Volume.read(path).geometry.spacing_ijk_mm
    assert np.allclose(spacing, (0.002, 0.003, 4 * mm))


def test_axes_are_taken_by_name(tmp_path: Path) -> None:
    path = write(tmp_path / "a.zarr", voxels=VOXELS[0, 0].transpose(2, 0, 1), names="xzy")
    volume = Volume.read(path)
    assert np.array_equal(volume.array_kji, VOXELS[0, 0])
    assert np.allclose(volume.geometry.spacing_ijk_mm, (0.002, 0.003, 0.004))


def test_transformations_of_the_whole_pyramid_come_after_those_of_a_level(tmp_path: Path) -> None:
    steps = [
        {"type": "scale", "scale": [10.0, 10.0, 10.0]},
        {"type": "translation", "translation": [1.0, 2.0, 3.0]},
    ]
    image = {"coordinateTransformations": steps}
    path = write(tmp_path / "a.zarr", voxels=VOXELS[0, 0], names="zyx", image=image)
    geometry = Volume.read(path).geometry
    assert np.allclose(geometry.spacing_ijk_mm, (0.02, 0.03, 0.04))
    assert np.allclose(geometry.origin_ras, (-0.103, -0.202, 0.301))


def test_an_anatomical_orientation_is_followed(tmp_path: Path) -> None:
    items = axes(MICRO, "zyx")
    values = ("anterior-to-posterior", "inferior-to-superior", "left-to-right")
    for item, value in zip(items, values, strict=True):
        item["orientation"] = {"type": "anatomical", "value": value}
    path = write(tmp_path / "a.zarr", voxels=VOXELS[0, 0], names="zyx", image={"axes": items})
    matrix = Volume.read(path).geometry.ijk_to_ras
    wanted = [[0.002, 0, 0, 0.01], [0, 0, -0.004, -0.03], [0, 0.003, 0, 0.02]]
    assert np.allclose(matrix[:3], wanted)


def test_channels_are_chosen_by_name(tmp_path: Path) -> None:
    path = write(tmp_path / "a.zarr", voxels=VOXELS[0], names="czyx", labels=["DAPI", "GFP", "2"])
    assert np.array_equal(Volume.read(path, channel="gfp").array_kji, VOXELS[0, 1])
    # A name counts before a number.
    assert np.array_equal(Volume.read(path, channel=2).array_kji, VOXELS[0, 2])
    with pytest.raises(VolumeError, match="--channel: 1 DAPI, 2 GFP, 3 2"):
        Volume.read(path)
    with pytest.raises(VolumeError, match="has no one channel 'RFP'"):
        Volume.read(path, channel="RFP")


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_a_single_slice_and_both_byte_orders_are_read(
    tmp_path: Path, version: str, big: bool
) -> None:
    given = VOXELS[0, 0, :1].astype(">i2" if big else "<i2")
    path = write(tmp_path / "a.zarr", version, given, "zyx", chunks=(1, 6, 7))
    volume = Volume.read(path)
    assert np.array_equal(volume.array_kji, VOXELS[0, 0, :1]) and volume.array_kji.dtype.isnative


def test_a_volume_in_a_segment_command_is_chosen_by_options(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from MedSegFMLib.cli import main

    path = write(tmp_path / "a.zarr", labels=["DAPI", "GFP", "RFP"])
    words = ["show", str(path), "--frame", "2", "--channel", "GFP", "--level", "1"]
    assert main(words) == 0
    assert "4 x 3 x 3" in capsys.readouterr().out.replace("×", "x")


@pytest.mark.parametrize("sharded", [False, True])
def test_chunks_that_are_not_stored_are_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, sharded: bool
) -> None:
    more: dict[str, Any] = {"shards": (4, 8, 8)} if sharded else {}
    path = write(tmp_path / "a.zarr", voxels=VOXELS[0, 0] + 5000, names="zyx", **more)
    Volume.read(path)
    assert "not stored" not in caplog.text
    chunk = sorted((path / "0" / "c").rglob("0"))[0]
    (chunk if chunk.is_file() else next(p for p in chunk.rglob("*") if p.is_file())).unlink()
    Volume.read(path)
    assert "chunks not stored, which count as 0" in caplog.text


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, r"2 volumes on one grid; choose one with --frame 1 to 2"),
        ({"frame": 3}, "no frame 3"),
        ({"frame": 1}, "has several channels; choose one with --channel: 1, 2, 3"),
        ({"frame": 1, "channel": 4}, "has no one channel '4'"),
        ({"frame": 1, "channel": 1, "level": 2}, "has no level 2; choose one of 0 to 1"),
        ({"frame": 1, "channel": 1, "level": -1}, "has no level -1"),
        ({"frame": 1, "channel": 1, "spacing_ijk_mm": (1, 1, 1)}, "states its own spacing"),
        ({"frame": 1, "channel": 1, "suv": True}, "is not DICOM"),
        ({"series": 1}, "is not DICOM and has no series"),
    ],
)
def test_what_an_image_does_not_have_is_refused_with_the_choice(
    tmp_path: Path, options: dict[str, Any], said: str
) -> None:
    path = write(tmp_path / "a.zarr")
    with pytest.raises(VolumeError, match=said):
        Volume.read(path, **options)


def test_without_units_the_spacing_is_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path / "a.zarr", voxels=VOXELS[0, 0], names="zyx", units={"x": "pixel"})
    with pytest.raises(VolumeError, match=r"no unit of length for x, y, z; give .* --spacing"):
        Volume.read(path)
    volume = Volume.read(path, spacing_ijk_mm=(0.5, 0.6, 2))
    assert np.allclose(volume.geometry.spacing_ijk_mm, (0.5, 0.6, 2))


def steps_of(*steps: Mapping[str, Any]) -> dict[str, Any]:
    return {"datasets": [{"path": "0", "coordinateTransformations": list(steps)}]}


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (steps_of({"type": "scale", "scale": [1, 1]}), r"damaged \(scale\)"),
        (steps_of({"type": "scale", "scale": [1, 1, 0]}), r"damaged \(scale\)"),
        (steps_of({"type": "scale", "scale": [1, 1, -2]}), r"damaged \(scale\)"),
        (steps_of({"type": "scale", "scale": [1, 1, "a"]}), r"damaged \(multiscales\)"),
        (steps_of({"type": "affine", "affine": []}), "transformation 'affine'"),
        (steps_of({"type": "scale", "path": "s"}), "transformation 'scale'"),
        ({"datasets": [{"path": "0"}]}, r"damaged \(multiscales\)"),
        ({"datasets": [{**steps_of()["datasets"][0], "path": "9"}]}, r"a\.zarr"),
        ({"axes": axes(MICRO, "zy")}, "x, y and z alone have to be of the type space"),
        ({"axes": axes(MICRO, "zyq")}, "x, y and z alone have to be of the type space"),
        ({"axes": ["z", "y", "x"]}, r"damaged \(multiscales\)"),
        ({"axes": axes({**MICRO, "z": "parsec"}, "zyx")}, "the unit 'parsec'"),
        ({"axes": axes(MICRO, "czyx")}, "other axes than its metadata state|damaged"),
        ({"axes": 3}, r"damaged \(multiscales\)"),
    ],
)
def test_damaged_metadata_are_refused_by_name(
    tmp_path: Path, image: dict[str, Any], said: str
) -> None:
    path = write(tmp_path / "a.zarr", voxels=VOXELS[0, 0], names="zyx", image=image)
    with pytest.raises(VolumeError, match=said) as raised:
        Volume.read(path)
    assert "a.zarr" in str(raised.value)


def test_other_versions_and_groups_without_an_image_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.zarr", "0.6")
    with pytest.raises(VolumeError, match=r"OME-Zarr '0\.6', and 0\.4 and 0\.5 are read"):
        Volume.read(path)
    zarr.open_group(tmp_path / "b.zarr", mode="w").create_group("0")
    with pytest.raises(VolumeError, match="name the group of an image in it, such as its folder 0"):
        Volume.read(tmp_path / "b.zarr")


@pytest.mark.parametrize(("version", "kind"), [("0.4", "blosc"), ("0.5", "zstd"), ("0.5", "blosc")])
def test_damaged_chunks_and_headers_are_refused(tmp_path: Path, version: str, kind: str) -> None:
    more = {"compressors": zarr.codecs.BloscCodec()} if (version, kind) == ("0.5", "blosc") else {}
    path = write(tmp_path / "a.zarr", version, VOXELS[0, 0], "zyx", **more)
    # Attributes of an array mean nothing to OME-Zarr.
    files = [p for p in (path / "0").rglob("*") if p.is_file() and p.name != ".zattrs"]
    for file in files:
        content = file.read_bytes()
        for damage in (content[: len(content) // 2], b"", content[::-1]):
            file.write_bytes(damage)
            with pytest.raises(VolumeError, match=r"a\.zarr"):
                Volume.read(path)
        file.write_bytes(content)
    assert np.array_equal(Volume.read(path).array_kji, VOXELS[0, 0])


def test_a_zip_file_that_was_cut_short_is_refused(tmp_path: Path) -> None:
    path = zipped(write(tmp_path / "a.zarr"))
    content = path.read_bytes()
    for size in (0, 10, len(content) // 2, len(content) - 30):
        path.write_bytes(content[:size])
        with pytest.raises(VolumeError, match=r"a\.zarr\.zip"):
            Volume.read(path)


def test_an_image_larger_than_memory_is_refused_by_its_header(tmp_path: Path) -> None:
    path = write(tmp_path / "a.zarr", voxels=VOXELS[0, 0], names="zyx")
    header = path / "0" / "zarr.json"
    given = json.loads(header.read_text())
    for shape, chunk in (([1 << 20] * 3, [64] * 3), ([5, 6, 7], [1 << 20] * 3)):
        given["shape"] = shape
        given["chunk_grid"]["configuration"]["chunk_shape"] = chunk
        header.write_text(json.dumps(given))
        with pytest.raises(VolumeError, match="GB of memory"):
            Volume.read(path)


@pytest.mark.parametrize("dtype", ["c8", "S4"])
def test_voxels_that_are_no_real_numbers_are_refused(tmp_path: Path, dtype: str) -> None:
    path = write(tmp_path / "a.zarr", "0.4", np.zeros((4, 4, 4), dtype), "zyx")
    with pytest.raises(VolumeError, match="one real number per voxel is needed"):
        Volume.read(path)


def test_without_the_package_the_way_to_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "a.zarr")
    monkeypatch.setitem(sys.modules, "zarr", None)
    with pytest.raises(VolumeError, match=r'pip install "\.\[zarr\]"'):
        Volume.read(path)


def test_other_formats_have_no_levels_and_channels(tmp_path: Path) -> None:
    path = write(tmp_path / "a.zarr", voxels=VOXELS[0, 0], names="zyx")
    Volume.read(path).write(tmp_path / "a.nii")
    with pytest.raises(VolumeError, match="is not OME-Zarr and has no levels; leave --level out"):
        Volume.read(tmp_path / "a.nii", level=0)
