"""A meter from its description on the command line: ``NAME:KEY=VALUE,KEY=VALUE``."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from engine.energy.meters.ina226 import Ina226, LinuxBus
from engine.energy.meters.ina226_registers import Ina226Settings
from engine.energy.meters.joulescope import Joulescope
from engine.energy.meters.meter import Meter
from engine.energy.meters.ppk2 import Ppk2
from engine.errors import UsageError


@dataclass(frozen=True)
class _Kind:
    """Keys a meter must and may be given, and how it is made from them."""

    needs: tuple[str, ...]
    may: tuple[str, ...]
    make: Callable[[_Keys], Meter]


class _Keys:
    """The keys given, as numbers and words."""

    def __init__(self, text: str, values: Mapping[str, str]) -> None:
        self._text, self._values = text, values

    def number(self, key: str, default: float = 0.0) -> float:
        """A number, possibly hexadecimal. Raises UsageError."""
        given = self._values.get(key)
        if given is None:
            return default
        try:
            found = float(int(given, 16)) if given.lower().startswith("0x") else float(given)
        except (ValueError, OverflowError):
            found = math.nan
        if not math.isfinite(found):
            raise UsageError(
                f"--meter {self._text}: '{given}' is no number for {key}", hint="write numbers like 0.1 or 0x40"
            )
        return found

    def whole(self, key: str, default: int, low: int, high: int) -> int:
        """A whole number within bounds. Raises UsageError."""
        found = self.number(key, default)
        if found != int(found) or not low <= found <= high:
            raise UsageError(
                f"--meter {self._text}: {key} cannot be {found:g}",
                hint=f"give a whole number from {low:,} to {high:,}",
            )
        return int(found)

    def word(self, key: str) -> str:
        """A word that was given."""
        return self._values[key]

    def yes(self, key: str) -> bool:
        """Whether a key says yes."""
        return self._values.get(key, "no") in ("yes", "true", "1")


def _ina226(keys: _Keys) -> Meter:
    settings = Ina226Settings(
        keys.number("shunt_ohm"),
        keys.number("max_current_a"),
        keys.whole("conversion_us", 140, 1, 10_000),
        keys.whole("averages", 1, 1, 1024),
    )
    bus = keys.whole("bus", 1, 0, 255)
    return Ina226(lambda: LinuxBus(bus), settings, keys.whole("address", 0x40, 0x40, 0x4F))


_KINDS = {
    "ina226": _Kind(("shunt_ohm", "max_current_a"), ("bus", "address", "conversion_us", "averages"), _ina226),
    "ppk2": _Kind(
        ("port", "supply_v"), ("source",), lambda k: Ppk2(k.word("port"), k.number("supply_v"), source=k.yes("source"))
    ),
    "joulescope": _Kind((), ("rate_hz",), lambda k: Joulescope(k.whole("rate_hz", 100_000, 1, 2_000_000))),
}
METERS = tuple(_KINDS)


def parse_meter(text: str) -> Meter:
    """The meter that ``text`` describes, not yet reached. Raises UsageError for an unknown meter or key."""
    name, _, rest = text.partition(":")
    kind = _KINDS.get(name)
    if kind is None:
        raise UsageError(f"--meter {text}: there is no meter '{name}'", hint=f"meters are {', '.join(METERS)}")
    values: dict[str, str] = {}
    for part in filter(None, rest.split(",")):
        key, equals, value = part.partition("=")
        if not equals or key in values or key not in (*kind.needs, *kind.may):
            raise UsageError(
                f"--meter {text}: '{part}' is no setting of {name}, or given twice",
                hint=f"settings are {', '.join((*kind.needs, *kind.may)) or 'none'}, as KEY=VALUE",
            )
        values[key] = value
    missing = [key for key in kind.needs if key not in values]
    if missing:
        raise UsageError(
            f"--meter {text}: {', '.join(missing)} is missing",
            hint=f"for example {name}:{','.join(f'{k}=…' for k in kind.needs)}",
        )
    return kind.make(_Keys(text, values))
