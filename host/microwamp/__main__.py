"""`python -m microwamp` is the command `microwamp`."""

import sys

from microwamp.cli import main

sys.exit(main())
