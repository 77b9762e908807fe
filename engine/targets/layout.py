"""Layout of the state that the native hooks share with Python: one int64 array, a header and tables behind it."""

from __future__ import annotations

from enum import IntEnum


class Stop(IntEnum):
    """Why a hook stopped the emulation (``H_ERROR``)."""

    NONE = 0
    BUDGET = 1
    TABLE_FULL = 2
    BEGIN_INSIDE_LAYER = 3
    END_OUTSIDE_LAYER = 4
    TOO_MANY_LAYERS = 5
    OUTSIDE_CODE = 6


# control flow
H_ACTIVE = 0  # 0: the hooks do nothing (start-up)
H_PREV_END = 1  # end of the last translated piece
H_BLOCK = 2  # start of the ELF block we are in
H_REGION = 3  # region we are in
H_PENDING = 4  # layer to open at the next block, -1 if none
H_LAYERS = 5  # number of layers, also the glue's region index
H_OPENED = 6  # layers opened in this inference
H_BEGIN = 7  # address of wc_layer_begin
H_END = 8  # address of wc_layer_end
H_WORK = 9  # bytes of code executed, the run-away guard's measure
H_LIMIT = 10
H_ERROR = 11
H_ERROR_AT = 12
H_STOP = 13  # address of uc_emu_stop
H_CODE_START = 14
H_CODE_END = 15
H_ENDS = 16  # index of the bit table "a block ends at this address"
# edges
H_TABLE = 17  # index of the edge table: slots of 4 (src << 32 | dst, region, count, unused)
H_MASK = 18  # slots - 1
H_USED = 19
H_LAST = 20  # index of the last edge's slot
# memory
H_MEMORIES = 21  # number of memories
H_MEMORY_TABLE = 22  # index of: origin, end, is flash
H_TRAFFIC = 23  # index of [region][memory][reads, read bytes, writes, write bytes]
H_FLASH = 24  # index of [region][EVENTS]
H_STACK_LOW = 25  # stack memory: [low, high)
H_STACK_HIGH = 26
H_DEPTH = 27  # index of [region] lowest stack address stored to
H_STREAMS = 28  # index of two stream records (fetch, read)
H_LAST_MEMORY = 29
H_EXIT = 30  # where an inference returns to: no code of the firmware
H_CONDITIONAL = 31  # index of the bit table "a conditional load or store lies here"
H_IN_IT = 32  # 1 while a piece of code with such an instruction runs
H_REGISTERS = 33  # addresses of uc_reg_read and uc_reg_write
H_SCRATCH = 35
H_BEGIN_END = 36  # first address behind wc_layer_begin
HEADER = 40

EVENTS = 6  # fetch lines, sequential misses, jump misses; read lines, sequential misses, jump misses

# a stream record: how one kind of access reaches the flash
S_LAST = 0  # last line asked for (-1 at first)
S_SHIFT = 1  # log2 of the line size
S_SETS = 2
S_WAYS = 3
S_TAGS = 4  # index of the tags [set][way], most recent first, -1 empty
STREAM = 8
