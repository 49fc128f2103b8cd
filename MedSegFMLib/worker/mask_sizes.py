"""The size of the masks of a request, which travel in the header of its frame."""

from __future__ import annotations

from ..errors import PromptError
from ..prompts.mask import Mask
from .events import Request
from .frames import MOST_HEADER_BYTES

# They must leave room for the rest of the header.
_MOST_MASK_BYTES = MOST_HEADER_BYTES - (1 << 23)


def check_masks(request: Request) -> None:
    """Check that the masks of a request fit into one message.

    Raises:
        PromptError: they do not.
    """
    masks = [prompt for _, prompt in request.prompts.entries if isinstance(prompt, Mask)]
    size = sum(len(mask.text) for mask in masks)
    if size > _MOST_MASK_BYTES:
        raise PromptError(
            f"The masks of the prompts take {size / 1e6:.0f} MB, but a request may have "
            f"{_MOST_MASK_BYTES / 1e6:.0f} MB; use fewer of them, or smoother ones."
        )
