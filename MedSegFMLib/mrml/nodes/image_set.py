"""The images that a user has joined to a volume node for models that take several at once.

The node refers to the others by MRML's own references, so that they are saved with the scene and
renamed with it; its own name among them is an attribute.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...errors import GeometryError, VolumeError
from ...volumes.images import combined
from ...volumes.volume import Volume
from .volume_nodes import content_stamp, geometry_of

_ROLE = "MedSegFM.image."
_OWN_NAME = "MedSegFM.image"
_RESAMPLED = "MedSegFM.resampleImages"

Stamp = tuple[object, ...]


def joined_images(node: Any) -> dict[str, Any]:
    """The images of a volume node by their names, itself among them; {} if none is joined.

    Numbers are in their order, other names in that of the alphabet.
    """
    others = {}
    for n in range(node.GetNumberOfNodeReferenceRoles()):
        role = str(node.GetNthNodeReferenceRole(n))
        other = node.GetNodeReference(role) if role.startswith(_ROLE) else None
        if other is not None:
            others[role.removeprefix(_ROLE)] = other
    own = node.GetAttribute(_OWN_NAME)
    found = {own: node, **others} if own else others
    names = sorted(found, key=lambda name: (len(name) if name.isdecimal() else 0, name))
    return {name: found[name] for name in names}


def join_image(node: Any, name: str, other: Any | None) -> None:
    """Make another node, or the node itself, its image of a name; None: it has none."""
    itself = other is node
    if itself:
        node.SetAttribute(_OWN_NAME, name)
    elif node.GetAttribute(_OWN_NAME) == name:
        node.RemoveAttribute(_OWN_NAME)
    reference = other.GetID() if other is not None and not itself else None
    node.SetNodeReferenceID(_ROLE + name, reference)


def are_resampled(node: Any) -> bool:
    """Whether images on another grid are resampled to that of the node."""
    return str(node.GetAttribute(_RESAMPLED)) == "1"


def set_resampled(node: Any, on: bool) -> None:
    """Resample images on another grid, or refuse them."""
    node.SetAttribute(_RESAMPLED, "1" if on else "0")


def images_stamp(node: Any) -> Stamp:
    """A value that changes whenever the joined images, their voxels or their places do."""
    images = joined_images(node)
    stamps = [
        (name, other.GetID(), content_stamp(other), _place(other))
        for name, other in images.items()
        if other is not node
    ]
    own = [name for name, other in images.items() if other is node]
    return (are_resampled(node), *own, *stamps)


def _place(node: Any) -> object:
    """The grid of a node, or what is wrong with it."""
    if node.GetImageData() is None:
        return None
    try:
        return geometry_of(node)
    except GeometryError as error:
        return str(error)


def with_images(node: Any, volume: Volume, read: Callable[[Any], Volume]) -> Volume:
    """The volume of a node with its joined images.

    Args:
        node: The volume node.
        volume: Its own voxels.
        read: Reads the volume of another node.

    Raises:
        VolumeError: If an image is on another grid and not to be resampled.
        GeometryError: If the grid of an image cannot be used.
    """
    images = joined_images(node)
    if not any(other is not node for other in images.values()):
        return volume
    if node not in images.values():
        own = node.GetName()
        if own in images:
            raise VolumeError(
                f"The volume {own} is segmented, and another image is called {own}; choose "
                f"{own} itself as one of the images."
            )
        images = {own: node, **images}
    volumes = {n: volume if other is node else read(other) for n, other in images.items()}
    primary = next(name for name, other in images.items() if other is node)
    return combined(volumes, primary, are_resampled(node))
