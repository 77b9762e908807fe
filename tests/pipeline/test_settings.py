import re
from pathlib import Path

import pytest

from engine.catalog.load import BOARDS_DIR, load_board, load_core
from engine.errors import UsageError
from engine.firmware.types import KernelLibrary, Lowering
from engine.pipeline.settings import ResolvedRun, RunSettings, parse_place, parse_set, resolve
from engine.targets.choose import UNICORN_CORES, choose_target


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


@pytest.mark.parametrize(
    ("board", "kind", "memory"),
    [
        ("nucleo-l4r5zi", "sram", "sram1"),
        ("nucleo-h743zi", "sram", "axi_sram"),
        ("nucleo-h743zi", "dtcm", "dtcm"),
        ("nrf5340-dk", "sram", "sram"),
    ],
)
def test_a_kind_of_memory_means_the_one_that_is_used_else_the_first(board: str, kind: str, memory: str) -> None:
    run = resolve(RunSettings("kws", board, place=(("weights", kind),)))
    assert run.board.placement.weights == memory
    assert run.id == resolve(RunSettings("kws", board, place=(("weights", memory),))).id


def test_a_kind_that_the_board_lacks_is_refused() -> None:
    with pytest.raises(UsageError, match="no memory 'itcm'"):
        resolve(RunSettings("kws", "nucleo-l4r5zi", place=(("code", "itcm"),)))


def test_a_placement_that_changes_nothing_makes_no_other_run() -> None:
    assert resolve(RunSettings("kws", "nucleo-l4r5zi", place=(("weights", "flash"),))).id == (
        resolve(RunSettings("kws", "nucleo-l4r5zi")).id
    )


def test_a_part_is_placed_once() -> None:
    with pytest.raises(UsageError, match="weights is placed twice"):
        resolve(RunSettings("kws", "nucleo-l4r5zi", place=(("weights", "sram1"), ("weights", "sram2"))))


@pytest.mark.parametrize("clock_mhz", [0.0, -5.0, 121.0, float("nan"), float("inf")])
def test_a_clock_the_board_cannot_run_at_is_refused(clock_mhz: float) -> None:
    with pytest.raises(UsageError, match="does not run at"):
        resolve(RunSettings("kws", "nucleo-l4r5zi", clock_mhz=clock_mhz))


@pytest.mark.parametrize("text", ["weights", "=sram", "weights=", "soul=sram", "weights=sram3,code=sram2", ""])
def test_a_placement_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not understood"):
        parse_place(text)


@pytest.mark.parametrize("place", ["activations=flash", "stack=flash"])
def test_what_is_written_cannot_be_placed_in_flash(place: str) -> None:
    with pytest.raises(UsageError, match=f"placement.{place.split('=')[0]} names 'flash', which is flash") as caught:
        resolve(RunSettings("kws", "nucleo-l4r5zi", place=(parse_place(place),)))
    assert "in one of sram1, sram2, sram3" in caught.value.hint
    assert caught.value.exit_code == 2


def with_set(*texts: str) -> ResolvedRun:
    return resolve(RunSettings("kws", "nucleo-l4r5zi", set=tuple(parse_set(t) for t in texts)))


def test_what_is_set_is_part_of_the_id_in_one_order() -> None:
    plain = resolve(RunSettings("kws", "nucleo-l4r5zi")).id
    ids = {
        with_set(*texts).id
        for texts in (
            ("flash.wait_states=3", "core.latency.load=0x3"),
            ("core.latency.load=3.0", "flash.wait_states=3"),
        )
    }
    assert ids == {f"{plain}_core.latency.load-3_flash.wait_states-3"}
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9._-]*", x) for x in ids)


def test_many_figures_make_no_name_that_is_too_long() -> None:
    keys = [key for key, _ in load_core("cortex-m4").figures()]
    many = [with_set(*(f"core.{k}={value}" for k in keys)).id for value in (1, 2)]
    assert all(len(x) < 150 and f"_{len(keys)}-set-" in x for x in many)
    assert many[0] != many[1]


def test_what_is_set_is_in_the_board_and_the_core() -> None:
    run = with_set("flash.wait_states=3", "core.latency.load=3")
    assert (run.board.flash.wait_states(120), run.core.latency.load.value) == (3, 3)
    assert run.catalogued == (load_board("nucleo-l4r5zi"), load_core("cortex-m4"))
    assert run.described == run.board
    placed = resolve(
        RunSettings("kws", "nucleo-l4r5zi", place=(("weights", "sram3"),), set=(parse_set("flash.prefetch=false"),))
    )
    assert (placed.board.placement.weights, placed.board.flash.prefetch) == ("sram3", False)
    assert (placed.described.placement.weights, placed.described.flash.prefetch) == ("flash", False)


def test_a_set_maximum_decides_the_clock() -> None:
    faster = (parse_set("max_clock_mhz=150"), parse_set("flash.wait_states=5"))
    assert resolve(RunSettings("kws", "nucleo-l4r5zi", clock_mhz=150, set=faster)).clock_mhz == 150


def test_a_users_board_keeps_its_digest_under_what_is_set(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text((BOARDS_DIR / "nucleo-l4r5zi.toml").read_text().replace('"nucleo-l4r5zi"', '"own"'))
    plain = resolve(RunSettings("kws", str(own))).id
    assert resolve(RunSettings("kws", str(own), set=(parse_set("flash.prefetch=false"),))).id == (
        f"{plain}_flash.prefetch-false"
    )


def test_auto_is_the_first_target_that_has_the_core_and_others_are_named() -> None:
    plain = resolve(RunSettings("kws", "nucleo-l4r5zi"))
    assert plain.target.name == "unicorn"
    assert resolve(RunSettings("kws", "nucleo-l4r5zi", target="unicorn")).id == plain.id
    on_qemu = resolve(RunSettings("kws", "nucleo-l4r5zi", target="qemu"))
    assert (on_qemu.target.name, on_qemu.id) == ("qemu", f"{plain.id}_qemu")
    assert on_qemu.target.note(on_qemu.core) == ""
    m0 = resolve(RunSettings("kws", "nucleo-g0b1re", target="qemu"))
    assert m0.target.note(m0.core).startswith("executed on a cortex-m3 (QEMU's mps2-an385)")
    with pytest.raises(UsageError, match="no target 'toaster'"):
        resolve(RunSettings("kws", "nucleo-l4r5zi", target="toaster"))


def test_a_core_decides_which_targets_can_be_asked_for() -> None:
    m55 = load_core("cortex-m4").model_copy(update={"name": "cortex-m55", "architecture": "armv8.1-m.main"})
    assert choose_target("auto", m55).name == "qemu"
    with pytest.raises(UsageError, match="the target unicorn has no core cortex-m55") as caught:
        choose_target("unicorn", m55)
    assert "--target qemu" in caught.value.hint
    other = m55.model_copy(update={"name": "cortex-x", "architecture": "armv9"})
    with pytest.raises(UsageError, match="no target has a core cortex-x"):
        choose_target("auto", other)


def test_the_table_of_targets_knows_what_unicorn_has() -> None:
    from engine.targets.machine import SUPPORTED_CORES

    assert set(SUPPORTED_CORES) == UNICORN_CORES
