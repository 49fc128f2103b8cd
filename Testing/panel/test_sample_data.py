"""Sample data as Slicer's module Sample Data offers it after the start."""

from __future__ import annotations

from typing import Any

import pytest


def sources() -> dict[str, Any]:
    """Our sources by name."""
    import SampleData

    found = SampleData.SampleDataLogic.sampleDataSourcesByCategory("MedSegFM")
    return {source.sampleName: source for source in found}


def test_both_are_registered_when_slicer_has_started(bare: Any) -> None:
    assert set(sources()) == {"MedSegFMAbdomenCT", "MedSegFMPhantom"}


def test_a_second_registration_changes_nothing(bare: Any) -> None:
    import SampleData
    from MedSegFMPanel import sample_data

    sample_data.register()
    assert len(SampleData.SampleDataLogic.sampleDataSourcesByCategory("MedSegFM")) == 2


def test_every_download_has_a_checksum(bare: Any) -> None:
    for source in sources().values():
        if source.customDownloader is None:
            assert all(checksum.startswith("SHA256:") for checksum in source.checksums)
            assert all(uri.startswith("https://") for uri in source.uris)


def test_the_phantom_is_made_by_a_click_in_sample_data(bare: Any) -> None:
    import slicer

    source = sources()["MedSegFMPhantom"]
    node = source.customDownloader(source)
    assert node.GetName() == "MedSegFM phantom"
    assert slicer.mrmlScene.GetNodeByID(node.GetID()) is node


@pytest.mark.parametrize("missing", ["uris", "fileNames"])
def test_the_host_refuses_a_source_that_slicer_refuses(bare: Any, missing: str) -> None:
    import SampleData

    words = {"uris": "https://a/b.nrrd", "fileNames": "b.nrrd", "nodeNames": "b"}
    if missing == "uris":
        del words["uris"]
    else:
        words |= {"uris": ["https://a/b.nrrd", "https://a/c.nrrd"], "fileNames": ["b.nrrd"]}
    with pytest.raises((TypeError, ValueError)):
        SampleData.SampleDataLogic.registerCustomSampleDataSource(sampleName="x", **words)
