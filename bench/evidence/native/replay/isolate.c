/*
 * Keeps the harness out of the allocator's sight:
 *   - this executable defines malloc & co. itself. What libc and ld.so want for themselves (the dtv of a new thread,
 *     stdio, dlerror) is served from a private region; only events reach the allocator, through dlsym(RTLD_NEXT).
 *   - before the constructor of any library runs, the harness maps all the address space that it will ever use, plugs
 *     every hole above the fence and sets the fence. Every later mapping is the allocator's and lies below.
 *   - the monotonic clocks show the trace's time.
 */
#include "replay.h"
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

/*
 * REGION ├ private: libc's own blocks ┤├ harness_alloc ──►             ◄── thread stacks ┤ STACKS_END
 *          1 GiB                                             the last 8 GiB
 */
#define REGION 0x7f1000000000UL
#define PRIVATE_BYTES (1UL << 30)
#define STACKS_BYTES (8UL << 30)
#define CLOCK_BASE_NS 1000000000000UL

struct allocator real;
_Atomic uint64_t trace_ns;
uintptr_t initial_break;

/*
 * The kernel puts the heap behind the executable's last segment. This one has an address of its own (a linker option,
 * see native.ts), so that the heap starts at HEAP_START whatever a compiler makes of the rest: where posix_memalign
 * puts a block of the heap depends on it.
 */
#define HEAP_START 0x55555556a000UL
__attribute__((section(".before_heap"), used)) static char before_heap = 1;

static char *private_base;
static _Atomic size_t private_used;
static char *harness_next;

static void message(const char *format, va_list arguments) {
  char text[512];
  int length = vsnprintf(text, sizeof text - 1, format, arguments);
  if (length > (int)sizeof text - 2) length = sizeof text - 2;
  text[length++] = '\n';
  if (write(2, text, length)) {}
}

void say(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  message(format, arguments);
  va_end(arguments);
}

void die(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  message(format, arguments);
  _exit(2);
}

/* ---------------------------------------------------------------------------------------------------- address space */

/* Switches address randomisation and huge pages off and makes the mmap area grow downwards: true if only exec helps. */
static bool adjust_process(bool thp, bool aslr) {
  bool exec = false;
  if (!thp) prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
  int persona = personality(0xffffffff);
  if (!aslr && persona != -1 && !(persona & ADDR_NO_RANDOMIZE)) {
    if (personality(persona | ADDR_NO_RANDOMIZE) != -1) exec = true;
    else say("replay: cannot switch address randomisation off");
  }
  struct rlimit stack;
  if (getrlimit(RLIMIT_STACK, &stack) == 0 && stack.rlim_cur != 8UL << 20 && stack.rlim_max >= 8UL << 20) {
    stack.rlim_cur = 8UL << 20; /* with an unlimited stack Linux fills the mmap area upwards */
    if (setrlimit(RLIMIT_STACK, &stack) == 0) exec = true;
  }
  return exec;
}

/* Largest pieces first: Linux takes the highest hole that is large enough, so each size fills what is left above. */
static void plug_holes(int flags) {
  for (size_t bytes = 1UL << 40; bytes >= PAGE; bytes >>= 1)
    for (;;) {
      char *plug = mmap(NULL, bytes, PROT_NONE, flags, -1, 0);
      if (plug == MAP_FAILED) break;
      if ((uintptr_t)plug < FENCE) {
        munmap(plug, bytes);
        break;
      }
    }
}

static void isolate(int argc, char **argv, char **environment) {
  bool thp = false, aslr = false;
  for (int i = 1; i < argc; i++) {
    thp |= !strcmp(argv[i], "--thp");
    aslr |= !strcmp(argv[i], "--aslr");
  }
  if (adjust_process(thp, aslr)) {
    execve("/proc/self/exe", argv, environment);
    die("replay: cannot start again: %s", strerror(errno));
  }
  initial_break = syscall(SYS_brk, 0);
  if (initial_break != HEAP_START && !aslr) say("replay: the heap starts at %lx, not %lx", initial_break, HEAP_START);
  const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  const size_t bytes = STACKS_END - REGION;
  char *region = mmap((void *)REGION, bytes, PROT_READ | PROT_WRITE, flags | MAP_FIXED_NOREPLACE, -1, 0);
  if (region != (char *)REGION) die("replay: cannot reserve %zu GiB of address space", bytes >> 30);
  private_base = region;
  harness_next = region + PRIVATE_BYTES;
  /* Shared, so that the kernel can not merge the allocator's first mapping with it. */
  void *fence = mmap((void *)FENCE, PAGE, PROT_NONE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  if (fence != (void *)FENCE) die("replay: cannot set the fence");
  plug_holes(flags);
}
__attribute__((section(".preinit_array"), used)) static void (*isolate_first)(int, char **, char **) = isolate;

void populate(void *start, size_t bytes) {
  if (bytes == 0 || madvise(start, (bytes + PAGE - 1) & -PAGE, MADV_POPULATE_WRITE) == 0) return;
  for (size_t i = 0; i < bytes; i += PAGE) { /* before Linux 5.14 */
    volatile char *byte = (char *)start + i;
    *byte = *byte;
  }
}

char *harness_tail(size_t *room) {
  *room = (char *)(STACKS_END - STACKS_BYTES) - harness_next;
  return harness_next;
}

void *harness_alloc(size_t bytes) {
  size_t room;
  char *start = harness_tail(&room);
  bytes = (bytes + PAGE - 1) & -PAGE;
  if (bytes > room) die("replay: the trace is too large");
  harness_next += bytes;
  return start;
}

/* ------------------------------------------------------------ malloc & co. for everybody but the events; never reused */

static void *private_aligned(size_t align, size_t size) {
  if (align < 16) align = 16;
  size_t bytes = ((size + 15) & -16UL) + 16 + align; /* the 16 bytes before the block hold its size */
  if (private_base && size < PRIVATE_BYTES) {
    size_t at = atomic_fetch_add(&private_used, bytes);
    if (at + bytes <= PRIVATE_BYTES) {
      uintptr_t block = ((uintptr_t)private_base + at + 16 + align - 1) & -align;
      ((size_t *)block)[-1] = size;
      return (void *)block;
    }
  }
  errno = ENOMEM;
  return NULL;
}
static bool is_private(const void *block) {
  return (uintptr_t)block - (uintptr_t)private_base < PRIVATE_BYTES;
}
static size_t private_size(const void *block) { return ((const size_t *)block)[-1]; }

void *malloc(size_t size) { return private_aligned(16, size); }
void *memalign(size_t align, size_t size) { return private_aligned(align, size); }
void *aligned_alloc(size_t align, size_t size) { return private_aligned(align, size); }
int posix_memalign(void **block, size_t align, size_t size) {
  return (*block = private_aligned(align, size)) ? 0 : ENOMEM;
}
void *calloc(size_t count, size_t size) {
  size_t bytes;
  return private_aligned(16, __builtin_mul_overflow(count, size, &bytes) ? SIZE_MAX : bytes);
}
void *realloc(void *block, size_t size) {
  if (block && !is_private(block)) return real.realloc ? real.realloc(block, size) : NULL;
  if (block && private_size(block) >= size) return block;
  void *moved = private_aligned(16, size);
  if (moved && block) memcpy(moved, block, private_size(block));
  return moved;
}
void free(void *block) {
  if (block && !is_private(block) && real.free) real.free(block);
}
size_t malloc_usable_size(void *block) {
  return !block ? 0 : is_private(block) ? private_size(block) : real.usable_size(block);
}

static void *next_symbol(const char *name) { return dlsym(RTLD_NEXT, name); }

void find_allocator(void) {
  Dl_info found;
  real.malloc = next_symbol("malloc");
  if (!real.malloc || !dladdr((void *)real.malloc, &found)) die("replay: no malloc");
  const void *base = found.dli_fbase;
  const char *slash = strrchr(found.dli_fname, '/');
  real.library = slash ? slash + 1 : found.dli_fname;
  real.calloc = next_symbol("calloc");
  real.realloc = next_symbol("realloc");
  real.free = next_symbol("free");
  real.posix_memalign = next_symbol("posix_memalign");
  real.usable_size = next_symbol("malloc_usable_size");
  /* Extras count only where they belong to the same library: libc still has its own under another allocator. */
  const struct { const char *name; void **function; } extras[] = {
    {"malloc_trim", (void **)&real.trim},      {"mallopt", (void **)&real.mallopt},
    {"mallinfo2", (void **)&real.mallinfo2},   {"malloc_info", (void **)&real.malloc_info},
    {"mallctl", (void **)&real.mallctl},
  };
  for (size_t i = 0; i < sizeof extras / sizeof *extras; i++) {
    void *function = next_symbol(extras[i].name);
    if (function && dladdr(function, &found) && found.dli_fbase == base) *extras[i].function = function;
  }
}

/* ------------------------------------------------------------------------------------------------------------ clock */

uint64_t clock_ns(clockid_t clock) {
  struct timespec now;
  syscall(SYS_clock_gettime, clock, &now);
  return now.tv_sec * 1000000000UL + now.tv_nsec;
}

int clock_gettime(clockid_t id, struct timespec *time) {
  if (id != CLOCK_MONOTONIC && id != CLOCK_MONOTONIC_RAW && id != CLOCK_MONOTONIC_COARSE && id != CLOCK_BOOTTIME)
    return syscall(SYS_clock_gettime, id, time) ? -1 : 0;
  uint64_t ns = CLOCK_BASE_NS + atomic_load_explicit(&trace_ns, memory_order_relaxed);
  time->tv_sec = ns / 1000000000;
  time->tv_nsec = ns % 1000000000;
  return 0;
}
