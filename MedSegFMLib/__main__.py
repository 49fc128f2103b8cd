"""Run `medsegfm` as `python -m MedSegFMLib`."""

import sys

from .cli import main

sys.exit(main())
