/* What calls of the allocator cost that find what they need near. */
#include "measure.h"
#include "parts.h"
#include <pthread.h>
#include <stdlib.h>

static void *nothing(void *arg) { return arg; }

/* How far the same few calls are from their median, half of the times: half the distance of the quartiles, as a share of the median. */
static double spread(void)
{
	enum { SAMPLES = 20000, CALLS = 32 };
	static double times[SAMPLES];
	for (int i = 0; i < SAMPLES; i++) {
		double t = now_ns();
		for (int k = 0; k < CALLS; k++) { sink = malloc(2000); free(sink); }
		times[i] = now_ns() - t;
	}
	double middle = median(times, SAMPLES);
	return (times[3 * SAMPLES / 4] - times[SAMPLES / 4]) / 2 / middle;
}

/*
 * Of a call of malloc and one of free that the thread's cache serves, malloc's share of the time: runs of as many of the one and of the other
 * as the cache has room for, less what two looks at the clock take.
 */
double malloc_share(void)
{
	enum { RUNS = 2000, SIZES = 60, EACH = 7, BLOCKS = SIZES * EACH };
	static double mallocs[RUNS], frees[RUNS], looks[RUNS];
	static void *blocks[BLOCKS];
	for (int run = 0; run < RUNS; run++) {
		double t0 = now_ns();
		double t1 = now_ns();
		for (int i = 0; i < BLOCKS; i++) blocks[i] = malloc(16 * (i / EACH + 1));
		double t2 = now_ns();
		for (int i = 0; i < BLOCKS; i++) free(blocks[i]);
		double t3 = now_ns();
		looks[run] = t1 - t0;
		mallocs[run] = t2 - t1;
		frees[run] = t3 - t2;
	}
	double look = median(looks, RUNS), m = median(mallocs, RUNS) - look, f = median(frees, RUNS) - look;
	return m / (m + f);
}

void measure_calls(void)
{
	enum { N = 100000 };
	double t;
	/* From its first thread on a process takes its locks. */
	pthread_t first;
	pthread_create(&first, NULL, nothing, NULL);
	pthread_join(first, NULL);
	TYPICAL(t, N, , for (int i = 0; i < N; i++) { sink = malloc(48); free(sink); });
	report("mallocFreePairNs", t); /* both hit the thread cache */
	report("mallocShare", malloc_share());
	/* 2000-byte blocks pass by the thread cache: one trip into an arena and back, no lock contended. */
	TYPICAL(t, N, , for (int i = 0; i < N; i++) { sink = malloc(2000); free(sink); });
	report("arenaPairNs", t);
	report("priceSpread", spread());
	pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	TYPICAL(t, N, , for (int i = 0; i < N; i++) { pthread_mutex_lock(&mutex); pthread_mutex_unlock(&mutex); });
	report("mutexPairNs", t);
	TYPICAL(t, N, , for (int i = 0; i < N; i++) __builtin_ia32_pause());
	report("pauseNs", t);
}
