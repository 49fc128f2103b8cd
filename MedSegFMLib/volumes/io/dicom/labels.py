"""The labels of DICOM images: what distinguishes images at one place, such as time points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .header import Header

# The elements that distinguish images at one place, of a single-frame file, and by sequence of a
# multi-frame one (PS3.3, sections C.7.6.16 and C.8).
_LABELS = (
    *("TemporalPositionIdentifier", "EchoTime", "EchoNumbers", "DiffusionBValue"),
    *("DiffusionGradientOrientation", "FrameReferenceTime", "NominalPercentageOfCardiacPhase"),
    *("TriggerTime", "InversionTime", "FlipAngle", "RepetitionTime", "KVP", "ConvolutionKernel"),
    *("ImageType", "AcquisitionNumber", "ImageIndex"),
)
_FRAME_LABELS: Mapping[str, tuple[str, ...]] = {
    "FrameContentSequence": ("TemporalPositionIndex", "FrameAcquisitionNumber"),
    "TemporalPositionSequence": ("TemporalPositionTimeOffset",),
    "MREchoSequence": ("EffectiveEchoTime",),
    "MRDiffusionSequence": ("DiffusionBValue", "DiffusionDirectionality"),
    "MRTimingAndRelatedParametersSequence": ("RepetitionTime", "FlipAngle"),
    "MRModifierSequence": ("InversionTimes",),
    "MRImageFrameTypeSequence": ("FrameType", "ComplexImageComponent"),
    "CTImageFrameTypeSequence": ("FrameType",),
    "PETFrameTypeSequence": ("FrameType",),
    "CardiacSynchronizationSequence": ("NominalCardiacTriggerDelayTime",),
    "RespiratorySynchronizationSequence": ("NominalPercentageOfRespiratoryPhase",),
    "CTXRayDetailsSequence": ("KVP",),
    "CTReconstructionSequence": ("ConvolutionKernel",),
}
# Dimensions of multi-frame files that count places.
_PLACES = {"ImagePositionPatient", "InStackPositionNumber", "StackID", "ImagePositionVolume"}


def labels_of(header: Header, groups: Sequence[Header]) -> dict[str, str]:
    """Values that may distinguish an image from others at its place, by name.

    Args:
        header: the header of its file.
        groups: the functional groups of a frame, its own and the shared ones; none for other files.
    """
    if not groups:
        return _labels(header)
    return _frame_labels(groups) | _dimension_label(header, groups)


def content_of(groups: Sequence[Header]) -> Header | None:
    """The item of a frame with its number, stack and time; None if there is none."""
    return next((i for i in (scope.item("FrameContentSequence") for scope in groups) if i), None)


def number_in_stack(groups: Sequence[Header]) -> int | None:
    """The number of a frame among the slices of its stack, from 1; None if it is not stated."""
    content = content_of(groups)
    return None if content is None else content.integer("InStackPositionNumber")


def _labels(header: Header) -> dict[str, str]:
    found = {name: header.text(name) for name in _LABELS}
    return {name: text for name, text in found.items() if text}


def _frame_labels(groups: Sequence[Header]) -> dict[str, str]:
    found: dict[str, str] = {}
    for sequence, keywords in _FRAME_LABELS.items():
        item = next((i for i in (scope.item(sequence) for scope in groups) if i), None)
        if item is None:
            continue
        found.update({keyword: item.text(keyword) for keyword in keywords})
        gradient = item.item("DiffusionGradientDirectionSequence")
        if gradient is not None:
            name = "DiffusionGradientOrientation"
            found[name] = gradient.text(name)
    return {name: text for name, text in found.items() if text}


def _dimension_label(header: Header, groups: Sequence[Header]) -> dict[str, str]:
    """The indices of a frame along the dimensions that do not count places."""
    pointed = header.pointed_keywords()
    content = content_of(groups)
    values = content.binary("DimensionIndexValues") if content is not None and pointed else None
    if values is None or len(values) != len(pointed):
        return {}
    others = [
        f"{int(value)}" for name, value in zip(pointed, values, strict=True) if name not in _PLACES
    ]
    return {"DimensionIndexValues": "\\".join(others)} if others else {}
