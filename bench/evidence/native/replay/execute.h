/* One event. The loops that execute many are in lockstep.c and free-running.c, and are compiled with this in them. */
#pragma once
#include "replay.h"
#include <immintrin.h>
#include <sched.h>
#include <string.h>

#pragma GCC visibility push(hidden)

struct result { void *block; size_t usable; };

extern struct trace trace;
extern void **blocks;            /* by slot */
extern _Atomic uint32_t *done;   /* free-running, by slot: accesses that have happened */
extern struct result *results;   /* by event, if placements are wanted */
extern bool measuring;           /* --bench */
extern bool has_forked;

/* What seldom comes, out of the way of the loops that are measured. */
void execute_rare(const struct event *e, bool ordered);

#pragma GCC visibility pop

static inline void write_fresh(char *block, size_t from, size_t to, const enum touch touch) {
  if (touch == TOUCH_NONE || from >= to || !block) return;
  if (touch == TOUCH_FULL) {
    memset(block + from, 0x5a, to - from);
    return;
  }
  *(volatile char *)(block + from) = 0x5a;
  for (uintptr_t p = ((uintptr_t)block + from + PAGE) & -PAGE; p < (uintptr_t)block + to; p += PAGE)
    *(volatile char *)p = 0x5a;
}

static inline void wait_for(uint32_t slot, uint32_t accesses) {
  for (unsigned spins = 0; atomic_load_explicit(&done[slot], memory_order_acquire) < accesses; spins++) {
    if (spins < 200) _mm_pause();
    else sched_yield();
  }
}

/* Inlined with constants where it is measured. */
__attribute__((always_inline)) static inline void execute(uint32_t index, const enum touch touch, const bool ordered,
                                                          const bool recorded) {
  const struct event *e = &trace.events[index];
  void **slot = &blocks[e->slot];
  void *block = NULL;
  bool accessed = true;
  if (!ordered && (e->op == OP_FREE || e->op == OP_WRITE || e->op == OP_REALLOC)) wait_for(e->slot, trace.need[index]);
  switch (e->op) {
  case OP_MALLOC:
    block = *slot = real.malloc(e->a);
    write_fresh(block, 0, e->a, touch);
    break;
  case OP_FREE:
    if (*slot) real.free(*slot);
    accessed = false;
    break;
  case OP_CALLOC:
    block = *slot = real.calloc(e->a, e->b);
    write_fresh(block, 0, (size_t)e->a * e->b, touch);
    break;
  case OP_MEMALIGN:
    if (real.posix_memalign(&block, e->a < sizeof(void *) ? sizeof(void *) : e->a, e->b)) block = NULL;
    *slot = block;
    write_fresh(block, 0, e->b, touch);
    break;
  case OP_REALLOC:
    if (e->a == 0) { /* a free, whatever this allocator's realloc makes of it */
      if (*slot) real.free(*slot);
      *slot = NULL;
      break;
    }
    block = real.realloc(*slot, e->a);
    write_fresh(block, *slot ? e->b : 0, e->a, touch);
    if (block) *slot = block; /* else the old block lives on */
    break;
  case OP_WRITE:
    if (*slot) memset((char *)*slot + e->a, 0x5a, e->b);
    break;
  default:
    execute_rare(e, ordered);
    accessed = false;
  }
  if (recorded && is_allocating(e->op)) results[index] = (struct result){block, block ? real.usable_size(block) : 0};
  if (!ordered && accessed) atomic_fetch_add_explicit(&done[e->slot], 1, memory_order_release);
}
