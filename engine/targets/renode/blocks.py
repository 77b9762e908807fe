"""From the PCs of a trace to counted edges between blocks: the normal form every target gives."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.errors import ExecutionError
from engine.firmware.types import Firmware
from engine.targets.image import Image
from engine.targets.renode.driver import require
from engine.targets.types import Profile


def inference_slice(pcs: NDArray[np.uint32], image: Image, returned: int) -> slice:
    """The entries of the first inference: from the entry of ``wc_infer`` to its return. Raises ExecutionError if there is none."""
    entries = np.flatnonzero(pcs == require(image, "wc_infer"))
    returns = np.flatnonzero(pcs == returned)
    if not len(entries) or not len(returns) or returns[0] <= entries[0]:
        raise ExecutionError("the trace holds no whole inference", hint="report this with the ELF and Renode's version")
    return slice(int(entries[0]), int(returns[0]))


def entry_regions(pcs: NDArray[np.uint32], image: Image, firmware: Firmware) -> NDArray[np.int32]:
    """The region of every entry of one inference: the layer's index, or the number of layers for the glue.

    Raises ExecutionError where markers do not pair.
    """
    begin, close = image.symbol("wc_layer_begin"), require(image, "wc_layer_end")
    start = require(image, "wc_layer_begin")
    layers = len(firmware.layers)
    inside = np.isin(pcs, [a for a in image.instructions if a >= start and image.function_at(a) == begin])
    # a layer opens at the first entry behind a run of entries inside wc_layer_begin, and closes at wc_layer_end
    opens = np.flatnonzero(inside[:-1] & ~inside[1:]) + 1
    closes = np.flatnonzero(pcs == close)
    paired = len(opens) == len(closes) == layers and (opens < closes).all() and (closes[:-1] < opens[1:]).all()
    if not paired:
        raise ExecutionError(
            f"{len(opens)} opened and {len(closes)} closed of {layers} layers",
            hint="every layer needs one wc_layer_begin and one wc_layer_end",
        )
    regions = np.full(len(pcs), layers, np.int32)
    for layer, (a, b) in enumerate(zip(opens, closes, strict=True)):
        regions[a:b] = layer
    return regions


def profile_of(pcs: NDArray[np.uint32], regions: NDArray[np.int32], image: Image) -> Profile:
    """Counted edges of one inference. Raises ExecutionError for a PC where the ELF has no instruction."""
    addresses, which = np.unique(pcs, return_inverse=True)
    after = np.array([_end(image, a) for a in addresses.tolist()], np.uint32)
    closes = np.isin(after, list(image.block_ends))
    # a block starts where control did not fall through, and where it fell through the end of one
    goes_on = (after[which[:-1]] == pcs[1:]) & ~closes[which[:-1]]
    starts = np.flatnonzero(np.concatenate([[True], ~goes_on]))
    # one number per edge; place 0 stands for no block before the first
    places, dst = len(addresses) + 1, which[starts] + 1
    src = np.concatenate([[0], dst[:-1]])
    keys = (regions[starts].astype(np.int64) * places + src) * places + dst
    edges, count = np.unique(keys, return_counts=True)
    named = np.concatenate([np.zeros(1, np.uint32), addresses])
    return Profile(
        (edges // places**2).astype(np.int32),
        named[edges // places % places],
        named[edges % places],
        count.astype(np.int64),
    )


def _end(image: Image, address: int) -> int:
    instruction = image.instructions.get(address)
    if instruction is None:
        raise ExecutionError(
            f"the trace executes {image.describe(address)}, where the ELF has no instruction",
            hint="report this with the ELF",
        )
    return instruction.end
