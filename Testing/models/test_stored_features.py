"""Models that encode images find them on disk, with the same result to the bit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import run
from sample_volumes import make_blob

from MedSegFMLib import Box, Geometry, Point, Session, create
from MedSegFMLib.models.ensam.graph_runtime import GraphRuntime
from MedSegFMLib.models.planar.grey_levels import GreyWindow
from MedSegFMLib.models.sam.feature_cache import SliceFeatures
from MedSegFMLib.models.sam.preprocessing import SamPreprocessor
from MedSegFMLib.progress import Progress, no_progress
from MedSegFMLib.system import feature_store

GEOMETRY = Geometry.from_spacing((18, 22, 24), (0.9, 0.9, 2.1))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path) -> Iterator[Path]:
    feature_store.use(feature_store.FeatureStore(tmp_path / "encoded"))
    yield tmp_path / "encoded"
    feature_store.use(None)


def test_ensam_encodes_a_region_once_for_all_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("openvino")
    encoded = []
    encode = GraphRuntime.encode

    def counted(self: GraphRuntime, *arguments: Any) -> Any:
        encoded.append(1)
        return encode(self, *arguments)

    monkeypatch.setattr(GraphRuntime, "encode", counted)
    logits = []
    for n, volume in enumerate((make_blob(GEOMETRY)[0],) * 2):
        session = Session(create("ensam", device="cpu", refine="no"), volume)
        session.add(Box.from_ijk(GEOMETRY, (4 + n // 2, 4, 3), (20, 18, 15)))
        logits.append(session.predict().logits_kji)
    assert len(encoded) == 1 and np.array_equal(*logits)
    feature_store.use(None)
    session = Session(create("ensam", device="cpu", refine="no"), make_blob(GEOMETRY)[0])
    session.add(Box.from_ijk(GEOMETRY, (4, 4, 3), (20, 18, 15)))
    assert np.array_equal(session.predict().logits_kji, logits[0]) and len(encoded) == 2


def test_of_the_sizes_that_ensam_tries_around_a_click_one_is_kept_on_disk(folder: Path) -> None:
    pytest.importorskip("openvino")
    session = Session(create("ensam", device="cpu", refine="no"), make_blob(GEOMETRY)[0])
    session.add(Point.from_ijk(GEOMETRY, (12, 11, 9)))
    session.predict()
    assert len([path for path in folder.rglob("*") if path.is_file()]) == 1


class Encoder:
    """Features that tell what was encoded; counts the images."""

    def __init__(self, identity: str) -> None:
        self.identity = identity
        self.count = 0

    def encode(self, images: Any, progress: Progress) -> list[np.ndarray]:
        self.count += len(images)
        return [np.full((2, 1, 1), image.mean() / 3, np.float32) for image in images]


@pytest.mark.parametrize(("identity", "count"), [("sam 1", 1), ("", 3)])
def test_slices_that_are_on_disk_are_not_encoded(identity: str, count: int) -> None:
    volume = make_blob(GEOMETRY)[0]
    preprocessor = SamPreprocessor("native")
    plan = preprocessor.resize_plan((22, 24))
    images = GreyWindow.from_volume(volume).grey_levels(volume.array_kji, volume_region(volume))
    wanted = [(0, ("axial", k, 0, 0, 22, 24)) for k in (7, 8, 9)]
    first = SliceFeatures(Encoder(identity), preprocessor, 1 << 20)
    known = first.get(wanted[:2], images[7:9], plan, no_progress)
    encoder = Encoder(identity)
    found = SliceFeatures(encoder, preprocessor, 1 << 20).get(
        wanted, images[7:10], plan, no_progress
    )
    assert encoder.count == count
    assert all(np.array_equal(a, b) for a, b in zip(known, found, strict=False))
    assert found[0].dtype == np.float16


def volume_region(volume: Any) -> Any:
    from MedSegFMLib import Region

    return Region.whole(volume.geometry.shape_kji)


def test_segment_stores_features_unless_told_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDSEGFM_WEIGHTS", str(tmp_path / "weights"))
    make_blob(GEOMETRY)[0].write(tmp_path / "ball.nrrd")
    words = ["segment", tmp_path / "ball.nrrd", "--device", "cpu", "--box", 4, 4, 3, 20, 18, 15]
    for extra, stored in ((["--no-cache"], False), ([], True)):
        monkeypatch.setenv("MEDSEGFM_NO_CACHE", "")
        assert run(*words, "--out", tmp_path / "s.nrrd", *extra) == 0
        assert (tmp_path / "weights" / "encoded").exists() is stored
