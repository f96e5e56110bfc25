/*
 * churn N DEPTH: N times malloc or free of 16 to 4,016 bytes among 4,096 blocks, 4 to DEPTH calls deep; says what one took.
 * cc -O2 -g churn.c -o churn
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static void *slots[4096];
static uint64_t state = 88172645463325252ull;

static uint64_t next_random(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	return state ^= state << 17;
}

static void first(int depth, uint64_t slot, size_t size);

#define CALLS(name, callee) \
	static __attribute__((noinline)) void name(int depth, uint64_t slot, size_t size) \
	{ \
		if (depth) callee(depth - 1, slot, size); \
		else slots[slot] = malloc(size); \
		__asm__ volatile(""); \
	}
CALLS(third, first)
CALLS(second, third)
CALLS(first, second)

static double seconds(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

int main(int argc, char **argv)
{
	long n = argc > 1 ? atol(argv[1]) : 3000000;
	int depth = argc > 2 ? atoi(argv[2]) : 8;
	double began = seconds(CLOCK_MONOTONIC);
	for (long i = 0; i < n; i++) {
		uint64_t r = next_random(), slot = r & 4095;
		if (slots[slot]) {
			free(slots[slot]);
			slots[slot] = NULL;
			continue;
		}
		size_t size = 16 + (r >> 20) % (r & 1 << 13 ? 4000 : 200);
		if (r & 1 << 14) first((int)((r >> 40) % (uint64_t)depth), slot, size);
		else third((int)((r >> 40) % (uint64_t)depth), slot, size);
	}
	fprintf(stderr, "%.1f ns a call, %.1f of a processor\n", (seconds(CLOCK_MONOTONIC) - began) * 1e9 / (double)n,
	        seconds(CLOCK_PROCESS_CPUTIME_ID) * 1e9 / (double)n);
	return 0;
}
