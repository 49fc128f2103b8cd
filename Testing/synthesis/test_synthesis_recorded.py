"""Packs of real volumes, and the scenes made from them."""

from __future__ import annotations

import json
import pickle
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("skimage")

from MedSegFMLib.errors import VolumeError  # noqa: E402
from MedSegFMLib.synthesis.recorded.pack import PackSource, pack_volume, read_sources  # noqa: E402
from MedSegFMLib.synthesis.recorded.pack_format import (  # noqa: E402
    PackedVolume,
    StoredVoxels,
    load_pack,
    pack_writer,
    save_pack,
)
from MedSegFMLib.synthesis.recorded.source import USES, RecordedSource  # noqa: E402
from MedSegFMLib.synthesis.scene import RandomGenerators, Scene  # noqa: E402
from MedSegFMLib.volumes.geometry import Geometry  # noqa: E402
from MedSegFMLib.volumes.region import Shape  # noqa: E402
from MedSegFMLib.volumes.volume import Volume  # noqa: E402

SPACING_IJK_MM = (1.0, 1.5, 3.0)
SHAPE: Shape = (16, 20, 24)


def ball(shape: Shape, center_kji: tuple[float, ...], radius: float) -> np.ndarray:
    apart = np.indices(shape) - np.reshape(center_kji, (3, 1, 1, 1))
    return (apart**2).sum(0) <= radius**2


def write(path: Path, array: np.ndarray) -> str:
    Volume(array, Geometry.from_spacing(array.shape, SPACING_IJK_MM)).write(path)
    return path.name


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pack")
    rng = np.random.default_rng(0)
    shape = (24, 30, 34)
    bright, dark = ball(shape, (12, 14, 11), 6), ball(shape, (10, 15, 25), 5)
    image = 100 + 200 * bright - 60 * dark + rng.normal(0, 4, shape)
    labels = 7 * bright.astype(np.uint8) + 40 * ball(shape, (12, 14, 18), 4)
    image_name = write(folder / "image.nii.gz", image.astype(np.float32))
    body = np.zeros(shape, np.int16)
    body[1:-1, 1:-1, 1:-1] = 100
    whole_name = write(folder / "whole.nii.gz", body + 200 * bright)
    mask_name = write(folder / "mask.nii.gz", bright.astype(np.uint8))
    labels_name = write(folder / "labels.nii.gz", labels)

    def source(name: str, image: str | None, label: str | None) -> dict[str, object]:
        return {
            "name": name,
            "image": image,
            "label": label,
            "licence": f"licence of {name}",
            "attribution": f"by {name}",
        }

    sources = [
        source("both", image_name, mask_name),
        source("labels", None, labels_name) | {"groups": [[7, 40], [99]]},
        source("image", whole_name, None),
    ]
    (folder / "sources.json").write_text(json.dumps({"sources": sources}))
    sources_read = read_sources(folder / "sources.json")
    save_pack([pack_volume(s) for s in sources_read], folder / "pack.npz")
    return folder / "pack.npz"


def made(pack: Path, use: str, seed: int, shape: Shape = SHAPE) -> Scene:
    generators = RandomGenerators.seeded(seed, torch.device("cpu"))
    return RecordedSource(pack, [use]).scene(shape, generators)


def test_pack_keeps_spacing_licence_and_attribution(pack: Path) -> None:
    for packed in load_pack(pack):
        assert packed.spacing_kji_mm == pytest.approx(SPACING_IJK_MM[::-1])
        assert packed.licence == f"licence of {packed.name}"
        assert packed.attribution == f"by {packed.name}"


def test_voxels_stay_in_the_file_until_they_are_used(pack: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.npz"
    content = bytearray(pack.read_bytes())
    copy.write_bytes(content)
    both = load_pack(copy)[0]
    assert isinstance(both.image, StoredVoxels) and both.image.shape == both.shape_kji
    first = np.asarray(both.image)
    assert first.dtype == np.uint8 and np.array_equal(first, np.asarray(both.image))
    # Opened by another process, it is opened anew.
    assert np.array_equal(np.asarray(pickle.loads(pickle.dumps(both.image))), first)
    with zipfile.ZipFile(copy) as archive:
        start = archive.getinfo("0/image.npy").header_offset
    content[start + 100 : start + 400] = bytes(300)
    copy.write_bytes(content)
    with pytest.raises(VolumeError, match="cannot be read as a pack"):
        np.asarray(load_pack(copy)[0].image)


def test_a_pack_is_written_volume_by_volume(tmp_path: Path) -> None:
    def volume(number: int) -> PackedVolume:
        image = np.random.default_rng(number).integers(0, 255, (64, 64, 64), np.uint8)
        return PackedVolume(str(number), (1.0, 1.0, 1.0), "CC0", "nobody", image=image)

    tracemalloc.start()
    try:
        with pack_writer(tmp_path / "many.npz") as writer:
            for number in range(40):
                writer.add(volume(number))
        loaded = load_pack(tmp_path / "many.npz")
        for packed, number in zip(loaded, range(40), strict=True):
            assert np.array_equal(np.asarray(packed.image), np.asarray(volume(number).image))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # All of them together have 10 MB; random numbers cannot be compressed.
    assert peak < 6_000_000


def test_labels_are_numbered_and_cropped_to_what_is_not_empty(pack: Path) -> None:
    labels = load_pack(pack)[1]
    assert labels.image is None and labels.labels is not None
    # Balls from i = 11 - 6 to 18 + 4, as wide as the larger one otherwise.
    assert labels.shape_kji == (13, 13, 18)
    assert set(np.unique(np.asarray(labels.labels))) <= {0, 1, 2, 3}
    assert labels.groups[0] == (1, 2)


def test_boxes_and_sizes_are_those_of_the_labels(pack: Path) -> None:
    both = load_pack(pack)[0]
    assert both.labels is not None and both.boxes is not None and both.sizes is not None
    where = np.argwhere(np.asarray(both.labels) == 1)
    assert both.boxes[0].tolist() == [*where.min(0), *(where.max(0) + 1)]
    assert both.sizes.tolist() == [len(where)]


@pytest.mark.parametrize("side", [176, 177, 178, 353, 354])
def test_image_and_labels_of_a_long_volume_are_pooled_to_one_grid(
    tmp_path: Path, side: int
) -> None:
    body = np.full((4, 5, side), 100, np.float32)
    body[1] = 300
    labels = np.zeros(body.shape, np.uint8)
    labels[..., side // 3 :] = 1
    image_name = write(tmp_path / "image.nii.gz", body)
    labels_name = write(tmp_path / "labels.nii.gz", labels)
    source = PackSource("long", tmp_path / image_name, tmp_path / labels_name, "CC0", "nobody")
    save_pack([pack_volume(source)], tmp_path / "long.npz")
    [packed] = load_pack(tmp_path / "long.npz")
    assert packed.labels is not None and np.asarray(packed.labels)[..., -1].all()


def test_regions_are_ranges_of_supervoxels_that_fill_their_boxes(pack: Path) -> None:
    image = load_pack(pack)[2]
    assert image.ranges is not None and image.range_boxes is not None
    assert image.supervoxels is not None and len(image.ranges)
    supervoxels = np.asarray(image.supervoxels)
    for (start, stop), box in zip(image.ranges, image.range_boxes, strict=True):
        where = np.argwhere((supervoxels >= start) & (supervoxels < stop))
        assert box.tolist() == [*where.min(0), *(where.max(0) + 1)]


def test_a_clear_ball_is_a_region(pack: Path) -> None:
    image = load_pack(pack)[2]
    assert image.image is not None and image.supervoxels is not None
    assert image.ranges is not None
    truth, supervoxels = np.asarray(image.image) > 128, np.asarray(image.supervoxels)
    overlaps = []
    for start, stop in image.ranges:
        region = (supervoxels >= start) & (supervoxels < stop)
        overlaps.append(2 * (region & truth).sum() / (region.sum() + truth.sum()))
    assert max(overlaps) > 0.9


@pytest.mark.parametrize("use", USES)
def test_scene_has_the_shape_asked_for_and_an_object(pack: Path, use: str) -> None:
    source = RecordedSource(pack, [use])
    generators = RandomGenerators.seeded(3, torch.device("cpu"))
    for _ in range(12):
        scene = source.scene(SHAPE, generators)
        assert scene.image.shape == scene.labels.shape == SHAPE
        assert scene.image.dtype == torch.float32 and scene.labels.dtype == torch.int16
        assert 0 <= float(scene.image.min()) < float(scene.image.max()) <= 1
        assert bool((scene.labels == 1).any()) and int(scene.labels.min()) >= 0
        assert all(mm > 0 for mm in scene.spacing_kji_mm)


@pytest.mark.parametrize("use", USES)
def test_same_seed_gives_the_same_scene(pack: Path, use: str) -> None:
    first, again, other = made(pack, use, 5), made(pack, use, 5), made(pack, use, 6)
    assert torch.equal(first.image, again.image) and torch.equal(first.labels, again.labels)
    assert not torch.equal(first.image, other.image)


def test_real_mask_stays_on_its_object(pack: Path) -> None:
    source = RecordedSource(pack, ["labelled"])
    generators = RandomGenerators.seeded(0, torch.device("cpu"))
    apart = []
    for _ in range(10):
        scene = source.scene((24, 24, 24), generators)
        inside = scene.labels == 1
        apart.append(abs(float(scene.image[inside].mean() - scene.image[~inside].mean())))
    # The ball is far brighter than what is around; rarely, all is inverted.
    assert min(apart) > 0.15


@pytest.mark.gpu
def test_scenes_are_made_on_the_gpu(pack: Path) -> None:
    source = RecordedSource(pack)
    generators = RandomGenerators.seeded(3, torch.device("cuda"))
    for _ in range(12):
        scene = source.scene(SHAPE, generators)
        assert scene.image.is_cuda and scene.labels.is_cuda


def test_missing_pack_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VolumeError, match="does not exist"):
        RecordedSource(tmp_path / "none.npz")


@pytest.mark.parametrize("part", [0, 0.3, 0.9])
def test_truncated_pack_is_refused(pack: Path, tmp_path: Path, part: float) -> None:
    damaged = tmp_path / "pack.npz"
    content = pack.read_bytes()
    damaged.write_bytes(content[: int(part * len(content))])
    with pytest.raises(VolumeError, match="cannot be read as a pack"):
        RecordedSource(damaged)


def test_other_files_are_no_packs(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", values=np.zeros(3))
    np.save(tmp_path / "other.npy", np.zeros(3))
    (tmp_path / "text.npz").write_text("hello")
    np.savez(tmp_path / "older.npz", index=np.array(["recordings 0", "[]"]))
    for path in tmp_path.iterdir():
        with pytest.raises(VolumeError):
            RecordedSource(path)


def test_uses_that_a_pack_cannot_serve_are_refused(pack: Path, tmp_path: Path) -> None:

    save_pack([load_pack(pack)[1]], tmp_path / "labels.npz")
    with pytest.raises(VolumeError, match="labelled"):
        RecordedSource(tmp_path / "labels.npz", ["labelled"])
    RecordedSource(tmp_path / "labels.npz").scene(
        SHAPE, RandomGenerators.seeded(0, torch.device("cpu"))
    )


@pytest.mark.parametrize(
    "text",
    [
        "no json",
        "[]",
        '{"sources": []}',
        '{"sources": [{"name": "a"}]}',
        '{"sources": [{"name": "a", "image": null, "label": null, "licence": "", '
        '"attribution": ""}]}',
    ],
)
def test_unusable_lists_of_sources_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "sources.json"
    path.write_text(text)
    with pytest.raises(VolumeError):
        read_sources(path)


def test_names_that_stand_twice_are_refused(tmp_path: Path) -> None:
    item = {"name": "a", "image": "a.nii", "label": None, "licence": "", "attribution": ""}
    (tmp_path / "sources.json").write_text(json.dumps({"sources": [item, item]}))
    with pytest.raises(VolumeError, match="twice"):
        read_sources(tmp_path / "sources.json")


def test_missing_list_of_sources_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VolumeError, match="cannot be read"):
        read_sources(tmp_path / "none.json")
