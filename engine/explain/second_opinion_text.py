"""A second opinion in the terminal: the blocks as a table, then the reasons of each."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from engine.explain.mca_rules import Rule
from engine.explain.second_opinion import BlockOpinion, Reason, ReasonAt, SecondOpinion
from engine.words import share_text

_SHOWN = 3
"""Instructions named per reason; all are in the JSON."""


def render_opinion(opinion: SecondOpinion, console: Console) -> None:
    """Print a second opinion."""
    by = f"llvm-mca {opinion.version}, model {opinion.model}" if opinion.version else "llvm-mca"
    console.print(
        f"{opinion.id}: the hottest basic blocks, {share_text(opinion.share_shown, 0)} of the pipeline cycles; cycles per execution, "
        f"ours (simulated) and by {by}"
    )
    for line in (opinion.absent and f"no second opinion: {opinion.absent}", opinion.hint, opinion.model_note):
        if line:
            console.print(line)
    console.print()
    console.print(_table(opinion))
    console.print()
    console.print(opinion.note, style="dim")
    for number, block in enumerate(opinion.blocks, start=1):
        if block.llvm_mca is not None or not opinion.absent:
            _details(number, block, console)


def _table(opinion: SecondOpinion) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("#", justify="right", no_wrap=True)
    table.add_column("block", overflow="fold")  # on a narrow terminal names are broken, never a figure
    for name in ("times", "share", "length", "ours", "llvm-mca", "differ", "not explained"):
        table.add_column(name, justify="right", no_wrap=name != "not explained")
    for number, b in enumerate(opinion.blocks, start=1):
        answered = b.llvm_mca is not None and b.difference is not None
        table.add_row(
            str(number),
            _place(b),
            f"{b.count:,}",
            share_text(b.share),
            str(b.instructions),
            f"{b.ours:.2f}",
            f"{b.llvm_mca:.2f}" if answered else "-",
            f"{b.difference:+.2f}" if answered else "-",
            f"{b.unexplained:.2f}" if answered else "-",
        )
    return table


def _place(block: BlockOpinion) -> str:
    return f"{block.function}+0x{block.offset:x}"


def _details(number: int, block: BlockOpinion, console: Console) -> None:
    console.print()
    console.print(f"{number}  0x{block.address:08x} {_place(block)}  {block.source}", soft_wrap=True)
    if block.llvm_mca is None:
        console.print(f"   no second opinion: {block.absent}", soft_wrap=True)
        return
    if not block.reasons:
        console.print("   the two agree")
    for reason in block.reasons:
        what = "cycles" if reason.rule is Rule.UNEXPLAINED else reason.rule.replace("_", " ")
        console.print(f"  {reason.cycles:+7.2f}  {what}: {reason.meaning}", soft_wrap=True)
        for each in reason.instructions[:_SHOWN]:
            console.print(f"           {_at(reason, each)}", soft_wrap=True)
        if len(reason.instructions) > _SHOWN:
            console.print(f"           and {len(reason.instructions) - _SHOWN} more")


def _at(reason: Reason, each: ReasonAt) -> str:
    behind = f" (with {each.behind})" if each.behind else ""
    return f"{each.text}: ours {each.ours:g}, llvm-mca {each.llvm_mca:g}{behind}"
