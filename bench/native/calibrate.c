/*
 * calibrate.c - measures what operations cost on this machine, for the price list of the simulation (sim/threads/costs.ts).
 * Prints one JSON object of nanoseconds and bytes per nanosecond. Each figure is the least of several rounds: noise of a busy machine
 * only adds time.
 *
 *   cc -O2 -pthread calibrate.c -o calibrate && ./calibrate
 */
#define _GNU_SOURCE
#include <linux/futex.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096UL
#define ROUNDS 7

static double now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

/* The least time of ROUNDS runs of BODY, which does COUNT operations; SETUP runs before each, unmeasured. */
#define LEAST(result, count, setup, body)                                                                              \
	do {                                                                                                           \
		double least_ = 1e30;                                                                                  \
		for (int round_ = 0; round_ < ROUNDS; round_++) {                                                      \
			setup;                                                                                         \
			double t_ = now_ns();                                                                          \
			body;                                                                                          \
			t_ = (now_ns() - t_) / (count);                                                                \
			if (t_ < least_) least_ = t_;                                                                  \
		}                                                                                                      \
		result = least_;                                                                                       \
	} while (0)

static void *volatile sink;
static int first_line = 1;
static void report(const char *name, double value)
{
	printf("%s\n  \"%s\": %.4g", first_line ? "{" : ",", name, value);
	first_line = 0;
}

static char *map(size_t length)
{
	char *p = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED) { perror("mmap"); exit(1); }
	return p;
}

static void pin(int cpu)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof set, &set);
}
static void unpin(void)
{
	cpu_set_t set;
	memset(&set, 0xff, sizeof set);
	sched_setaffinity(0, sizeof set, &set);
}

/* ------------------------------------------------------------------------------------------------- allocator calls */

static void *nothing(void *arg) { return arg; }

static void calls(void)
{
	enum { N = 100000 };
	double t;
	/* From its first thread on a process takes its locks. */
	pthread_t first;
	pthread_create(&first, NULL, nothing, NULL);
	pthread_join(first, NULL);
	LEAST(t, N, , for (int i = 0; i < N; i++) { sink = malloc(48); free(sink); });
	report("mallocFreePairNs", t); /* both hit the thread cache */
	/* 2000-byte blocks pass by the thread cache: one trip into an arena and back, no lock contended. */
	LEAST(t, N, , for (int i = 0; i < N; i++) { sink = malloc(2000); free(sink); });
	report("arenaPairNs", t);
	pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	LEAST(t, N, , for (int i = 0; i < N; i++) { pthread_mutex_lock(&mutex); pthread_mutex_unlock(&mutex); });
	report("mutexPairNs", t);
	LEAST(t, N, , for (int i = 0; i < N; i++) __builtin_ia32_pause());
	report("pauseNs", t);
}

/* --------------------------------------------------------------------------------------------------------- memory */

static void faults(void)
{
	enum { PAGES = 4096 };
	double t, cleared;
	char *p = NULL;
	LEAST(t, PAGES, p = map(PAGES * PAGE), for (size_t i = 0; i < PAGES; i++) p[i * PAGE] = 1;
	      double t2_ = now_ns(); munmap(p, PAGES * PAGE); t_ += now_ns() - t2_);
	report("faultNs", t); /* clearing the page included */
	LEAST(cleared, PAGES, p = map(PAGES * PAGE); memset(p, 1, PAGES * PAGE), memset(p, 0, PAGES * PAGE);
	      double t2_ = now_ns(); munmap(p, PAGES * PAGE); t_ += now_ns() - t2_);
	report("coldPageClearNs", cleared);
	LEAST(t, PAGES, p = map(PAGES * PAGE); memset(p, 1, PAGES * PAGE), munmap(p, PAGES * PAGE));
	report("munmapPageNs", t);
	LEAST(t, PAGES, p = map(PAGES * PAGE); memset(p, 1, PAGES * PAGE), madvise(p, PAGES * PAGE, MADV_DONTNEED);
	      double t2_ = now_ns(); munmap(p, PAGES * PAGE); t_ += now_ns() - t2_);
	report("dontneedPageNs", t);
	LEAST(t, PAGES, p = map(PAGES * PAGE); memset(p, 1, PAGES * PAGE), madvise(p, PAGES * PAGE, MADV_FREE);
	      double t2_ = now_ns(); munmap(p, PAGES * PAGE); t_ += now_ns() - t2_);
	report("lazyFreePageNs", t);
}

static void syscalls(void)
{
	enum { N = 2000 };
	static char *p[N];
	double t;
	LEAST(t, 100000, , for (int i = 0; i < 100000; i++) syscall(SYS_getppid));
	report("syscallEntryNs", t);
	LEAST(t, N, , for (int i = 0; i < N; i++) p[i] = map(PAGE * 33); double t2_ = now_ns();
	      for (int i = 0; i < N; i++) munmap(p[i], PAGE * 33); t_ += now_ns() - t2_);
	report("mmapNs", t);
	LEAST(t, N, for (int i = 0; i < N; i++) { p[i] = map(PAGE * 33); p[i][0] = 1; },
	      for (int i = 0; i < N; i++) munmap(p[i], PAGE * 33));
	report("munmapNs", t); /* one resident page */
	char *heap = map(PAGE * (N + 1));
	LEAST(t, N, mprotect(heap, PAGE * (N + 1), PROT_NONE),
	      for (size_t i = 1; i <= N; i++) mprotect(heap, PAGE * i, PROT_READ | PROT_WRITE));
	report("mprotectNs", t); /* an arena heap grows */
	munmap(heap, PAGE * (N + 1));
	char *brk0 = (char *)syscall(SYS_brk, 0);
	LEAST(t, N, , for (long i = 1; i <= N; i++) syscall(SYS_brk, brk0 + i * PAGE * 33); double t2_ = now_ns();
	      syscall(SYS_brk, brk0); t_ += now_ns() - t2_);
	report("brkNs", t);
	char *one = map(PAGE * 2);
	LEAST(t, N, one[0] = 1, for (int i = 0; i < N; i++) madvise(one, PAGE, MADV_DONTNEED));
	report("madviseNs", t);
	munmap(one, PAGE * 2);
	char *q = NULL;
	LEAST(t, N, q = map(PAGE * 64); q[0] = 1, for (int i = 0; i < N; i++) q = mremap(q, PAGE * (64 + i % 2 * 64), PAGE * (128 - i % 2 * 64), MREMAP_MAYMOVE);
	      double t2_ = now_ns(); munmap(q, PAGE * (64 + N % 2 * 64)); t_ += now_ns() - t2_);
	report("mremapNs", t);
}

/* Bytes per nanosecond of memset over `length` bytes again and again, and of memcpy. */
static double fill_rate(size_t length)
{
	char *p = map(length);
	size_t times = (64UL << 20) / length + 1;
	double t;
	memset(p, 1, length);
	LEAST(t, (double)times * length, , for (size_t i = 0; i < times; i++) { memset(p, (int)i, length); sink = p; });
	munmap(p, length);
	return 1 / t;
}
static double copy_rate(size_t length)
{
	char *p = map(2 * length);
	size_t times = (64UL << 20) / length + 1;
	double t;
	memset(p, 1, 2 * length);
	LEAST(t, (double)times * length, , for (size_t i = 0; i < times; i++) { memcpy(p + length, p, length); sink = p; });
	munmap(p, 2 * length);
	return 1 / t;
}

/* -------------------------------------------------------------------------------------------------------- threads */

static _Atomic uint32_t word, other;
static _Atomic int stop;
static void futex_wait(_Atomic uint32_t *a, uint32_t v) { syscall(SYS_futex, a, FUTEX_WAIT_PRIVATE, v, NULL, NULL, 0); }
static void futex_wake(_Atomic uint32_t *a) { syscall(SYS_futex, a, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0); }

enum { TURNS = 4000 };
static int cpu_of_second;

static void *futex_player(void *arg)
{
	(void)arg;
	pin(cpu_of_second);
	for (uint32_t i = 0; i < TURNS; i++) {
		while (atomic_load(&word) != 2 * i + 1) futex_wait(&word, 2 * i);
		atomic_store(&word, 2 * i + 2);
		futex_wake(&word);
	}
	return NULL;
}
static double futex_round(int second)
{
	double least = 1e30;
	for (int round = 0; round < 3; round++) {
		pthread_t player;
		atomic_store(&word, 0);
		cpu_of_second = second;
		pin(0);
		pthread_create(&player, NULL, futex_player, NULL);
		usleep(2000);
		double t = now_ns();
		for (uint32_t i = 0; i < TURNS; i++) {
			atomic_store(&word, 2 * i + 1);
			futex_wake(&word);
			while (atomic_load(&word) != 2 * i + 2) futex_wait(&word, 2 * i + 1);
		}
		t = (now_ns() - t) / TURNS / 2;
		if (t < least) least = t;
		pthread_join(player, NULL);
	}
	unpin();
	return least;
}

static void *line_player(void *arg)
{
	(void)arg;
	pin(1);
	for (uint32_t i = 0; i < 100000; i++) {
		while (atomic_load_explicit(&other, memory_order_acquire) != i + 1) __builtin_ia32_pause();
		atomic_store_explicit(&word, i + 1, memory_order_release);
	}
	return NULL;
}
static double line_transfer(void)
{
	double least = 1e30;
	for (int round = 0; round < 3; round++) {
		pthread_t player;
		atomic_store(&word, 0);
		atomic_store(&other, 0);
		pin(0);
		pthread_create(&player, NULL, line_player, NULL);
		usleep(2000);
		double t = now_ns();
		for (uint32_t i = 0; i < 100000; i++) {
			atomic_store_explicit(&other, i + 1, memory_order_release);
			while (atomic_load_explicit(&word, memory_order_acquire) != i + 1) __builtin_ia32_pause();
		}
		t = (now_ns() - t) / 100000 / 2;
		if (t < least) least = t;
		pthread_join(player, NULL);
	}
	unpin();
	return least;
}

/* What a thread on another processor adds to taking pages away: the interrupt that makes it forget translations. */
static void *busy(void *arg)
{
	(void)arg;
	pin(1);
	while (!atomic_load_explicit(&stop, memory_order_relaxed)) __builtin_ia32_pause();
	return NULL;
}
static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}
/* The median here, of both: the least is that of a moment at which the other processor did not run at all. */
static double forget_pages(char *p, size_t count)
{
	double times[ROUNDS];
	for (int round = 0; round < ROUNDS; round++) {
		memset(p, 1, PAGE * count);
		double t = now_ns();
		for (size_t i = 0; i < count; i++) madvise(p + i * PAGE, PAGE, MADV_DONTNEED);
		times[round] = (now_ns() - t) / count;
	}
	qsort(times, ROUNDS, sizeof *times, by_value);
	return times[ROUNDS / 2];
}
static double shoot_down(void)
{
	enum { N = 2000 };
	char *p = map(PAGE * N);
	pin(0);
	double alone = forget_pages(p, N);
	pthread_t second;
	atomic_store(&stop, 0);
	pthread_create(&second, NULL, busy, NULL);
	usleep(2000);
	double shared = forget_pages(p, N);
	atomic_store(&stop, 1);
	pthread_join(second, NULL);
	unpin();
	munmap(p, PAGE * N);
	return shared > alone ? shared - alone : 0;
}

/* A switch between two threads on one processor that hand over by sched_yield. */
static void *yielder(void *arg)
{
	(void)arg;
	pin(0);
	while (!atomic_load_explicit(&stop, memory_order_relaxed)) sched_yield();
	return NULL;
}
static double context_switch(void)
{
	double alone, shared;
	pin(0);
	LEAST(alone, 20000, , for (int i = 0; i < 20000; i++) sched_yield());
	pthread_t second;
	atomic_store(&stop, 0);
	pthread_create(&second, NULL, yielder, NULL);
	usleep(2000);
	LEAST(shared, 20000, , for (int i = 0; i < 20000; i++) sched_yield());
	atomic_store(&stop, 1);
	pthread_join(second, NULL);
	unpin();
	return shared > 2 * alone ? shared / 2 - alone : 0; /* two switches a turn, and the call itself */
}

/* 32 threads that are woken together, do nothing and exit, per thread: what a thread's life costs its processors. */
static _Atomic uint32_t gate;
static void *passer(void *arg)
{
	(void)arg;
	while (!atomic_load(&gate)) futex_wait(&gate, 0);
	return NULL;
}
static double thread_life(void)
{
	double least = 1e30;
	for (int round = 0; round < ROUNDS; round++) {
		pthread_t threads[32];
		atomic_store(&gate, 0);
		for (int i = 0; i < 32; i++) pthread_create(&threads[i], NULL, passer, NULL);
		usleep(5000);
		double t = now_ns();
		atomic_store(&gate, 1);
		syscall(SYS_futex, &gate, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
		for (int i = 0; i < 32; i++) pthread_join(threads[i], NULL);
		t = (now_ns() - t) / 32;
		if (t < least) least = t;
	}
	return least;
}

/* Wait and wake without a partner: the system calls alone. */
static void futex_calls(void)
{
	double t;
	atomic_store(&word, 1);
	LEAST(t, 20000, , for (int i = 0; i < 20000; i++) futex_wait(&word, 0));
	report("futexWaitFailedNs", t);
	LEAST(t, 20000, , for (int i = 0; i < 20000; i++) futex_wake(&word));
	report("futexWakeNobodyNs", t);
}

int main(void)
{
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	mallopt(M_MMAP_THRESHOLD, 1 << 30);
	report("cpus", sysconf(_SC_NPROCESSORS_ONLN));
	calls();
	faults();
	syscalls();
	report("fillRateL1", fill_rate(16 << 10));
	report("fillRateL2", fill_rate(192 << 10));
	report("fillRateL3", fill_rate(4 << 20));
	report("fillRateMemory", fill_rate(128UL << 20));
	report("copyRateL2", copy_rate(96 << 10));
	report("copyRateMemory", copy_rate(64UL << 20));
	report("cacheL1Bytes", sysconf(_SC_LEVEL1_DCACHE_SIZE));
	report("cacheL2Bytes", sysconf(_SC_LEVEL2_CACHE_SIZE));
	report("cacheL3Bytes", sysconf(_SC_LEVEL3_CACHE_SIZE));
	futex_calls();
	report("contextSwitchNs", context_switch());
	report("futexHandOverSameCpuNs", futex_round(0));
	if (sysconf(_SC_NPROCESSORS_ONLN) > 1) {
		report("futexHandOverNs", futex_round(1));
		report("lineTransferNs", line_transfer());
		report("shootDownNs", shoot_down());
	}
	report("threadLifeNs", thread_life());
	printf("\n}\n");
	return 0;
}
