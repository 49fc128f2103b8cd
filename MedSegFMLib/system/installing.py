"""How the parts of MedSegFM are installed, in the words of every message.

The package is on no index yet: it is installed from its sources, and so are its extras. If that
changes, `SOURCE` changes.
"""

from __future__ import annotations

# What pip installs, in the folder of the sources.
SOURCE = "."


def extra_command(extra: str) -> str:
    """How an extra of pyproject.toml is installed, to follow "run: " in a message.

    The double quotes work in every shell, also in that of Windows.
    """
    return f'pip install "{SOURCE}[{extra}]" in the folder of MedSegFM\'s sources'
