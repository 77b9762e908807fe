"""The command ``whycycles``."""

from __future__ import annotations

import click


@click.group()
def main() -> None:
    """Benchmark TinyML inference on embedded hardware, and say why it takes what it takes."""
