/*
 * What looking at blocks may take: a quarter of the processor time of the process, and a start of some milliseconds. Beyond that a little for blocks of each
 * magnitude, of which the others may have left nothing: one block of many pages says more than thousands that come and go, and is seldom.
 * Looks are measured by the time of their thread, which does not run on while others have the processor.
 * Records take less than asking for that time: some of them are measured by the clock, but for those in which others had the processor.
 */
#include "recorder.h"

#define SHARE 4
#define START_NS 25000000
#define CLOCK_AGE_NS 1000000
/* Of looks at smaller blocks one in so many is measured, for all: asking for the time takes as long as a part of them. */
#define MEASURED_FROM (1u << 20)
#define MEASURED_ONE_IN 8

/* By a factor of sixteen, from BIG_BYTES on: below 1 MiB, 16 MiB, 256 MiB, and all others. All of them together may take an eighth more. */
#define MAGNITUDES 4
#define SHARE_OF_EACH (8 * MAGNITUDES)

static _Atomic uint64_t spent_ns, cpu_ns, asked_ns;
static _Atomic uint64_t spent_on[MAGNITUDES];

static uint64_t ns_of(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int magnitude_of(size_t size)
{
	int m = 0;
	for (size_t end = 1u << 20; m < MAGNITUDES - 1 && size >= end; end <<= 4) m++;
	return m;
}

void begin_budget(void)
{
	spent_ns = cpu_ns = asked_ns = 0;
	for (int m = 0; m < MAGNITUDES; m++) spent_on[m] = 0;
}

int is_affordable(size_t size)
{
	uint64_t now = ns_of(CLOCK_MONOTONIC);
	if (now - asked_ns > CLOCK_AGE_NS) {
		asked_ns = now;
		cpu_ns = ns_of(CLOCK_PROCESS_CPUTIME_ID);
	}
	if (spent_ns < cpu_ns / SHARE + START_NS) return 1;
	return spent_on[magnitude_of(size)] < (cpu_ns / SHARE_OF_EACH) + START_NS / MAGNITUDES;
}

struct stopwatch begin_look(size_t size)
{
	static THREAD_LOCAL unsigned looks;
	unsigned weight = size >= MEASURED_FROM ? 1 : looks++ % MEASURED_ONE_IN ? 0 : MEASURED_ONE_IN;
	return (struct stopwatch){ weight, magnitude_of(size), weight ? ns_of(CLOCK_THREAD_CPUTIME_ID) : 0 };
}

void end_look(struct stopwatch w)
{
	if (!w.weight) return;
	uint64_t took = w.weight * (ns_of(CLOCK_THREAD_CPUTIME_ID) - w.begun);
	spent_ns += took;
	spent_on[w.magnitude] += took;
	atomic_store_explicit(&ring->looked_ns, spent_ns, memory_order_relaxed);
}

/* Some 20 us: whoever takes longer did not run, or waited for room. */
#define LONGEST_TICKS 1000

void note_own(uint64_t began)
{
	uint64_t took = ticks() - began;
	if (took < LONGEST_TICKS) atomic_fetch_add_explicit(&ring->own_ticks, took * TIMED_ONE_IN, memory_order_relaxed);
}
