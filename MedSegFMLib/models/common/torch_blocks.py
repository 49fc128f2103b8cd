"""Progress of a network between its blocks, where work can be cancelled."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ...progress import Progress


@contextmanager
def between_blocks(blocks: Any, progress: Progress, phrase: str) -> Iterator[None]:
    """Report progress after each of a network's blocks that the code within runs.

    Args:
        blocks: The modules, run one after another.
        progress: Called with the completed fraction; what it raises ends the run.
        phrase: The phrase.
    """
    progress(0.0, phrase)
    hooks = [
        block.register_forward_hook(lambda *_, done=done: progress(done / len(blocks), phrase))
        for done, block in enumerate(blocks, 1)
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
