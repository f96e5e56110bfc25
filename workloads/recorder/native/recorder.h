/* What the parts of the preloaded library share. Nothing of it allocates, or calls what may not be ready yet. */
#ifndef ALLOCSIM_RECORDER_H
#define ALLOCSIM_RECORDER_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <spawn.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include "ring.h"

#define EXPORT __attribute__((visibility("default")))
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define THREAD_LOCAL __thread __attribute__((tls_model("initial-exec")))

typedef int spawn_function(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,
                           char *const[], char *const[]);

/* real.c: the functions that the program would have had. */
struct real {
	void *(*malloc)(size_t);
	void (*free)(void *);
	void *(*calloc)(size_t, size_t);
	void *(*realloc)(void *, size_t);
	void *(*memalign)(size_t, size_t);
	void *(*aligned_alloc)(size_t, size_t);
	int (*posix_memalign)(void **, size_t, size_t);
	void *(*valloc)(size_t);
	void *(*pvalloc)(size_t);
	size_t (*malloc_usable_size)(void *);
	int (*malloc_trim)(size_t);
	int (*mallopt)(int, int);
	void *(*dlopen)(const char *, int);
	int (*chroot)(const char *);
	void (*exit)(int), (*_exit)(int), (*quick_exit)(int);
	int (*execve)(const char *, char *const[], char *const[]);
	int (*execvpe)(const char *, char *const[], char *const[]);
	int (*fexecve)(int, char *const[], char *const[]);
	spawn_function *posix_spawn, *posix_spawnp;
};
extern struct real real;
void resolve(void);
/* The next function of this name behind the recorder, NULL if there is none. */
void *next_function(const char *name);
void *bootstrap_allocate(size_t alignment, size_t size);
size_t bootstrap_size(const void *p);
/* Where this library begins and ends. */
extern const char __ehdr_start[] __attribute__((visibility("hidden"))), _end[] __attribute__((visibility("hidden")));
extern char bootstrap_arena[];
#define BOOTSTRAP_BYTES 65536
static inline int is_bootstrap(const void *p) { return (uintptr_t)p - (uintptr_t)bootstrap_arena < BOOTSTRAP_BYTES; }

/* ring.c: the log of this process. */
enum state { UNDECIDED, OFF, ON };
extern struct fork_aware { _Atomic int state; } in_process; /* zero in a fork's child, however it was forked */
extern struct ring_header *ring;
extern struct slot *slots;
extern uint64_t next_slot, room_until;
extern int clock_is_counter, without_zend, without_fill;
extern char __libc_single_threaded __attribute__((weak));
extern THREAD_LOCAL uint32_t thread_mark; /* 1 + the number of this thread; 0: it has not been seen */
int start_recording(void);
int wait_for_room(uint64_t end);
void begin_thread(void);
/* Has the keeper look at this process now, and waits for it a little. */
void ask_keeper(enum asked what);
/* A fork's child that did next to nothing is not worth the wait: there may be thousands. */
int is_worth_a_look(void);
int is_recorded_process(void);
/* calls.c: the ticks since the free of a large block came back, of the last one; 0: there was none. A free is logged before its call, which may take long. */
uint64_t since_large_freed(void);
/* Whether this process, or a fork's child of it that has yet to make its ring, is to be recorded. */
int has_session(void);
/* Leaves a word about a program that this process starts or becomes. Touches no memory but the stack. */
void note_unrecorded(const char *path, const char *why);
const char *session_variable(const char *name);
/* Behind what is written; where it ends. */
char *append_number(char *to, unsigned long number);

static inline int recording(void)
{
	int now = atomic_load_explicit(&in_process.state, memory_order_acquire);
	if (LIKELY(now == ON)) return 1;
	return now == UNDECIDED && start_recording();
}

static inline uint64_t ticks(void)
{
	if (LIKELY(clock_is_counter)) return __builtin_ia32_rdtsc() >> 6;
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return ((uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec) >> 4;
}

/* One instruction in any case: a signal handler may come between, and log as well. */
static inline uint64_t take_slots(uint64_t count)
{
	if (&__libc_single_threaded && __libc_single_threaded) {
		__asm__ volatile("xaddq %0, %1" : "+r"(count), "+m"(next_slot) : : "cc");
		return count;
	}
	return __atomic_fetch_add(&next_slot, count, __ATOMIC_RELAXED);
}

static inline void put(uint64_t index, uint64_t high, uint64_t low)
{
	struct slot *s = &slots[index & (RING_SLOTS - 1)];
	s->high = high;
	atomic_store_explicit(&s->low, low | (index & RING_SLOTS ? 0 : LOW_LAP), memory_order_release);
}

/* Around a call that may take so long to give memory back that the keeper would look in the middle of it. */
static inline void begin_giving_back(void) { atomic_fetch_add(&ring->giving_back, 1); }
static inline void end_giving_back(void) { atomic_fetch_sub(&ring->giving_back, 1); }

extern uint32_t epoch;
void log_epoch(uint64_t now);
void log_extended(enum op op, const void *address, uint64_t first, uint64_t second);
/* sites.c */
void log_text(enum op op, uint32_t number, const char *text, size_t length);

/* budget.c: of records, and of call sites, one in so many is timed, for all. */
#define TIMED_ONE_IN 64u
void note_own(uint64_t began);
/* Another one of each row: the first slot of a line takes longer than the others. */
static inline int is_timed(uint64_t index) { return UNLIKELY(((index ^ index / TIMED_ONE_IN) % TIMED_ONE_IN) == 0); }

static inline void log_plain(enum op op, const void *address, uint64_t value)
{
	if (UNLIKELY(!thread_mark)) begin_thread();
	uint64_t now = ticks();
	if (UNLIKELY((uint32_t)(now >> 31) != epoch)) log_epoch(now);
	uint64_t index = take_slots(1);
	if (UNLIKELY((int64_t)(index + 1 - room_until) > 0) && !wait_for_room(index + 1)) return;
	put(index, (uint64_t)(uintptr_t)address >> 3 << THREAD_BITS | (thread_mark - 1),
	    (uint64_t)op << LOW_OP_SHIFT | value << LOW_VALUE_SHIFT | (uint32_t)now);
	if (is_timed(index)) note_own(now);
}

static inline void log_sized(enum op op, const void *address, uint64_t size)
{
	if (LIKELY(size < 1u << VALUE_BITS)) log_plain(op, address, size);
	else log_extended(op, address, size, 0);
}

/*
 * pages.c: which pages of big blocks were written. Called with sizes from BIG_BYTES on, and with any block that goes. `kept` bytes at
 * the beginning have a content: of a block before it, or zeros.
 */
#define KEPT_UNKNOWN SIZE_MAX
void big_allocated(const void *p, size_t size, size_t kept);
/* Returns its size; 0: it was not watched. */
size_t big_freed(const void *p);
void big_allocated_by_zend(const void *p, size_t size, size_t kept);
/* The program may no longer read these bytes. */
void big_unreadable(uintptr_t start, uintptr_t end);
/* All that big_allocated_by_zend was told of. */
void big_freed_by_request(void);
int has_big_blocks(void);
/* In a fork's child: what is held open is its parent's. */
void leave_pagemap(void);
void log_inherited_blocks(void);
extern uint64_t fill_key;
extern int has_shared_pages; /* with a process that this one forked, or was forked from */
/* Watched blocks are kept in rows, by a hash of their address; here, how many of each row. */
#define BIG_ROW_BITS 14
extern unsigned char big_filter[1 << BIG_ROW_BITS];
static inline unsigned big_hash(const void *p) { return (unsigned)(((uintptr_t)p >> 4) * 0x9e3779b97f4a7c15ull >> (64 - BIG_ROW_BITS)); }
static inline int may_be_big(const void *p) { return UNLIKELY(big_filter[big_hash(p)]); }

/* budget.c: the time that looks may take. */
void begin_budget(void);
int is_affordable(size_t size);
struct stopwatch {
	unsigned weight; /* it stands for so many looks */
	int magnitude;   /* of the block */
	uint64_t begun;
};
struct stopwatch begin_look(size_t size);
void end_look(struct stopwatch w);

/* process.c: for what this process may start behind another root. */
void hold_library(void);

/* zend.c: PHP's own heap, where there is a PHP: in the program from the start, or in a library that it has opened. */
void watch_zend_of_program(void);
void watch_zend(void *library);
/* The version of the engine; "!…": why its heap is not seen; "" for programs without one. */
extern char zend_word[128];

/* teardown.c: interpreters that end before their process does. */
void watch_teardown_of_program(void);
void watch_teardown_of_php(void *library);
void teardown_begins(enum asked what);

/* mappings.c: the program's own, from here on. */
void watch_mappings(void);

/* extended.c: jemalloc's own calls, where the program has a jemalloc. */
void watch_extended(void);
/* mallctl.c: its settings, likewise. */
void watch_mallctl(void);
/* conf.c: those that it began with. */
void note_conf(void);

#endif
