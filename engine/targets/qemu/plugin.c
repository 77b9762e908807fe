/* A plugin for QEMU's translator (TCG): exact control flow, totals per region, and on demand every access in order.
 *
 * QEMU hands us translated pieces of code; we count edges between the ELF's basic blocks, per region, in an array that is
 * shared with the host. Its layout is engine/targets/layout.py, which becomes the names in capitals here (-D), so that the
 * host reads it like the array of its own hooks. The host stops the machine (through QEMU's debugger stub) before it touches
 * the array, except for H_ERROR, which it polls.
 *
 * Arguments: state=FD (the shared array, a file), pipe=FD (where full trace buffers go; only with a trace).
 * What may be used of QEMU's plugin interface is declared below; it is the same from version 1 (QEMU 7.2) to 5 (QEMU 10).
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __linux__
#include <signal.h>
#include <sys/prctl.h>
#endif

/* ---- QEMU's plugin interface, as far as it is used ---- */

#define EXPORT __attribute__((visibility("default")))

struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef uint64_t qemu_plugin_id_t;
typedef uint32_t qemu_plugin_meminfo_t;
typedef void (*tb_translated_t)(qemu_plugin_id_t, struct qemu_plugin_tb *);
typedef void (*executed_t)(unsigned int, void *);
typedef void (*accessed_t)(unsigned int, qemu_plugin_meminfo_t, uint64_t, void *);
enum { WITHOUT_REGISTERS = 0, READS_AND_WRITES = 3 };

extern void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, tb_translated_t);
extern void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *, executed_t, int flags, void *);
extern void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *, executed_t, int flags, void *);
extern void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *, accessed_t, int flags, int which, void *);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
extern struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
extern uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *);
extern unsigned int qemu_plugin_mem_size_shift(qemu_plugin_meminfo_t);
extern bool qemu_plugin_mem_is_store(qemu_plugin_meminfo_t);

EXPORT int qemu_plugin_version = API;

/* ---- the shared array ---- */

static int64_t *s;
static int trace_pipe = -1;

/* A piece of code as translated. QEMU may cut an ELF block into several. */
typedef struct {
    int64_t start, bytes, instructions;
} piece_t;

static void fail(int64_t error, int64_t address)
{
    if (s[H_ERROR] == STOP_NONE) {
        s[H_ERROR_AT] = address;
        s[H_ERROR] = error;
    }
}

static bool in_code(int64_t address) { return s[H_CODE_START] <= address && address < s[H_CODE_END]; }

static bool bit(int64_t table, int64_t address)
{
    const int64_t half = (address - s[H_CODE_START]) >> 1;
    return s[s[table] + (half >> 6)] >> (half & 63) & 1;
}

/* ---- regions and edges ---- */

static bool is_continuation(int64_t address) { return address == s[H_PREV_END] && !bit(H_ENDS, address); }

static void account(const piece_t *piece)
{
    s[H_WORK] += piece->bytes;
    if (s[H_WORK] > s[H_LIMIT])
        fail(STOP_BUDGET, piece->start);
}

/* The markers' own blocks are glue; the block after wc_layer_begin's last one opens the layer. */
static void enter_block(int64_t address)
{
    if (s[H_PENDING] >= 0 && !(s[H_BEGIN] <= address && address < s[H_BEGIN_END])) {
        s[H_REGION] = s[H_PENDING];
        s[H_PENDING] = -1;
    }
    if (address == s[H_BEGIN]) {
        if (s[H_REGION] != s[H_LAYERS])
            fail(STOP_BEGIN_INSIDE_LAYER, address);
        else if (s[H_OPENED] >= s[H_LAYERS])
            fail(STOP_TOO_MANY_LAYERS, address);
        else
            s[H_PENDING] = s[H_OPENED]++;
    } else if (address == s[H_END]) {
        if (s[H_REGION] == s[H_LAYERS])
            fail(STOP_END_OUTSIDE_LAYER, address);
        s[H_REGION] = s[H_LAYERS];
    }
}

static void count_edge(int64_t from, int64_t to)
{
    const int64_t key = from << 32 | to, region = s[H_REGION], mask = s[H_MASK];
    int64_t *slot = s + s[H_LAST];
    if (slot[0] != key || slot[1] != region) {
        uint64_t at = ((uint64_t)(key + (region << 17)) * 0x9E3779B97F4A7C15u) >> 40;
        for (;; ++at) {
            slot = s + s[H_TABLE] + 4 * ((int64_t)at & mask);
            if (slot[0] == key && slot[1] == region)
                break;
            if (slot[0] == 0) {
                if (2 * s[H_USED] > mask) {
                    fail(STOP_TABLE_FULL, to);
                    return;
                }
                ++s[H_USED];
                slot[0] = key;
                slot[1] = region;
                break;
            }
        }
        s[H_LAST] = slot - s;
    }
    ++slot[2];
}

/* ---- the trace ---- */

static void send(const char *data, size_t bytes)
{
    while (bytes) {
        const ssize_t done = write(trace_pipe, data, bytes);
        if (done < 0) {
            if (errno == EINTR)
                continue;
            _exit(1); /* the host is gone */
        }
        data += done;
        bytes -= (size_t)done;
    }
}

static void trace(int64_t kind, int64_t bytes, int64_t address)
{
    s[s[H_TRACE] + s[H_TRACE_FILL]++] = kind << 48 | bytes << 32 | address;
    if (s[H_TRACE_FILL] == s[H_TRACE_SIZE]) {
        send((const char *)(s + s[H_TRACE]), sizeof *s * (size_t)s[H_TRACE_SIZE]);
        s[H_TRACE_FILL] = 0;
        ++s[H_TRACE_CHUNKS];
    }
}

/* ---- callbacks ---- */

static void executed(unsigned int cpu, void *data)
{
    const piece_t *const piece = data;
    (void)cpu;
    account(piece);
    if (!s[H_ACTIVE])
        return;
    if (!in_code(piece->start)) {
        fail(STOP_OUTSIDE_CODE, piece->start);
        s[H_PREV_END] = 0; /* the bit table must not be asked about what follows */
        return;
    }
    if (!is_continuation(piece->start)) {
        const int64_t from = s[H_BLOCK];
        enter_block(piece->start);
        count_edge(from, piece->start);
        s[H_BLOCK] = piece->start;
    }
    s[H_PREV_END] = piece->start + piece->bytes;
    s[s[H_TOTALS] + s[H_REGION] * TOTALS + T_INSTRUCTIONS] += piece->instructions;
    if (s[H_TRACE_ON])
        trace(TRACE_BLOCK, piece->bytes, piece->start);
}

static void count_access(bool store, int64_t bytes, int64_t address)
{
    int64_t *const totals = s + s[H_TOTALS] + s[H_REGION] * TOTALS + T_READS + (store ? 2 : 0);
    totals[0] += bytes > 4 ? bytes / 4 : 1;
    totals[1] += bytes;
    if (s[H_TRACE_ON])
        trace(store ? TRACE_WRITE : TRACE_READ, bytes, address);
}

/* What an access belongs to, as the pointer that QEMU hands back: nothing special, a pair, or 2 + the number of a vector transfer. */
#define PAIR ((void *)1)
#define VECTOR 2

static int64_t *lanes; /* of the vector transfer that is executed now: its executions by bytes moved */
static int64_t moved;  /* by it so far */

/* QEMU's helpers of vector loads and stores access the lanes that take part, one by one, and no others. */
static void executed_vector(unsigned int cpu, void *data)
{
    (void)cpu;
    if (!s[H_ACTIVE])
        return;
    lanes = s + s[H_LANES] + (s[H_REGION] * s[H_VECTOR_COUNT] + ((intptr_t)data - VECTOR)) * LANES;
    moved = 0;
    ++lanes[0];
}

static void count_lane(int64_t bytes, int64_t address)
{
    if (moved + bytes >= LANES) {
        fail(STOP_VECTOR_TOO_WIDE, address);
        return;
    }
    --lanes[moved];
    moved += bytes;
    ++lanes[moved];
}

static void *kind_of(int64_t address)
{
    const int64_t *const vectors = s + s[H_VECTORS];
    if (!in_code(address))
        return NULL;
    for (int64_t low = 0, high = s[H_VECTOR_COUNT]; low < high;) {
        const int64_t middle = (low + high) / 2;
        if (vectors[middle] == address)
            return (void *)(intptr_t)(VECTOR + middle);
        if (vectors[middle] < address)
            low = middle + 1;
        else
            high = middle;
    }
    return bit(H_PAIR, address) ? PAIR : NULL;
}

static void accessed(unsigned int cpu, qemu_plugin_meminfo_t info, uint64_t address, void *kind)
{
    const int64_t bytes = (int64_t)1 << qemu_plugin_mem_size_shift(info);
    const bool store = qemu_plugin_mem_is_store(info);
    (void)cpu;
    if (!s[H_ACTIVE])
        return;
    if ((intptr_t)kind >= VECTOR)
        count_lane(bytes, (int64_t)address);
    if (kind == PAIR && bytes == 8) {
        count_access(store, 4, (int64_t)address);
        count_access(store, 4, (int64_t)address + 4);
    } else
        count_access(store, bytes, (int64_t)address);
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    const size_t n = qemu_plugin_tb_n_insns(tb);
    piece_t *const piece = malloc(sizeof *piece); /* lives as long as QEMU may execute it */
    (void)id;
    if (!n || !piece)
        abort();
    /* not by instruction size: QEMU 7.2 gives 2 too many before an instruction that straddles two pages */
    const int64_t last = (int64_t)qemu_plugin_insn_vaddr(qemu_plugin_tb_get_insn(tb, n - 1));
    piece->start = (int64_t)qemu_plugin_insn_vaddr(qemu_plugin_tb_get_insn(tb, 0));
    piece->bytes = last - piece->start + (in_code(last) && bit(H_WIDE, last) ? 4 : 2);
    piece->instructions = (int64_t)n;
    qemu_plugin_register_vcpu_tb_exec_cb(tb, executed, WITHOUT_REGISTERS, piece);
    if (!s[H_WATCH])
        return;
    for (size_t i = 0; i < n; ++i) {
        struct qemu_plugin_insn *const instruction = qemu_plugin_tb_get_insn(tb, i);
        const int64_t address = (int64_t)qemu_plugin_insn_vaddr(instruction);
        void *const kind = kind_of(address);
        if ((intptr_t)kind >= VECTOR)
            qemu_plugin_register_vcpu_insn_exec_cb(instruction, executed_vector, WITHOUT_REGISTERS, kind);
        qemu_plugin_register_vcpu_mem_cb(instruction, accessed, WITHOUT_REGISTERS, READS_AND_WRITES, kind);
    }
}

static int number(const char *argument, const char *name)
{
    const size_t n = strlen(name);
    return strncmp(argument, name, n) == 0 && argument[n] == '=' ? atoi(argument + n + 1) : -1;
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv)
{
    int state = -1;
    struct stat file;
    (void)info;
    for (int i = 0; i < argc; ++i) {
        if (number(argv[i], "state") >= 0)
            state = number(argv[i], "state");
        if (number(argv[i], "pipe") >= 0)
            trace_pipe = number(argv[i], "pipe");
    }
    if (state < 0 || fstat(state, &file) != 0)
        return 1;
    s = mmap(NULL, (size_t)file.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, state, 0);
    if (s == MAP_FAILED)
        return 1;
#ifdef __linux__
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* a host that dies must not leave QEMU behind */
#endif
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    return 0;
}
