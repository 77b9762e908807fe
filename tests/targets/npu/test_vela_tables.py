"""Vela's tables as text: what is read from them, and that anything unknown, cut or contradictory is refused in one sentence."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ModelError, ToolError
from engine.models.reader import read_graph
from engine.records.npu import NpuResource, Where
from engine.targets.npu.debug_db import parse_owners
from engine.targets.npu.layers import cycles_without, layers_of
from engine.targets.npu.tables import parse_per_layer, parse_summary
from tests.builders.damage import damaged
from tests.builders.vela import ROWS, Row, debug, per_layer, small_model, summary


def test_rows_and_summary_are_read_by_column_name() -> None:
    rows = parse_per_layer(per_layer())
    assert [r.operation for r in rows] == ["Conv2D", "Relu", "Passthrough", "Conv2D", "Transpose"]
    assert [r.on_npu for r in rows] == [True, True, False, True, True]
    assert [r.cycles for r in rows] == [400, 0, 0, 90, 12]
    assert rows[0].busy.off_chip_flash == 50
    assert rows[3].macs == 800
    found = parse_summary(summary())
    assert (found.cycles, found.clock_mhz, found.encoded_weight_bytes) == (502, 500.0, 400)
    memories = {m.memory: m for m in found.memories}
    assert memories[NpuResource.SRAM].used_bytes == 12_800
    # Vela prints GiB/s; 8 bytes per cycle at 500 MHz are 4 GB/s
    assert memories[NpuResource.SRAM].peak_gb_s == 4.0
    assert memories[NpuResource.OFF_CHIP_FLASH].total_bytes == 420


def test_columns_in_another_order_mean_the_same() -> None:
    head, *lines = per_layer().splitlines()
    names = head.split(",")
    order = [*range(len(names) - 2, -1, -1), len(names) - 1]
    cells = [line.split(",", len(names) - 1) for line in lines]
    shuffled = "\n".join(",".join(row[i] for i in order) for row in [names, *cells]) + "\n"
    assert parse_per_layer(shuffled) == parse_per_layer(per_layer())


def test_a_layer_is_the_sum_of_its_operations(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(small_model())
    graph = read_graph(path)
    rows = parse_per_layer(per_layer())
    owners = parse_owners(debug(), rows, len(graph.main.operators))
    assert owners == (0, 0, 1, 2, None)
    conv, pool, last, added = layers_of(graph, rows, owners, 128)
    assert (conv.cycles, conv.bottleneck, conv.made_of) == (400, NpuResource.NPU, "Conv2D, Relu")
    assert conv.cycles_without_bottleneck == 100
    assert conv.utilisation == round(6400 / (400 * 128), 6)
    assert conv.model_macs == 20 * 20 * 8 * 9 * 4
    assert (pool.where, pool.cycles, pool.bottleneck, pool.utilisation) == (Where.CPU, 0, None, None)
    assert (last.bottleneck, last.cycles_without_bottleneck) == (NpuResource.OFF_CHIP_FLASH, 30)
    assert (added.index, added.op, added.bottleneck) == (None, "Transpose", NpuResource.SRAM)
    without = cycles_without(rows)
    assert (without.npu, without.sram, without.off_chip_flash) == (100 + 90 + 12, 400 + 90 + 10, 400 + 30 + 12)
    assert without.dram == 502


def test_an_operator_without_operations_is_removed_not_lost(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(small_model())
    rows = parse_per_layer(per_layer(ROWS[:1]))
    assert [x.where for x in layers_of(read_graph(path), rows, (0,), 128)] == [Where.NPU, Where.REMOVED, Where.REMOVED]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "no column"),
        (per_layer().replace("DRAM AC", "HBM AC"), "an unknown column 'HBM AC'"),
        (per_layer().replace("DRAM AC,", ""), "no column 'DRAM AC'"),
        (per_layer().replace("DRAM AC", "SRAM AC,DRAM AC", 1), "names a column twice"),
        (per_layer([]), "has no rows"),
        (per_layer().replace(",400,", ",4OO,", 1), "not a number"),
        (per_layer().replace(",400,", ",400.5,", 1), "not a whole number"),
        (per_layer().replace(",400,", ",-400,", 1), "not a number"),
        (per_layer().replace(",400,", ",nan,", 1), "not a number"),
        (per_layer().replace(",400,", ",401,", 1), "not those of the busiest resource"),
        (per_layer().replace("Conv2D,Conv2D,NPU", "Conv2D,Conv2D,GPU"), "neither NPU nor CPU"),
        (per_layer()[:-40], "cells instead of 16"),
        (per_layer([Row("Conv2D", "Conv2D", (1, 0, 0, 0, 0), 1, 0, "two\nlines")]), "cells instead of 16"),
    ],
)
def test_a_table_that_is_not_as_known_is_refused(text: str, what: str) -> None:
    with pytest.raises(ToolError, match=what):
        parse_per_layer(text)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "no column"),
        (summary().splitlines()[0] + "\n", "0 rows instead of one"),
        (summary() + summary().splitlines()[1] + "\n", "2 rows instead of one"),
        (summary().replace("nn_tops", "nn_watts"), "an unknown column 'nn_watts'"),
        (summary(core_clock="fast"), "core_clock is 'fast', not a number"),
        (summary(cycles_total="nan"), "not a number"),
        (summary()[:-30], "cells instead of"),
    ],
)
def test_a_summary_that_is_not_as_known_is_refused(text: str, what: str) -> None:
    with pytest.raises(ToolError, match=what):
        parse_summary(text)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "no table source"),
        (debug().replace('name="perf"', 'name="other"'), "no table perf"),
        (debug().replace('"source_id"', '"sauce_id"'), "does not begin with id and source_id"),
        (debug().replace('"ext_key"', '"key"'), "ext_key"),
        (debug(ROWS[:2]), "has 2 operations, the table per operation 5"),
        (debug(operators=("Conv2D", "MaxPool", "Conv2D")), "gives a AvgPool to operator 1, a MaxPool"),
        (debug().replace('1,"Conv2D",1,1', '1,"Conv2D",1'), "is no operator"),
        (debug().replace("0,1,0,", "0,one,0,", 1), "does not begin with two numbers"),
        (debug().replace("0,1,0,", f"0,{'1' * 5000},0,", 1), "does not begin with two numbers"),
        (debug().replace('1,"Conv2D",1,1', f'{"1" * 5000},"Conv2D",1,1'), "is no operator"),
        (debug().replace('1,"Conv2D",1,1', '²,"Conv2D",1,1'), "is no operator"),
    ],
)
def test_a_debug_database_that_is_not_as_known_is_refused(text: str, what: str) -> None:
    with pytest.raises(ToolError, match=what):
        parse_owners(text, parse_per_layer(per_layer()), 3)


def test_operators_of_several_subgraphs_are_not_guessed() -> None:
    rows = parse_per_layer(per_layer())
    with pytest.raises(ModelError, match="several subgraphs"):
        parse_owners(debug(), rows, 2)
    # the last operator is the first one of another subgraph
    with pytest.raises(ModelError, match="several subgraphs"):
        parse_owners(debug().replace("1,1,1,1,1,2\n", "1,1,1,1,1,0\n"), rows, 3)


@given(st.data())
def test_no_damage_to_a_table_is_more_than_a_refusal(data: st.DataObject) -> None:
    rows = parse_per_layer(per_layer())
    text, parse = data.draw(
        st.sampled_from(
            [
                (per_layer(), parse_per_layer),
                (summary(), parse_summary),
                (debug(), lambda text: parse_owners(text, rows, 3)),
            ]
        )
    )
    # anything else than these refusals fails the test
    with contextlib.suppress(ToolError, ModelError):
        parse(data.draw(damaged(text)))
