"""`python -m wd14.cli`: the program without its script."""

import sys

from wd14.cli.main import main

sys.exit(main())
