"""Text from the templates below ``firmware/``."""

from __future__ import annotations

import jinja2

from engine.paths import FIRMWARE_DIR


def template(path: str, *, trim: bool = False) -> jinja2.Template:
    """A template by its path below ``firmware/``; a name in it that is not given is an error.

    ``trim``: a line that holds a statement alone leaves nothing behind.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FIRMWARE_DIR),
        undefined=jinja2.StrictUndefined,
        trim_blocks=trim,
        lstrip_blocks=trim,
        keep_trailing_newline=True,
        autoescape=False,
    )
    return environment.get_template(path)
