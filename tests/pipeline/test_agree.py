"""Agreement of emulators: what is asked, how answers are compared, kept and shown. One question is asked of real emulators."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from engine.catalog.core import Core
from engine.catalog.load import load_core
from engine.cli import main
from engine.errors import ExecutionError, RecordError, ToolError, UsageError
from engine.firmware.types import Firmware, KernelLibrary
from engine.pipeline import agree, emulators
from engine.pipeline.agree import Question, answer, every_model, questions
from engine.pipeline.emulators import EMULATORS, Emulator
from engine.pipeline.local import agreement_path
from engine.records.agreement import Agreement, AgreementCase, read_agreement, write_agreement
from engine.targets.types import RegionCounts

M4 = load_core("cortex-m4")
Count = Callable[[Firmware, Core, Sequence[bytes]], RegionCounts]


def counts(firmware: Firmware, name: str = "one", **changes: object) -> RegionCounts:
    """Made-up counts of a firmware's regions."""
    numbers = tuple(range(100, 101 + len(firmware.layers)))
    made = RegionCounts(name, "1.0", firmware.core, numbers, (b"out",), numbers, numbers, numbers, numbers)
    return replace(made, **changes)  # type: ignore[arg-type]


def emulator(
    name: str, count: Count | None = None, missing: str = "", cores: Sequence[str] = ("cortex-m4",)
) -> Emulator:
    return Emulator(
        name,
        lambda core: core.name in cores,
        lambda: missing,
        count or (lambda firmware, _core, _inputs: counts(firmware, name)),
    )


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    return lambda *made: monkeypatch.setattr(agree, "EMULATORS", made)


def ask(*made: Emulator) -> AgreementCase:
    (case,) = answer([Question("kws", KernelLibrary.CMSIS_NN, M4, made)])
    return case


def test_the_default_asks_for_both_libraries_on_every_shared_core(use: Callable[..., None]) -> None:
    use(
        emulator("a", cores=("cortex-m4", "cortex-m3")),
        emulator("b"),
        emulator("c", missing="no c", cores=("cortex-m3",)),
    )
    asked = questions(["kws", "ic"])
    assert [(q.model, q.kernels.value, q.core.name) for q in asked] == [
        (model, library, "cortex-m4") for model in ("kws", "ic") for library in ("reference", "cmsis-nn")
    ]
    assert {e.name for q in asked for e in q.emulators} == {"a", "b"}
    with pytest.raises(UsageError, match=r"cortex-m3 is on 1 emulator here \(a\)"):
        questions(["kws"], ["cortex-m3"])
    with pytest.raises(UsageError, match="cortex-m7"):
        questions(["kws"], ["cortex-m7"])


def test_one_emulator_is_nothing_to_compare(use: Callable[..., None]) -> None:
    use(emulator("a"), emulator("b", missing="b is not installed"))
    with pytest.raises(ToolError, match="only a is here") as caught:
        questions(["kws"])
    assert "b is not installed" in caught.value.hint


def test_every_model_is_the_zoo_and_the_references() -> None:
    assert {"kws", "ic", "mlperf-tiny/kws", "mlperf-tiny/ad"} <= set(every_model())


def test_equal_counts_agree() -> None:
    case = ask(emulator("a"), emulator("b"))
    assert case.agrees
    assert [e.name for e in case.emulators] == ["a", "b"]
    assert case.instructions == sum(range(100, 101 + case.layers))


def test_what_an_emulator_cannot_count_is_not_compared() -> None:
    only = emulator("b", lambda f, _c, _i: counts(f, "b", loads=None, stores=None, read_bytes=None, write_bytes=None))
    assert ask(emulator("a"), only).agrees


@pytest.mark.parametrize("counter", ["instructions", "loads", "stores", "read_bytes", "write_bytes"])
def test_one_off_in_one_layer_is_found(counter: str) -> None:
    def other(firmware: Firmware, _core: Core, _inputs: Sequence[bytes]) -> RegionCounts:
        numbers = list(getattr(counts(firmware), counter))
        numbers[3] += 1
        return counts(firmware, "b", **{counter: tuple(numbers)})

    case = ask(emulator("a"), emulator("b", other))
    (found,) = case.differences
    assert (found.counter, found.one, found.one_value, found.other, found.other_value) == (
        counter,
        "a",
        "103",
        "b",
        "104",
    )
    assert found.layer.startswith("layer 3 (")
    assert not case.agrees


def test_other_outputs_and_another_glue_are_found() -> None:
    def other(firmware: Firmware, _core: Core, _inputs: Sequence[bytes]) -> RegionCounts:
        made = counts(firmware, "b", outputs=(b"other",))
        return replace(made, instructions=(*made.instructions[:-1], 7))

    found = ask(emulator("a"), emulator("b", other)).differences
    assert [(d.layer, d.counter) for d in found] == [("glue", "instructions"), ("the inference", "outputs (SHA-256)")]
    assert "7 (b)" in str(found[0])


def test_an_emulator_that_fails_does_not_agree() -> None:
    def fault(*_: object) -> RegionCounts:
        raise ExecutionError("the core locked up", hint="x")

    case = ask(emulator("a", fault), emulator("b"))
    assert case.failures == ("a: the core locked up",)
    assert not case.agrees
    assert case.instructions > 0
    assert not ask(emulator("a", fault), emulator("b", fault)).agrees


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(main, ["agree", "kws", "--board", "nucleo-l4r5zi", *arguments])
    return result.exit_code, result.stdout, result.stderr


def test_a_trace_is_taken_where_it_is_asked_for(use: Callable[..., None]) -> None:
    def wrong(firmware: Firmware, _core: Core, _inputs: Sequence[bytes]) -> RegionCounts:
        return replace(counts(firmware, "b"), loads=tuple(range(101, 102 + len(firmware.layers))))

    use(emulator("a"), replace(emulator("b"), trace=wrong))
    assert run()[0] == 0
    code, _, err = run("--trace")
    assert code == 1
    assert "loads" in err
    use(emulator("a"), emulator("c"), replace(emulator("b", missing="b is not installed"), trace=wrong))
    code, _, err = run("--trace")
    assert code == 2
    assert "b is not here: nothing to trace" in err
    assert "b is not installed" in err


def test_the_command(use: Callable[..., None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "agreement.json"
    monkeypatch.setattr("engine.pipeline.local.agreement_path", lambda: path)
    use(emulator("a"), emulator("b"), emulator("c", missing="c is not installed"))
    code, out, err = run()
    assert code == 0
    assert "agree" in out
    assert "without c: c is not installed" in err
    assert not path.exists()
    code, out, _ = run("--json", "--update")
    assert code == 0
    found = Agreement.model_validate(json.loads(out))
    assert {c.kernels for c in found.cases} == {"reference", "cmsis-nn"}
    assert read_agreement(path) == found
    before = path.read_bytes()
    run("--update")
    assert path.read_bytes() == before
    use(emulator("a"), emulator("b", lambda f, _c, _i: counts(f, "b", outputs=(b"x",))))
    code, out, err = run("--update")
    assert code == 1
    assert "kws with reference on cortex-m4: the inference: outputs (SHA-256)" in err
    assert "1/2 kws with reference on cortex-m4: 1 difference" in err
    assert path.read_bytes() == before


def test_a_lost_emulator_is_no_disagreement_and_does_not_hide_one(use: Callable[..., None]) -> None:
    def lost(firmware: Firmware, _core: Core, _inputs: Sequence[bytes]) -> RegionCounts:
        if all(x.library is KernelLibrary.REFERENCE for x in firmware.layers):
            raise ExecutionError("killed by signal 9", hint="x")
        return counts(firmware, "b", outputs=outputs)

    outputs: tuple[bytes, ...] = (b"x",)
    use(emulator("a"), emulator("b", lost))
    code, _, err = run()
    assert code == 1
    assert "kws with cmsis-nn on cortex-m4: the inference: outputs (SHA-256)" in err
    assert "an emulator's mistake or ours" in err
    outputs = (b"out",)
    code, _, err = run()
    assert code == 1
    assert "error: kws with reference on cortex-m4: b: killed by signal 9" in err
    assert "nothing was compared there: try again" in err


def test_all_and_a_model_exclude_each_other() -> None:
    assert run("--all")[0] == 2


def test_what_is_kept_grows_and_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "agreement.json"
    assert read_agreement(path) is None
    one = agree.agreement([ask(emulator("a"), emulator("b"))])
    write_agreement(one, path)
    other = one.model_copy(update={"cases": (one.cases[0].model_copy(update={"core": "cortex-m3"}),)})
    both = one.with_cases(other)
    assert [c.core for c in both.cases] == ["cortex-m3", "cortex-m4"]
    assert both.with_cases(one) == both
    path.write_text("{")
    with pytest.raises(RecordError, match="cannot be read"):
        read_agreement(path)


def test_what_is_committed_agrees() -> None:
    from engine.pipeline.local import agreement_path

    found = read_agreement(agreement_path())
    assert found is not None
    assert all(c.agrees and len(c.emulators) > 1 for c in found.cases)
    assert {c.core for c in found.cases} == {f"cortex-{n}" for n in ("m0plus", "m3", "m4", "m7", "m33")}
    assert [(c.model, c.kernels, c.core) for c in found.cases] == sorted(
        (c.model, c.kernels, c.core) for c in found.cases
    )
    text = agreement_path().read_text("utf-8")
    assert "/" not in text.replace("mlperf-tiny/", "")


@pytest.mark.skipif(shutil.which("qemu-system-arm") is None, reason="qemu-system-arm is not installed")
def test_unicorn_and_qemu_agree_on_a_model() -> None:
    unicorn, qemu = (next(e for e in EMULATORS if e.name == name) for name in ("unicorn", "qemu"))
    case = ask(unicorn, qemu)
    assert case.agrees, [str(d) for d in case.differences]
    assert case.instructions > 1_000_000
    assert [e.machine for e in case.emulators] == ["cortex-m4", "cortex-m4"]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("qemu-system-arm") is None, reason="qemu-system-arm is not installed")
@pytest.mark.parametrize("core", ["cortex-m0plus", "cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33"])
def test_the_committed_table_is_what_emulators_say_here(core: str) -> None:
    kept = {c.elf_sha256: c.instructions for c in read_agreement(agreement_path()).cases}
    cases = [*answer(questions(["kws"], [core]))]
    assert len(cases) == len(KernelLibrary)
    for case in cases:
        assert case.agrees, [str(d) for d in case.differences]
        assert kept[case.elf_sha256] == case.instructions


def test_renode_stands_in_the_table() -> None:
    renode = next(e for e in emulators.EMULATORS if e.name == "renode")
    assert renode.has(M4)
