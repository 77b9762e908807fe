import pytest

from engine.errors import UsageError
from engine.firmware.types import KernelLibrary, Lowering
from engine.pipeline.settings import RunSettings, parse_place, resolve


def test_the_id_names_every_choice() -> None:
    run = resolve(RunSettings("kws", "nucleo-l4r5zi", opt="O3", clock_mhz=80))
    assert run.id == "kws_nucleo-l4r5zi_cmsis-nn_clang-o3_80mhz"


def test_only_another_lowering_is_part_of_the_id() -> None:
    ids = [resolve(RunSettings("kws", "nucleo-l4r5zi", lowering=x)).id for x in (Lowering.TFLM, Lowering.MICROTVM)]
    assert ids == ["kws_nucleo-l4r5zi_cmsis-nn_clang-o2_120mhz", "kws_nucleo-l4r5zi_cmsis-nn_clang-o2_120mhz_microtvm"]


def test_microtvm_is_for_cmsis_nn() -> None:
    with pytest.raises(UsageError, match="not reference"):
        resolve(RunSettings("kws", "nucleo-l4r5zi", KernelLibrary.REFERENCE, lowering=Lowering.MICROTVM))


def test_the_default_clock_is_the_boards() -> None:
    assert resolve(RunSettings("kws", "nucleo-l4r5zi")).clock_mhz == 120


def test_a_placement_is_part_of_the_id_and_of_the_board() -> None:
    run = resolve(RunSettings("kws", "nucleo-l4r5zi", place=(parse_place("weights=sram3"),)))
    assert run.id.endswith("_weights-in-sram3")
    assert run.board.placement.weights == "sram3"
    assert run.board.placement.code == "flash"


@pytest.mark.parametrize("clock_mhz", [0.0, -5.0, 121.0, float("nan"), float("inf")])
def test_a_clock_the_board_cannot_run_at_is_refused(clock_mhz: float) -> None:
    with pytest.raises(UsageError, match="does not run at"):
        resolve(RunSettings("kws", "nucleo-l4r5zi", clock_mhz=clock_mhz))


@pytest.mark.parametrize("text", ["weights", "=sram", "weights=", "soul=sram", ""])
def test_a_placement_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not understood"):
        parse_place(text)


@pytest.mark.parametrize("place", ["activations=flash", "stack=flash"])
def test_what_is_written_cannot_be_placed_in_flash(place: str) -> None:
    with pytest.raises(UsageError, match=f"placement.{place.split('=')[0]} names 'flash', which is flash") as caught:
        resolve(RunSettings("kws", "nucleo-l4r5zi", place=(parse_place(place),)))
    assert "in one of sram1, sram2, sram3" in caught.value.hint
    assert caught.value.exit_code == 2
