/*
 * What looking at blocks may take: a quarter of the processor time of the process, and a start of some milliseconds. Looks are measured by the time of their thread, which does not run on while others have the processor.
 * Records take less than asking for that time: some of them are measured by the clock, but for those in which others had the processor.
 */
#include "recorder.h"

#define SHARE 4
#define START_NS 25000000
#define CLOCK_AGE_NS 1000000
/* Of looks at smaller blocks one in so many is measured, for all: asking for the time takes as long as a part of them. */
#define MEASURED_FROM (1u << 20)
#define MEASURED_ONE_IN 8

static _Atomic uint64_t spent_ns, cpu_ns, asked_ns;

static uint64_t ns_of(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void begin_budget(void) { spent_ns = cpu_ns = asked_ns = 0; }

int is_affordable(void)
{
	uint64_t now = ns_of(CLOCK_MONOTONIC);
	if (now - asked_ns > CLOCK_AGE_NS) {
		asked_ns = now;
		cpu_ns = ns_of(CLOCK_PROCESS_CPUTIME_ID);
	}
	return spent_ns < cpu_ns / SHARE + START_NS;
}

struct stopwatch begin_look(size_t size)
{
	static THREAD_LOCAL unsigned looks;
	unsigned weight = size >= MEASURED_FROM ? 1 : looks++ % MEASURED_ONE_IN ? 0 : MEASURED_ONE_IN;
	return (struct stopwatch){ weight, weight ? ns_of(CLOCK_THREAD_CPUTIME_ID) : 0 };
}

void end_look(struct stopwatch w)
{
	if (!w.weight) return;
	spent_ns += w.weight * (ns_of(CLOCK_THREAD_CPUTIME_ID) - w.begun);
	atomic_store_explicit(&ring->looked_ns, spent_ns, memory_order_relaxed);
}

/* Some 20 us: whoever takes longer did not run, or waited for room. */
#define LONGEST_TICKS 1000

void note_own(uint64_t began)
{
	uint64_t took = ticks() - began;
	if (took < LONGEST_TICKS) atomic_fetch_add_explicit(&ring->own_ticks, took * TIMED_ONE_IN, memory_order_relaxed);
}
