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
    OUTSIDE_MEMORY = 7
    WRITE_TO_FLASH = 8
    VECTOR_TOO_WIDE = 9


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
H_MEMORY_TABLE = 22  # index of rows [system][memory]: origin, end, fetch stream, data stream (0: none; AS_DESCRIBED in an alternative)
H_EVENTS = 23  # index of [system][region][memory][EVENTS]
H_PORT_MASK = 24  # bytes of the core's data port - 1
H_STACK_LOW = 25  # stack memory: [low, high)
H_STACK_HIGH = 26
H_DEPTH = 27  # index of [region] lowest stack address stored to
H_STREAMS = 28  # index where streams, caches and tags begin
H_LAST_MEMORY = 29
H_EXIT = 30  # where an inference returns to: no code of the firmware
H_CONDITIONAL = 31  # index of the bit table "a conditional load or store lies here"
H_IN_IT = 32  # 1 while a piece of code with such an instruction runs
H_REGISTERS = 33  # addresses of uc_reg_read and uc_reg_write
H_SCRATCH = 35
H_BEGIN_END = 36  # first address behind wc_layer_begin
# what the QEMU plugin keeps beside that (it shares the array; see qemu/plugin.c)
H_WIDE = 37  # index of the bit table "a 32-bit instruction begins here"
H_TOTALS = 38  # index of [region][TOTALS]; a memory run has it too
H_WATCH = 39  # 1: look at data accesses too (known before anything is translated)
H_TRACE = 40  # index of the buffer of events
H_TRACE_SIZE = 41  # events it holds; 0: no trace in this run
H_TRACE_FILL = 42  # events in it
H_TRACE_CHUNKS = 43  # buffers sent through the pipe so far
H_TRACE_ON = 44  # 1: this inference is traced
H_PAIR = 45  # index of the bit table "an LDRD or STRD begins here": two accesses of a word, though newer QEMUs make one of 64 bits
# what a reader of its trace needs beside a memory run's
H_MOVES = 46  # index of rows, one per memory: origin and end in the emulator, distance to the board's, 1 if it is flash
# the trace that a memory run keeps of its first inference, see trace_code
H_RECORD = 47  # index of its words; 0: nothing is recorded now
H_RECORD_FILL = 48  # words used
H_RECORD_ROOM = 49  # words there are
H_HITS = 50  # events that were as predicted since the last word
H_CONTEXTS = 51  # index of the predictor's table
H_AFTER_BLOCK = 52  # block entered last, as the predictor knows it
H_SINCE = 53  # events since
H_ROWS = 54  # index of the rows of moves of a replay, one per section
H_ROWS_COUNT = 55
H_LAST_ROW = 56  # row of the last access
H_STREAMS_END = 57  # index behind streams, caches and tags
# lanes: how many bytes each execution of a vector load or store moved that may leave some out
H_VECTORS = 58  # index of their addresses, in order
H_VECTOR_COUNT = 59
H_LANES = 60  # index of [region][vector][LANES]: executions by bytes moved
# alternatives of the board, which are simulated beside it
H_SYSTEMS = 61  # memory systems: the board's is the first
HEADER = 64

LANES = 17  # 0 to 16 bytes

# what is added up per region for targets to agree on: a pair or a 64-bit access counts as its words, which emulators make of it or not
T_INSTRUCTIONS = 0  # only the plugin is told these
T_READS = 1  # words or parts of one read, bytes, the same written
TOTALS = 5

# an event of the trace: kind << 48 | bytes << 32 | address
TRACE_BLOCK = 0
TRACE_READ = 1
TRACE_WRITE = 2

# a word of a recorded trace: hits << 42 | kind << 40 | bytes << 32 | address; see trace_code
W_HITS = 42
W_KIND = 40
W_NONE = 3  # the kind of a word that holds hits alone
W_MOST_HITS = (1 << 21) - 1

# the predictor's table: entries of last event, stride, candidate for the next stride
P_LAST = 0
P_STRIDE = 1
P_CANDIDATE = 2
PREDICTION = 3
PREDICTIONS = 1 << 14

# a row of the moves of a replay: a section
R_START = 0
R_END = 1
R_DISTANCE = 2
ROW = 3

# a row of the memory table
M_ORIGIN = 0
M_END = 1
M_FETCH = 2
M_DATA = 3
MEMORY = 4
AS_DESCRIBED = -1  # a stream of an alternative that is no other than the board's: its events are not counted again

# a row of the moves
V_ORIGIN = 0
V_END = 1
V_DISTANCE = 2
V_FLASH = 3
MOVE = 4

# counters of one region and memory, in the order of the fields of MemoryEvents
E_READS = 0  # reads, read bytes, writes, written bytes
E_EXTRA = 4  # further accesses of unaligned reads, of unaligned writes
E_FETCH = 6  # lines, sequential misses, jump misses
E_READ = 9  # lines, sequential misses, jump misses
E_WRITE_LINES = 12
E_WRITE_MISSES = 13
E_WRITE_BACK = 14
EVENTS = 15

# a stream record: how one kind of access reaches one memory
S_LAST = 0  # last line asked for (-1 at first)
S_SHIFT = 1  # log2 of the line size
S_CACHE = 2  # index of the cache record, 0: none
S_COARSER = 3  # log2 of the lines of this stream in a line of the cache
STREAM = 4

# a cache record
C_SETS = 0
C_MASK = 1  # sets - 1 where that is a power of two, else -1
C_WAYS = 2
C_TAGS = 3  # index of the tags [set][way]
C_REPLACE = 4
C_WRITE_BACK = 5
C_RNG = 6
C_EVICTED = 7
C_STAMPS = 8  # index of the times of last use or filling, like the tags
C_TIME = 9
C_GUESS = 10  # index of a table: a line's low bits to its way
C_GUESS_MASK = 11
CACHE = 12
