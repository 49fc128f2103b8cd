"""The `medsegfm` command line.

This module imports next to nothing, so that Ctrl-C is handled before the packages are imported.
"""

from __future__ import annotations

import os
import sys

from .commands import interrupts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return the exit status.

    Args:
        arguments: the words after the program's name. None for those of this process, which is then
            the program itself: Ctrl-C ends it at once.
    """
    if arguments is None:
        if "_ARGCOMPLETE" in os.environ:
            from .commands.completion import answer

            answer()
        interrupts.install()
        from .commands.memory_limit import run_within_limit

        return run_within_limit(sys.argv[1:])
    from .commands.line import run

    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())
