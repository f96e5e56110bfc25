/*
 * The native replay: executes an allocation trace (.htrace) on the real allocator of its own process, that is glibc's
 * or one that LD_PRELOAD brings. What it writes is the truth that the models are compared with.
 *
 *   isolate.c        keeps everything but the events away from the allocator: memory, address space, clock
 *   trace.c          text to events; text.c has its numbers and words
 *   samples.c        what is measured at a sample point
 *   execute.h, .c    one event
 *   threads.c        threads on stacks of the harness
 *   lockstep.c       events in file order
 *   free-running.c   every thread at its own pace
 *   benchmark.c      lockstep, again and again
 *   main.c           the options
 */
#pragma once
#define _GNU_SOURCE
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

/* With -rdynamic: what is not meant for the allocator would otherwise stand in for names of its own. */
#pragma GCC visibility push(hidden)

#define PAGE 4096UL
#define NONE UINT32_MAX

/* ------------------------------------------------------------------------------------------------------- isolate.c */

/* All mappings of the allocator lie below the fence: a multiple of 1 TiB, so of every alignment that matters. */
#define FENCE 0x7f0000000000UL
/* Thread stacks: the k-th, from 1, ends at STACKS_END - (k - 1) * STACK_BYTES. */
#define STACK_BYTES (256UL << 10)
#define STACKS_END 0x7f2000000000UL

/* The allocator under test: what comes after this executable in symbol order. NULL where it has no such function. */
struct allocator {
  const char *library;
  void *(*malloc)(size_t);
  void *(*calloc)(size_t, size_t);
  void *(*realloc)(void *, size_t);
  void (*free)(void *);
  int (*posix_memalign)(void **, size_t, size_t);
  size_t (*usable_size)(void *);
  int (*trim)(size_t);
  int (*mallopt)(int, int);
  struct mallinfo2 (*mallinfo2)(void);
  int (*malloc_info)(int, FILE *);
  int (*mallctl)(const char *, void *, size_t *, void *, size_t);
};
extern struct allocator real;
void find_allocator(void);

/* Nanoseconds of the trace's own clock; the allocator sees 1000 s more. */
extern _Atomic uint64_t trace_ns;
/* The host's time: clock_gettime() shows the trace's. */
uint64_t clock_ns(clockid_t clock);
/* Where the program break was before anybody moved it. */
extern uintptr_t initial_break;

_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Zeroed pages that the allocator never sees; never given back. */
void *harness_alloc(size_t bytes);
/* Makes the pages resident now, so that no fault of the harness happens while events run. */
void populate(void *start, size_t bytes);
/* The free end of the harness's memory: a file of unknown length is read into it, then claimed by harness_alloc. */
char *harness_tail(size_t *room);

/* --------------------------------------------------------------------------------------------------------- trace.c */

enum op {
  OP_NOP, OP_MALLOC, OP_CALLOC, OP_REALLOC, OP_MEMALIGN, OP_FREE, OP_WRITE, OP_REQUEST_END, OP_TRIM, OP_OPT, OP_CLOCK,
  OP_SAMPLE, OP_EXIT, OP_FORK, OP_CTL, OP_MARKED
};
enum touch { TOUCH_FULL, TOUCH_FIRST, TOUCH_NONE };

/*
 * One event line; the position in `events` is the event's number.
 *   MALLOC size · CALLOC count, size · REALLOC size, old size · MEMALIGN align, size · WRITE offset, length ·
 *   REQUEST_END first, count of `request_slots` · TRIM pad · OPT parameter, value · CLOCK low, high · SAMPLE label ·
 *   CTL place in `calls` · MARKED place in `marks`
 */
struct event {
  uint32_t op : 8, thread : 24; /* `thread` counts lives: a number that is used again is another thread */
  uint32_t slot;                /* where the block's address is kept */
  uint32_t a, b;
};
/* What an event has that does not fit: numbers beyond 32 bits, ` ~` and ` !`, and a write whose block may be shorter. */
struct mark {
  enum op op;
  bool unwritten, failed, shorter;
  uint64_t a, b;
};
/* A call of jemalloc's mallctl. */
struct ctl_call {
  char name[48];
  int64_t value;
};
struct label {
  const char *text;
  uint32_t length, event;
};

/* One life of a trace thread: from its begin to its exit. */
struct thread {
  _Alignas(64) _Atomic uint32_t turn;
  uint32_t id, before;   /* its number in the trace; the life before with the same number, or NONE */
  bool exits, followed;  /* its last event is a `te`; the same number lives again */
  bool gone;             /* a fork has left it behind: it never acts again */
  bool created;
  uint32_t first, count; /* free-running: its part of the order of execution */
  pthread_t handle;
  void *stack;
};

struct trace {
  struct event *events;
  uint32_t event_count;
  /* Free-running: how many accesses of the slot (its allocation, writes, reallocs) come before the event. */
  uint32_t *need;
  uint32_t slot_count;
  uint32_t *request_slots;
  struct label *labels;
  struct mark *marks;
  struct ctl_call *calls;
  struct thread *threads;
  uint32_t thread_count;
  uint32_t thread_peak; /* alive at once */
  enum touch touch;
  uint32_t warnings;
};
extern const char *const touch_names[3];
int touch_named(const char *name); /* -1: no such touch */
/* `free_running`: fills `need`, and no two blocks share a slot. Otherwise slots of dead blocks are used again. */
void read_trace(const char *path, bool free_running, struct trace *trace);
bool is_allocating(enum op op);
bool allocates(const struct trace *trace, const struct event *e);

/* ------------------------------------------------------------------------------------------------------- samples.c */

/* `info`: malloc_info, jemalloc's statistics by arena and bin, thread pointers; and a sample before and after all. */
void open_samples(const char *path, bool info, const struct trace *trace);
void start_counting_samples(void);
void finish_samples(void);
void sample(const struct label *label);
long minor_faults(void);

/* ------------------------------------------------------------------------------------------------------- threads.c */

void start_thread(struct thread *t, void *(*body)(void *));
/* Of a joined thread. */
void give_stack(void *stack);
/* So that the start of a thread faults on nothing of the harness. */
void populate_stacks(uint32_t count);
void futex_wait(_Atomic uint32_t *word, uint32_t value);
void futex_wake(_Atomic uint32_t *word, int count);

/* --------------------------------------------------------------------------------- lockstep.c, free-running.c, benchmark.c */

/* `with_marks`: each event is told to strace. */
void run_lockstep(bool with_marks);
/* As `touch` says, with nothing recorded: processor time of the threads while they had the turn. */
uint64_t measure_lockstep(enum touch touch);
/* Creates the threads; they wait. */
void prepare_free_running(void);
void run_free_running(void);
/* For each line on standard input (full, first, none) a repetition; its measure is a line on standard output. */
void serve_benchmark(void);

/* ---------------------------------------------------------------------------------------------------------- main.c */

/* A system call that fails on purpose: seen by strace alone. */
void mark(const char *text);
/* What is wanted after the events; ends the process. */
_Noreturn void finish(void);

#pragma GCC visibility pop
