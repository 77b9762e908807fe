/* Start-up and system calls on x86-64 Linux: without a C library every instruction that is counted is ours or the compiler's. */
#include "wc_system.h"

enum { SYS_READ = 0, SYS_WRITE = 1, SYS_MMAP = 9, SYS_EXIT = 60, SYS_CLOCK_GETTIME = 228 };
enum { EXIT_IO = 3, EXIT_MEMORY = 4 };

static long call(long number, long a, long b, long c, long d, long e, long f)
{
    register long r10 __asm("r10") = d;
    register long r8 __asm("r8") = e;
    register long r9 __asm("r9") = f;
    long result;
    __asm volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
    return result;
}

_Noreturn void wc_exit(int code)
{
    for (;;) {
        call(SYS_EXIT, code, 0, 0, 0, 0, 0);
    }
}

static void transfer(long number, long file, uintptr_t place, size_t bytes)
{
    while (bytes) {
        const long done = call(number, file, (long)place, (long)bytes, 0, 0, 0);
        if (done <= 0) {
            wc_exit(EXIT_IO);
        }
        place += (size_t)done;
        bytes -= (size_t)done;
    }
}

void wc_read_all(void *to, size_t bytes) { transfer(SYS_READ, 0, (uintptr_t)to, bytes); }

void wc_write_all(const void *from, size_t bytes) { transfer(SYS_WRITE, 1, (uintptr_t)from, bytes); }

void *wc_map(size_t bytes)
{
    const long read_write = 3, private_anonymous = 0x22;
    const long address = call(SYS_MMAP, 0, (long)bytes, read_write, private_anonymous, -1, 0);
    if (address < 0 && address > -4096) {
        wc_exit(EXIT_MEMORY);
    }
    return (void *)address; /* NOLINT: a system call returns an integer */
}

uint64_t wc_now_ns(void)
{
    int64_t time[2] = {0, 0};
    call(SYS_CLOCK_GETTIME, 1, (long)(uintptr_t)time, 0, 0, 0, 0);
    return (uint64_t)time[0] * 1000000000u + (uint64_t)time[1];
}

/* The kernel enters with the number of words on top of the stack. */
__attribute__((used)) _Noreturn static void begin(long *stack) { wc_exit(wc_main((int)stack[0], (char **)(stack + 1))); }

__asm(".globl _start\n"
      "_start:\n"
      "  xor %ebp, %ebp\n"
      "  mov %rsp, %rdi\n"
      "  and $-16, %rsp\n"
      "  call begin\n");
