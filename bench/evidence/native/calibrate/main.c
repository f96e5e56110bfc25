/*
 * Measures what operations cost on this machine, for the price list of the simulation (sim/time/costs.ts).
 * Prints one JSON object of nanoseconds and bytes per nanosecond. Each figure is the median of several rounds: what a program
 * meets on this machine, and not what it would meet if nobody else were there. Each part runs in a young process of its own, after
 * a pause: a virtual machine's processors and pages are slower then than those of a program that has long been running (faults by a
 * third), and most programs are young.
 *
 *   cc -O2 -pthread *.c -o calibrate && ./calibrate
 */

#include "measure.h"
#include "parts.h"
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>

static void switches(void)
{
	measure_futex_calls();
	report("contextSwitchNs", context_switch());
	report("futexHandOverSameCpuNs", futex_hand_over(0));
}
static void hand_overs(void)
{
	report("futexHandOverNs", futex_hand_over(1));
	measure_lines();
}

static const struct {
	void (*measure)(void);
	int cpus; /* that it needs */
} parts[] = {
	{measure_calls, 1}, {measure_working_set, 1}, {measure_faults, 1}, {measure_fault_fills, 1}, {measure_releases, 1},
	{measure_first_faults, 1}, {measure_syscalls, 1}, {measure_rates, 1}, {measure_memory_rates, 1}, {switches, 1},
	{hand_overs, 2}, {measure_shoot_down, 2}, {measure_wake_idle, 2}, {measure_thread_lives, 1},
};

/* Of an allocator that is preloaded: what a call takes that its thread's cache serves. */
extern int mallctl(const char *, void *, size_t *, void *, size_t) __attribute__((weak));
static int preloaded(void)
{
	double t;
	if (!mallctl) return 3;
	TYPICAL(t, 100000, , for (int i = 0; i < 100000; i++) { sink = malloc(48); free(sink); });
	printf("{\n  \"jemallocPairNs\": %.4g", t);
	report("jemallocShare", malloc_share());
	printf("\n}\n");
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 1) return preloaded();
	(void)argv;
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	mallopt(M_MMAP_THRESHOLD, 1 << 30);
	mallopt(M_ARENA_MAX, 1);
	printf("{\n  \"cpus\": %ld", cpus);
	report("cacheL1Bytes", sysconf(_SC_LEVEL1_DCACHE_SIZE));
	report("cacheL2Bytes", sysconf(_SC_LEVEL2_CACHE_SIZE));
	report("cacheL3Bytes", sysconf(_SC_LEVEL3_CACHE_SIZE));
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		if (cpus < parts[i].cpus) continue;
		fflush(stdout);
		usleep(50000);
		pid_t child = fork();
		if (child == 0) {
			parts[i].measure();
			fflush(stdout);
			_exit(0);
		}
		int status;
		if (child < 0 || waitpid(child, &status, 0) < 0 || status != 0) {
			fprintf(stderr, "part %zu failed\n", i);
			return 1;
		}
	}
	printf("\n}\n");
	return 0;
}
