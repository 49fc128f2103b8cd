"""Named attacks through what folders of nnInteractive say about prompts."""

from __future__ import annotations

from typing import Any

from Testing.attacks.foreign_changes import MANY, Change


def _told(**values: Any) -> Change:
    return lambda content: content.update(values)


# For inference_info.json, the newer of the two files.
PROMPTS: dict[str, Change] = {
    "clicks of a million voxels": _told(point_radius=MANY),
    "clicks without a radius": _told(point_radius=0),
    "a scribble as thick as the body": _told(preferred_scribble_thickness=MANY),
    "a thickness of text": _told(preferred_scribble_thickness=["1", "1", "1"]),
    "no decay left": _told(interaction_decay=0),
    "a decay that grows": _told(interaction_decay=2),
    "a million channels": _told(interaction_channels=MANY),
    "more channels than the network": _told(interaction_channels=7),
    "channels that are not there": _told(channel_mapping={"points": [40, 41]}),
    "channels beyond the end": _told(channel_mapping={"prev_seg": -64}),
    "one channel": _told(channel_mapping={"points": [3]}),
    "an unknown interaction": _told(supported_interactions={"thought": True}),
    "another class": _told(inference_class="os.system"),
    "another class of the package": _told(inference_class="nnInteractiveInferenceSessionV9"),
    "a version from the future": _told(inference_class_min_version="99.0"),
    "a version that is none": _told(inference_class_min_version="9" * 5000),
    "another padding": _told(pad_mode_image="reflect"),
}
