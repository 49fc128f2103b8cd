"""`python -m MedSegFMLib` is `medsegfm`."""

import sys

from .cli import main

sys.exit(main())
