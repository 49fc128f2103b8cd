"""The part of nnInteractive's inference sessions that is used, and where sessions come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ...errors import ModelError

Bounds = Sequence[Sequence[int]]
"""Half-open bounds along each axis."""


class ConnectionLost(ModelError):
    """A server that does not answer any more; a new connection may help."""


class UpstreamSession(Protocol):
    """The common part of the local and the remote session of the package.

    Axes are those of the image array, here (k, j, i); masks are written to the target buffer.
    """

    supported_interactions: Mapping[str, bool]
    supports_initial_label: bool
    preferred_scribble_thickness: Sequence[int]

    def set_target_buffer(self, target_buffer: NDArray[np.uint8]) -> None:
        """Set the array that masks are written to."""

    def reset_interactions(self) -> None:
        """Forget all interactions; the mask becomes empty."""

    def add_initial_seg_interaction(
        self,
        initial_seg: NDArray[np.uint8],
        run_prediction: bool = False,
        override_capability_checks: bool = False,
    ) -> Bounds | None:
        """Forget all interactions and continue from a mask."""

    def add_point_interaction(
        self, coordinates: Sequence[int], include_interaction: bool, run_prediction: bool = True
    ) -> Bounds | None:
        """Add a click."""

    def add_bbox_interaction(
        self, bbox_coords: Bounds, include_interaction: bool, run_prediction: bool = True
    ) -> Bounds | None:
        """Add a box."""

    # The third argument of these two is about something else.
    def add_scribble_interaction(
        self, scribble_image: NDArray[np.uint8], include_interaction: bool, **other: Any
    ) -> Bounds | None:
        """Add a drawn mask."""

    def add_lasso_interaction(
        self, lasso_image: NDArray[np.uint8], include_interaction: bool, **other: Any
    ) -> Bounds | None:
        """Add an encircled mask."""


class Host(Protocol):
    """Where sessions come from: this process, or a server."""

    def show(self, image_kji: NDArray[Any]) -> UpstreamSession:
        """A session with an image, (K, J, I) as stored, which replaces the one before it.

        Raises:
            ModelError, DeviceError: There is none.
        """

    def running(self) -> AbstractContextManager[None]:
        """The boundary around calls of a session.

        Raises:
            ConnectionLost: A server has gone; `show` may find it again.
            ModelError, DeviceError: The session fails.
        """

    def close(self) -> None:
        """Give up the session."""
