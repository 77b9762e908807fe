"""Third-party emulator modules without type information, as Any: one place instead of an ignore at every use."""

from __future__ import annotations

from importlib import import_module
from typing import Any

unicorn: Any = import_module("unicorn")
unicorn_const: Any = import_module("unicorn.unicorn_const")
arm_const: Any = import_module("unicorn.arm_const")
binding: Any = import_module("unicorn.unicorn_py3.unicorn")
