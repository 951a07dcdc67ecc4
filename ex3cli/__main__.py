"""`python -m ex3cli`, for an environment whose scripts are not on the path."""

from ex3cli.cli import main

main()
