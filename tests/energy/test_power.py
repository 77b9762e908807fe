import dataclasses
import itertools

import pytest

from engine.catalog.board import MemoryKind
from engine.catalog.load import load_board
from engine.energy.builds import build_band
from engine.energy.power import Operation, Power, power_of
from engine.energy.published import PublishedPower, firmware_of, platform_of, published_power
from engine.energy.spread import measured_band
from engine.errors import RecordError
from engine.records.run_energy import NoEnergy, PowerKind

L4 = load_board("nucleo-l4r5zi")
TFLM = "v0.5 reference Nucleo-L4R5ZI"


def row(firmware: str = "f", model: str = "m", **changes: object) -> PublishedPower:
    base = PublishedPower(
        "nucleo-l4r5zi", 120.0, 1.8, "", 40.0, 1.0, 40.0, model, "TFLM", "cmsis-nn", "", firmware, "somebody", "a test"
    )
    return dataclasses.replace(base, **changes)


ROWS = (
    row("a", "x", power_mw=40.0, platform="mbed"),
    row("a", "y", power_mw=42.0, platform="mbed"),
    row("b", "x", power_mw=50.0, platform="zephyr"),
    row("c", "x", power_mw=60.0),
    row("d", "x", power_mw=70.0, voltage_v=3.0),
)


def power(**wanted: object) -> Power:
    found = power_of(L4, Operation(120.0, **wanted), ROWS)
    assert isinstance(found, Power)
    return found


def test_the_closest_source_is_taken() -> None:
    assert (power(firmware="a").kind, power(firmware="a").power_mw) == (PowerKind.SAME_FIRMWARE, 41.0)
    assert (power(firmware="new", platform="zephyr").kind, power(platform="zephyr").power_mw) == (
        PowerKind.SAME_PLATFORM,
        50.0,
    )
    # a firmware counts once, however many models it ran
    assert (power().kind, power().power_mw) == (PowerKind.OTHER_FIRMWARE, pytest.approx((41 + 50 + 60) / 3))


def test_a_voltage_without_measurements_has_the_same_current() -> None:
    assert power(voltage_v=3.6).power_mw == pytest.approx(70 * 3.6 / 3.0)
    smps = tuple(dataclasses.replace(r, regulator="smps") for r in ROWS)
    found = power_of(L4, Operation(120.0, voltage_v=3.6), smps)
    assert isinstance(found, Power)
    assert found.power_mw == pytest.approx(70)


def test_another_clock_scales_the_current_and_widens_the_interval() -> None:
    slow = power_of(L4, Operation(60.0), ROWS)
    assert isinstance(slow, Power)
    assert slow.power_mw == pytest.approx(power().power_mw / 2)
    assert slow.low_mw / slow.power_mw < power().low_mw / power().power_mw


def test_each_kind_of_source_is_at_least_as_unsure_as_a_closer_one() -> None:
    rows = published_power()
    bands = [measured_band(kind, rows) for kind in list(PowerKind)[:3]]
    assert all(a.low >= b.low and a.high <= b.high for a, b in itertools.pairwise(bands))
    assert 0.85 < bands[0].low < 0.95
    assert 1.05 < bands[0].high < 1.15


def test_published_powers_are_predicted_without_themselves() -> None:
    """The errors that the method page states: same firmware a few percent, other firmware more, data sheet most."""
    rows = published_power()
    ours = [r for r in rows if r.kernels == "cmsis-nn" and r.board == L4.name]
    assert len(ours) == 6
    errors: dict[str, list[float]] = {"model": [], "firmware": [], "board": []}
    inside = 0
    for r in ours:
        for name, kept in (
            ("model", [x for x in rows if x != r]),
            ("firmware", [x for x in rows if x.firmware != r.firmware]),
            ("board", [x for x in rows if x.board != r.board]),
        ):
            found = power_of(L4, Operation(r.clock_mhz, MemoryKind.FLASH, r.voltage_v, r.firmware, r.platform), kept)
            assert isinstance(found, Power)
            errors[name].append(abs(found.power_mw / r.power_mw - 1))
            inside += found.low_mw <= r.power_mw <= found.high_mw
    assert {k: round(sum(v) / len(v), 3) < limit for (k, v), limit in zip(errors.items(), (0.02, 0.04, 0.12), strict=True)} == {
        "model": True,
        "firmware": True,
        "board": True,
    }  # fmt: skip
    assert inside >= 0.85 * 18


def test_a_data_sheet_current_depends_on_where_code_lies() -> None:
    board = load_board("nucleo-h743zi")
    flash, itcm = (
        power_of(board, Operation(400.0, code), published_power()) for code in (MemoryKind.FLASH, MemoryKind.ITCM)
    )
    assert isinstance(flash, Power)
    assert isinstance(itcm, Power)
    assert flash.kind is PowerKind.RUN_CURRENT
    assert flash.power_mw / itcm.power_mw == pytest.approx(262.5 / 177.5)
    assert flash.low_mw < flash.power_mw < flash.high_mw


def test_a_headline_is_corrected_by_what_other_boards_draw() -> None:
    board = L4.model_copy(update={"name": "another"})
    found = power_of(board, Operation(120.0, voltage_v=1.8), published_power())
    assert isinstance(found, Power)
    assert found.kind is PowerKind.HEADLINE
    assert 1.5 < found.power_mw / (100 * 120 * 1.8 / 1000) < 2.5


def test_a_board_without_any_source_has_no_power() -> None:
    found = power_of(load_board("nrf5340-dk"), Operation(128.0), published_power())
    assert isinstance(found, NoEnergy)
    assert "nrf5340-dk" in found.reason


def test_every_published_row_has_a_source_and_its_own_power() -> None:
    rows = published_power()
    assert len({r.id for r in rows}) == len(rows) == 98
    mlperf = [r for r in rows if r.source.startswith("MLPerf Tiny")]
    assert len(mlperf) == 96
    assert all(r.firmware in firmware_of("", "", "", r.source) and r.voltage_v is not None for r in mlperf)
    assert all(r.source.startswith("Ambiq neuralSPOT docs") for r in rows if r not in mlperf)
    # power and energy of a row are one measurement; its latency is another one
    assert all(r.energy_uj / r.power_mw == pytest.approx(r.latency_ms, rel=0.2) for r in rows)


def test_a_firmware_is_known_by_its_address_or_by_its_name() -> None:
    assert firmware_of("nucleo-l4r5zi", "TensorFlow Lite for Microcontrollers v2.3.1", "cmsis-nn", "") == TFLM
    assert firmware_of("nucleo-l4r5zi", "nothing we know", "cmsis-nn", "") == ""
    assert platform_of(TFLM) == "mbed"
    assert platform_of("", "arm-none-eabi-gcc -O2 (Zephyr build)") == "zephyr"
    assert platform_of("", "gcc") == ""


def test_a_broken_row_names_file_and_line(tmp_path) -> None:
    bad = tmp_path / "power.csv"
    bad.write_text("board,clock_mhz\nx,fast\n")
    with pytest.raises(RecordError, match=r"power\.csv line 2"):
        published_power(bad)


def test_a_power_without_a_supply_is_taken_as_it_is_and_teaches_no_interval() -> None:
    board, rows = load_board("apollo510-evb"), published_power()
    found = power_of(board, Operation(250.0), rows)
    assert isinstance(found, Power)
    assert (found.kind, found.voltage_v) == (PowerKind.OTHER_FIRMWARE, None)
    assert found.power_mw == pytest.approx((25.543 + 25.489) / 2)
    assert "whose supply is not given" in found.how
    # its 8 mW in low power, at a clock that is not given (96 MHz if it is the lower of its two), lie within
    slow = power_of(board, Operation(96.0), rows)
    assert isinstance(slow, Power)
    assert slow.low_mw < 7.843 < 8.03 < slow.high_mw
    # asked at a supply the interval reaches over all that they may have been measured at
    at_3v = power_of(board, Operation(250.0, voltage_v=3.0), rows)
    assert isinstance(at_3v, Power)
    assert at_3v.high_mw == pytest.approx(found.high_mw * 3.0 / 1.8)
    others = tuple(r for r in rows if r.board != board.name)
    for kind in (PowerKind.SAME_FIRMWARE, PowerKind.SAME_PLATFORM, PowerKind.OTHER_FIRMWARE):
        assert measured_band(kind, rows) == measured_band(kind, others)
    assert build_band(rows) == build_band(others)
