"""Which run a command of `ex3 runs` means."""

from typing import Annotated

import typer

from ex3cli.cli.command import Context
from ex3cli.errors import ArtifactError

RunName = Annotated[
    str,
    typer.Argument(metavar="RUN", help="Run: a name from `ex3 runs list` (or its beginning), or a path."),
]


def check_folder(context: Context) -> None:
    """Raise an ArtifactError if --artifacts names a missing folder."""
    if "artifacts" in context.given and not context.artifacts.exists():
        raise ArtifactError(f"there is no folder {context.artifacts}", "check --artifacts (or EX3_ARTIFACTS)")
