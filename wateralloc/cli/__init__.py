"""The commands: read, check, solve, print."""

from wateralloc.cli.base import app, main

__all__ = ["app", "main"]
