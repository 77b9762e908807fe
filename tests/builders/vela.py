"""Vela without Vela: the tables of a small model as text, and a program that writes them, or misbehaves."""

from __future__ import annotations

import stat
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.builders.tflite_builder import ModelBuilder

PER_LAYER = (
    "Original Operator,NNG Operator,Target,Staging Usage,Peak% (Staging),Op Cycles,Network% (cycles),NPU,SRAM AC,DRAM AC,OnFlash AC,"
    "OffFlash AC,MAC Count,Network% (MAC),Util% (MAC),Name"
)
PYTHON = sys.executable
MEMORIES = ("sram", "dram", "on_chip_flash", "off_chip_flash")
TRAFFIC = ("feature_map_read", "feature_map_write", "weight_read", "weight_write", "total")


@dataclass(frozen=True)
class Row:
    """One operation: kinds, cycles of NPU, SRAM, DRAM, on-chip and off-chip flash, MACs, the operator it is for (None: added)."""

    source: str
    operation: str
    busy: tuple[int, int, int, int, int]
    macs: int
    operator: int | None
    name: str = "t"

    @property
    def target(self) -> str:
        return "CPU" if self.operation == "Passthrough" else "NPU"


ROWS = (
    Row("Conv2D", "Conv2D", (400, 100, 0, 0, 50), 6400, 0, "a,b"),
    Row("Conv2D", "Relu", (0, 0, 0, 0, 0), 0, 0),
    Row("AvgPool", "Passthrough", (0, 0, 0, 0, 0), 0, 1),
    Row("Conv2D", "Conv2D", (30, 20, 0, 0, 90), 800, 2),
    Row("Conv2D", "Transpose", (10, 12, 0, 0, 0), 0, None),
)
"""Of ``small_model``: 90 of 502 cycles wait for flash, 12 for SRAM, and the pool is for the CPU."""


def small_model() -> bytes:
    """A convolution, a pool that Vela leaves to the CPU (a window above 8 with SAME padding), a convolution."""
    b = ModelBuilder(seed=1)
    y = b.conv_2d(b.input((1, 20, 20, 4)), 8, kernel=(3, 3))
    y = b.average_pool_2d(y, (9, 9), stride=(2, 2), padding="same")
    b.output(b.conv_2d(y, 8, kernel=(1, 1)))
    return b.build()


def per_layer(rows: Sequence[Row] = ROWS) -> str:
    lines = [PER_LAYER]
    for r in rows:
        cells = (r.source, r.operation, r.target, 64, 0.5, max(r.busy), 0.1, *r.busy, r.macs, 0.1, 0.2, r.name)
        lines.append(",".join(map(str, cells)))
    return "\n".join(lines) + "\n"


def debug(rows: Sequence[Row] = ROWS, operators: Sequence[str] = ("Conv2D", "AvgPool", "Conv2D")) -> str:
    source = "".join(f'{n + 1},"{kind}",1,1,1,1,1,{n}\n' for n, kind in enumerate(operators))
    perf = "".join(
        f'{n},{0 if r.operator is None else r.operator + 1},{n},"{r.operation}","{r.name}"\n'
        for n, r in enumerate(rows)
    )
    tables = (("perf", '"id","source_id","optimised_id","operator","name"', perf), ("source", '"id","operator","kernel_w","kernel_h","ofm_w","ofm_h","ofm_d","ext_key"', source))  # fmt: skip
    return "<debug>\n" + "".join(
        f'<table name="{name}">\n<![CDATA[\n{head}\n{body}]]>\n</table>\n' for name, head, body in tables
    )


def summary(rows: Sequence[Row] = ROWS, **changed: object) -> str:
    """The summary; ``changed`` cells by column."""
    cells: dict[str, object] = {
        "experiment": "default", "network": "model", "accelerator_configuration": "Ethos_U55_128",
        "system_config": "Ethos_U55_High_End_Embedded", "memory_mode": "Shared_Sram", "core_clock": 500e6, "arena_cache_size": 384.0,
        **{f"{m}_bandwidth": 3.725290298461914 for m in MEMORIES}, "weights_storage_area": "Off-chip Flash",
        "feature_map_storage_area": "SRAM", "inferences_per_second": 1.0, "batch_size": 1, "inference_time": 1.0,
        "passes_before_fusing": 3, "passes_after_fusing": 3, **{f"{m}_memory_used": 0.0 for m in MEMORIES},
        "sram_memory_used": 12.5, "off_chip_flash_memory_used": 1.25, "total_original_weights": 352, "total_npu_encoded_weights": 400,
        **{f"{m}_{t}_bytes": 0 for m in MEMORIES for t in TRAFFIC}, "sram_total_bytes": 900, "sram_feature_map_read_bytes": 600,
        "off_chip_flash_weight_read_bytes": 400, "off_chip_flash_total_bytes": 420, "nn_macs": 7200, "nn_tops": 0.1, "cycles_npu": 440,
        **{f"cycles_{m}_access": 0 for m in MEMORIES}, "cycles_total": sum(max(r.busy) for r in rows),
    }  # fmt: skip
    cells.update(changed)
    return ",".join(cells) + "\n" + ",".join(map(str, cells.values())) + "\n"


@dataclass(frozen=True)
class FakeVela:
    """How a program that stands in for Vela behaves: what it answers to --version, its files, its last words, how it ends."""

    version: str = "5.2.0"
    files: Mapping[str, str] = field(
        default_factory=lambda: {
            "model_per-layer.csv": per_layer(),
            "model_summary_x.csv": summary(),
            "model_debug.xml": debug(),
        }
    )
    stderr: str = ""
    then: str = ""
    exit_code: int = 0


def install(fake: FakeVela, path: Path) -> Path:
    """Write the program; it checks that it got a model, and puts its files where ``--output-dir`` says."""
    path.write_text(
        f"""#!{PYTHON} -IS
import os, signal, sys, time
from pathlib import Path
a = sys.argv[1:]
if a == ["--version"]:
    print({fake.version!r})
    sys.exit(0)
assert Path(a[-1]).read_bytes()[4:8] == b"TFL3"
out = Path(a[a.index("--output-dir") + 1])
out.mkdir()
for name, text in {dict(fake.files)!r}.items():
    (out / name).write_text(text)
sys.stderr.write({fake.stderr!r})
{fake.then}
sys.exit({fake.exit_code})
""",
        "utf-8",
    )
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path
