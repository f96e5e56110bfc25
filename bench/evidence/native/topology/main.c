/*
 * What a line costs from each processor to each other one, for the topology of a price list (sim/time/topology.ts).
 * Prints one JSON object: processors, and nanoseconds one way by pair, as two threads that hand a line to and fro see it. Of each pair the
 * median of bursts some milliseconds apart: a virtual machine's processors are on one core of the host now and on two then.
 *
 *   cc -O2 -pthread main.c -o topology && ./topology
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { BURSTS = 9, HOPS = 200, PAUSE_US = 1000, MOST = 1024 };

static double now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

static int pin(int cpu)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof set, &set);
}

static _Alignas(64) _Atomic uint32_t there, back;
static int second;

static void *answer(void *arg)
{
	(void)arg;
	pin(second);
	for (uint32_t i = 1; i <= HOPS; i++) {
		while (atomic_load_explicit(&there, memory_order_acquire) != i) __builtin_ia32_pause();
		atomic_store_explicit(&back, i, memory_order_release);
	}
	return NULL;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

/* One way; both words lie in one line, so each store takes it away from the other one. */
static double transfer(int p, int q)
{
	double times[BURSTS];
	for (int burst = 0; burst < BURSTS; burst++) {
		pthread_t thread;
		atomic_store(&there, 0);
		atomic_store(&back, 0);
		second = q;
		pin(p);
		if (pthread_create(&thread, NULL, answer, NULL)) exit(1);
		usleep(PAUSE_US);
		double t = 0;
		for (uint32_t i = 1; i <= HOPS; i++) {
			if (i == HOPS / 10) t = now_ns(); /* both are there by then */
			atomic_store_explicit(&there, i, memory_order_release);
			while (atomic_load_explicit(&back, memory_order_acquire) != i) __builtin_ia32_pause();
		}
		times[burst] = (now_ns() - t) / (HOPS - HOPS / 10 + 1) / 2;
		pthread_join(thread, NULL);
	}
	qsort(times, BURSTS, sizeof *times, by_value);
	return times[BURSTS / 2];
}

int main(void)
{
	int cpus[MOST], count = 0;
	cpu_set_t set;
	if (sched_getaffinity(0, sizeof set, &set)) return 1;
	for (int p = 0; p < CPU_SETSIZE && count < MOST; p++)
		if (CPU_ISSET(p, &set)) cpus[count++] = p;
	printf("{\"cpus\": [");
	for (int i = 0; i < count; i++) printf("%s%d", i ? ", " : "", cpus[i]);
	printf("], \"pairs\": [");
	for (int i = 0; i < count; i++)
		for (int j = i + 1; j < count; j++)
			printf("%s[%d, %d, %.4g]", i || j > 1 ? ", " : "", i, j, transfer(cpus[i], cpus[j]));
	printf("]}\n");
	return 0;
}
