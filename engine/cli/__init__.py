"""The command ``whycycles``."""

from engine.cli.main import main

__all__ = ["main"]
