"""SUV by body weight, worked out by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dicom_files import noise, slices, write_files
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from MedSegFMLib import Volume
from MedSegFMLib.errors import VolumeError

STORED = np.abs(noise()).astype(np.int16)
# One half-life of an hour passes between injection and scan: 350 MBq have become 175 MBq.
FACTOR = 70_000 / 175e6


def pet(folder: Path, tracer: dict[str, Any] | None = None, **changes: Any) -> Path:
    item = Dataset()
    for key, value in {
        "RadionuclideTotalDose": "350000000",
        "RadionuclideHalfLife": "3600",
        "RadiopharmaceuticalStartTime": "101500.5",
        **(tracer or {}),
    }.items():
        if value is not None:
            setattr(item, key, value)
    elements = {
        "Units": "BQML",
        "DecayCorrection": "START",
        "CorrectedImage": ["DECY", "ATTN", "SCAT"],
        "PatientWeight": "70",
        "SeriesDate": "20260102",
        "SeriesTime": "111500.5",
        "AcquisitionDate": "20260102",
        "AcquisitionTime": "111501",
        "RadiopharmaceuticalInformationSequence": Sequence([item]),
        **changes,
    }
    series = [one.changed(slope=0.5 + k, intercept=0) for k, one in enumerate(slices(STORED))]
    write_files(folder, series, "PT", **elements)
    return folder


def activity() -> np.ndarray:
    return STORED * (0.5 + np.arange(len(STORED)))[:, None, None]


@pytest.mark.parametrize(
    ("tracer", "changes", "factor", "said"),
    [
        ({}, {}, FACTOR, "RadiopharmaceuticalStartTime and SeriesTime"),
        (
            {
                "RadiopharmaceuticalStartTime": None,
                "RadiopharmaceuticalStartDateTime": "20260102101500.5+0100",
            },
            {},
            FACTOR,
            "RadiopharmaceuticalStartDateTime and SeriesTime",
        ),
        ({"RadiopharmaceuticalStartTime": "2330"}, {"SeriesTime": "003000"}, FACTOR, "SeriesTime"),
        ({}, {"DecayCorrection": "ADMIN"}, 70_000 / 350e6, "PatientWeight and Radionuclide"),
        ({}, {"Units": "GML"}, 1, "Units"),
    ],
    ids=["time", "date and time", "after midnight", "at injection", "g/ml"],
)
def test_the_factor_is_weight_by_the_dose_that_is_left(
    tracer: dict[str, Any],
    changes: dict[str, Any],
    factor: float,
    said: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    pet(tmp_path, tracer, **changes)
    plain, suv = Volume.read(tmp_path), Volume.read(tmp_path, suv=True)
    assert np.array_equal(plain.array_kji, activity())
    assert np.allclose(suv.array_kji, activity() * factor, rtol=1e-12, atol=0)
    assert said in caplog.text
    assert not any(word in caplog.text for word in ("2026", "350000000", "4711"))


@pytest.mark.parametrize(
    ("tracer", "changes", "said"),
    [
        ({}, {"Units": "PROPCNTS"}, "not in Bq/ml"),
        ({}, {"Units": "CNTS"}, "without a factor of its manufacturer"),
        ({}, {"CorrectedImage": ["DECY"]}, "CorrectedImage"),
        ({}, {"DecayCorrection": "NONE"}, "DecayCorrection"),
        ({}, {"PatientWeight": None}, "PatientWeight"),
        ({}, {"PatientWeight": "0"}, "PatientWeight"),
        ({}, {"SeriesTime": "120000"}, "SeriesTime after its AcquisitionTime"),
        ({"RadiopharmaceuticalStartTime": "noon"}, {}, "time that is missing or damaged"),
        ({"RadiopharmaceuticalStartTime": None}, {}, "no RadiopharmaceuticalStartTime"),
        ({"RadionuclideHalfLife": None}, {}, "RadionuclideHalfLife"),
        ({"RadionuclideHalfLife": "60"}, {}, "does not follow"),
        ({}, {"RadiopharmaceuticalInformationSequence": None}, "RadiopharmaceuticalInformation"),
    ],
)
def test_without_what_it_takes_suv_is_refused_by_name(
    tracer: dict[str, Any], changes: dict[str, Any], said: str, tmp_path: Path
) -> None:
    pet(tmp_path, tracer, **changes)
    with pytest.raises(VolumeError, match=f"000.dcm .*{said}"):
        Volume.read(tmp_path, suv=True)
    assert np.array_equal(Volume.read(tmp_path).array_kji, activity())


def test_another_modality_has_no_suv(tmp_path: Path) -> None:
    write_files(tmp_path, slices(STORED))
    with pytest.raises(VolumeError, match="is not PET"):
        Volume.read(tmp_path, suv=True)
