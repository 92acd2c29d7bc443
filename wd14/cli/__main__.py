"""`python -m wd14.cli`: the program without its script."""

from wd14.cli.entry import main

main()
