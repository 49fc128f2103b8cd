"""Sentences about decisions: the same in Slicer's panel and in the browser."""

from __future__ import annotations

from ...batch.review.queue import ReviewQueue
from ..words.translation import tr as _


def decided_sentence(name: str, is_corrected: bool, queue: ReviewQueue | None) -> str:
    """That a case was accepted or corrected, and how many are left."""
    if is_corrected:
        said = _("The correction of {name} was saved.").format(name=name)
    else:
        said = _("{name} was accepted.").format(name=name)
    if queue is None:
        return said
    left = queue.progress.cases - queue.progress.done
    return f"{said} {_('{n} left.').format(n=left) if left else _('All cases are done.')}"


def skipped_sentence(name: str) -> str:
    """That a case was left for later."""
    return _("{name} was left for later.").format(name=name)
