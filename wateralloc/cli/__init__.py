"""The commands: read, check, solve, print."""

from wateralloc.cli import ensemble as ensemble
from wateralloc.cli import explain as explain
from wateralloc.cli import foresight as foresight
from wateralloc.cli import imports
from wateralloc.cli import members as members
from wateralloc.cli import report as report
from wateralloc.cli import verify as verify
from wateralloc.cli.base import app, main

__all__ = ["app", "imports", "main"]
