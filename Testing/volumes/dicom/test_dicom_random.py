"""Two hundred series with random faults: right to 1e-4 mm and exact in value, or refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from dicom_faults import fault_of, made_up

from MedSegFMLib import Volume
from MedSegFMLib.errors import MedSegFMError

PARTS = 10


@pytest.mark.parametrize("part", range(PARTS))
def test_no_series_is_read_wrongly_and_silently(
    part: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    refused = read = 0
    for seed in range(part, 200, PARTS):
        caplog.clear()
        made, path = made_up(seed, tmp_path / str(seed))
        try:
            volume = Volume.read(path)
        except MedSegFMError as error:
            refused += 1
            assert "\n" not in str(error) and str(tmp_path) in str(error), (seed, str(error))
            assert set(made.faults) - {"scout", "copied", "copy", "rounded"}, (seed, str(error))
            continue
        read += 1
        assert fault_of(made, volume, caplog.text) is None, (seed, made.faults)
    assert refused and read
