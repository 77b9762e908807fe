"""How shares and layers are written wherever a person reads them. Machine-readable names and keys are not touched."""

from __future__ import annotations

import re

_OPS = {
    "CONV_2D": "conv2d",
    "DEPTHWISE_CONV_2D": "depthwise conv2d",
    "FULLY_CONNECTED": "fully connected",
    "AVERAGE_POOL_2D": "average pool",
    "MAX_POOL_2D": "max pool",
}
_LAYER_NAME = re.compile(r"(?:\d+ )?([a-z][a-z0-9_]*)_(\d+)")


def share_text(share: float, digits: int = 1) -> str:
    """A share (0.05: 5 %) with so many decimals: "5.0 %"."""
    return f"{100 * share:.{digits}f} %".replace("-", "−")


def change_text(share: float, digits: int = 1) -> str:
    """A relative change with its sign (0.05: "+5.0 %"); what rounds to nothing has none."""
    text = f"{100 * share:+.{digits}f} %".replace("-", "−")
    return text if text.strip("+− %0.") else text[1:]


def op_title(op: str) -> str:
    """An operator's name in a sentence: CONV_2D is "conv2d"."""
    return _OPS.get(op.upper(), op.lower().replace("_", " "))


def layer_title(op: str, index: int) -> str:
    """A layer for people: "conv2d #3"."""
    return f"{op_title(op)} #{index}"


def layer_name(op: str, index: int) -> str:
    """A layer's name in records and firmware: "conv_2d_3"."""
    return f"{op.lower()}_{index}"


def name_title(name: str) -> str:
    """The title of a layer of which only the name is at hand ("conv_2d_3", "3 conv_2d_3"); any other name as it is."""
    found = _LAYER_NAME.fullmatch(name)
    return layer_title(found[1], int(found[2])) if found else name


def counter_unit(counter: str) -> str:
    """The unit of a device's counter: "cycles", or "µs" for "us"."""
    return "µs" if counter == "us" else counter
