"""The factor from activity to SUV by body weight (QIBA's vendor-neutral computation).

SUV = activity concentration (Bq/ml) * body weight (g) / dose (Bq) at the time to which the scanner
corrected the decay.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ....errors import VolumeError
from .header import Header
from .images import Image

# Half-lives between injection and scan beyond which a time is wrong.
_MOST_HALF_LIVES = 10
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class SuvFactor:
    """A factor and the elements of the header that it was computed from, by name."""

    value: float
    source: str


def suv_factor(images: Sequence[Image]) -> SuvFactor:
    """The factor for the rescaled values of a PET stack.

    Args:
        images: the images of the stack.

    Raises:
        VolumeError: it is not PET, or an element that is needed is missing or wrong.
    """
    headers = list({id(image.header): image.header for image in images}.values())
    header = headers[0]
    units = {h.text("Units") for h in headers}
    if header.text("Modality") != "PT" or len(units) > 1:
        raise _refused(header, "is not PET, or mixes units")
    unit = units.pop()
    if unit == "GML":
        return SuvFactor(1.0, "Units, which are g/ml already")
    if unit == "CNTS":
        factor = header.philips_suv_factor()
        if not factor or factor < 0 or any(h.philips_suv_factor() != factor for h in headers):
            raise _refused(header, "is in counts without a factor of its manufacturer")
        return SuvFactor(factor, "the manufacturer's factor (7053,1000)")
    if unit != "BQML":
        raise _refused(header, "is not in Bq/ml")
    factors = [_by_weight(h, headers) for h in headers]
    if max(f.value for f in factors) > min(f.value for f in factors) * (1 + 1e-9):
        raise _refused(header, "states doses or times that differ from slice to slice")
    return factors[0]


def _by_weight(header: Header, headers: Sequence[Header]) -> SuvFactor:
    corrected = header.text("CorrectedImage").upper().split("\\")
    correction = header.text("DecayCorrection").upper()
    if "ATTN" not in corrected or "DECY" not in corrected:
        raise _refused(header, "is not corrected for attenuation and decay (CorrectedImage)")
    tracer = header.item("RadiopharmaceuticalInformationSequence")
    if tracer is None:
        raise _refused(header, "has no RadiopharmaceuticalInformationSequence")
    weight_kg, dose_bq = header.decimal("PatientWeight"), tracer.decimal("RadionuclideTotalDose")
    if not weight_kg or weight_kg < 0 or not dose_bq or dose_bq < 0:
        raise _refused(header, "has no PatientWeight or RadionuclideTotalDose above 0")
    if correction == "ADMIN":
        return SuvFactor(weight_kg * 1000 / dose_bq, "PatientWeight and RadionuclideTotalDose")
    if correction != "START":
        raise _refused(header, "has neither START nor ADMIN as DecayCorrection")
    half_life_s = tracer.decimal("RadionuclideHalfLife")
    if not half_life_s or half_life_s < 0:
        raise _refused(header, "has no RadionuclideHalfLife above 0")
    scan, scan_name = _scan_start(header, headers)
    injection, injection_name = _injection(header, tracer, scan)
    halves = (scan - injection).total_seconds() / half_life_s
    if not 0 <= halves <= _MOST_HALF_LIVES:
        raise _refused(header, f"has a {scan_name} that does not follow {injection_name}")
    return SuvFactor(
        weight_kg * 1000 / (dose_bq * 0.5**halves),
        f"PatientWeight, RadionuclideTotalDose, RadionuclideHalfLife, {injection_name} and "
        f"{scan_name}",
    )


def _scan_start(header: Header, headers: Sequence[Header]) -> tuple[datetime, str]:
    """The time to which the decay is corrected: of the series, unless it was written later."""
    start = _time(header, header.text("SeriesDate") + header.text("SeriesTime"))
    stamps = [h.text("AcquisitionDate") + h.text("AcquisitionTime") for h in headers]
    acquired = [_time(h, stamp) for h, stamp in zip(headers, stamps, strict=True) if stamp]
    if acquired and start > min(acquired):
        raise _refused(
            header, "has a SeriesTime after its AcquisitionTime, as processed series have"
        )
    return start, "SeriesTime"


def _injection(header: Header, tracer: Header, scan: datetime) -> tuple[datetime, str]:
    stamp = tracer.text("RadiopharmaceuticalStartDateTime")
    if stamp:
        return _time(header, stamp), "RadiopharmaceuticalStartDateTime"
    stamp = tracer.text("RadiopharmaceuticalStartTime")
    if not stamp:
        raise _refused(header, "has no RadiopharmaceuticalStartTime")
    injection = _time(header, scan.strftime("%Y%m%d") + stamp)
    # A time without a date, in the evening before a scan after midnight.
    return (injection - _DAY if injection > scan else injection), "RadiopharmaceuticalStartTime"


def _time(header: Header, stamp: str) -> datetime:
    """A date and time of DICOM, without the time zone."""
    digits, _, fraction = re.split("[&+-]", stamp, maxsplit=1)[0].partition(".")
    try:
        # Minutes and seconds may be left out.
        if len(digits) not in (10, 12, 14):
            raise ValueError
        time = datetime.strptime(digits.ljust(14, "0"), "%Y%m%d%H%M%S")
        return time + timedelta(seconds=float(f"0.{fraction or 0}"))
    except ValueError:
        raise _refused(header, "has a date or time that is missing or damaged") from None


def _refused(header: Header, rule: str) -> VolumeError:
    return VolumeError(
        f"{header.path} {rule}, so that no SUV can be computed; repair its header or read it "
        "without SUV."
    )
