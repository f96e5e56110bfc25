/*
 * calibrate.c - measures what operations cost on this machine, for the price list of the simulation (sim/time/costs.ts).
 * Prints one JSON object of nanoseconds and bytes per nanosecond. Each figure is the median of several rounds: what a program
 * meets on this machine, and not what it would meet if nobody else were there. Each part runs in a young process of its own, after
 * a pause: a virtual machine's processors and pages are slower then than those of a program that has long been running (faults by a
 * third), and most programs are young.
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
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096UL
#define ROUNDS 3

static double now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}
static double median(double *values, int count)
{
	qsort(values, count, sizeof *values, by_value);
	return values[count / 2];
}

/* The median time of ROUNDS runs of BODY, which does COUNT operations; SETUP runs before each, unmeasured. */
#define TYPICAL(result, count, setup, body)                                                                            \
	do {                                                                                                           \
		double times_[ROUNDS];                                                                                 \
		for (int round_ = 0; round_ < ROUNDS; round_++) {                                                      \
			setup;                                                                                         \
			double t_ = now_ns();                                                                          \
			body;                                                                                          \
			times_[round_] = (now_ns() - t_) / (count);                                                    \
		}                                                                                                      \
		result = median(times_, ROUNDS);                                                                       \
	} while (0)

static void *volatile sink;
static void report(const char *name, double value) { printf(",\n  \"%s\": %.4g", name, value); }

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

static int ascending(const void *a, const void *b) { return *(const double *)a < *(const double *)b ? -1 : *(const double *)a > *(const double *)b; }
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
	qsort(times, SAMPLES, sizeof *times, ascending);
	return (times[3 * SAMPLES / 4] - times[SAMPLES / 4]) / 2 / times[SAMPLES / 2];
}
/*
 * Of a call of malloc and one of free that the thread's cache serves, malloc's share of the time: runs of as many of the one and of the other
 * as the cache has room for, less what two looks at the clock take.
 */
static double malloc_share(void)
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
static void calls(void)
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

/*
 * Calls as a program makes them that replays a trace: read from a list that does not fit the caches, each block kept in a
 * place of its own, with sizes that no branch predictor learns. Of no allocator (what is left is the program's own), and of the arenas.
 */
struct step { /* as large as an event of a compiled trace */
	uint32_t op, block, need, spare;
	uint64_t size, spares[3];
};
struct place {
	void *block;
	_Atomic uint32_t uses; /* other threads look at it */
};
enum { STEPS = 250000, LIVE = 256 };
static _Alignas(64) char dummy[64];
static void *take_nothing(size_t size) { (void)size; return dummy; }
static void give_nothing(void *p) { (void)p; }

/* Blocks of 1040 bytes to 65 KiB, which pass by the thread cache, made and freed at random, LIVE at once at most. */
static void make_steps(struct step *steps)
{
	uint32_t r = 2463534242, live[LIVE], count = 0, blocks = 0;
	for (int i = 0; i < STEPS; i++) {
		r ^= r << 13, r ^= r >> 17, r ^= r << 5;
		if (count < (uint32_t)(STEPS - i) && (count == 0 || (count < LIVE && r >> 31))) {
			uint32_t base = 1040U << (r >> 8) % 6;
			live[count++] = blocks;
			steps[i] = (struct step){.op = 1, .block = blocks++, .size = base + (r >> 12) % base};
		} else {
			uint32_t n = r % count;
			steps[i] = (struct step){.op = 0, .block = live[n], .need = 1};
			live[n] = live[--count];
		}
	}
}
static void __attribute__((noinline)) drive(const struct step *steps, void *(*volatile *take)(size_t),
					    void (*volatile *give)(void *), struct place *places)
{
	for (const struct step *s = steps; s < steps + STEPS; s++) {
		struct place *place = places + s->block;
		switch (s->op) {
		case 0:
			while (atomic_load_explicit(&place->uses, memory_order_acquire) < s->need) __builtin_ia32_pause();
			if (place->block) (*give)(place->block);
			break;
		case 1:
			place->block = (*take)(s->size);
			atomic_store_explicit(&place->uses, 1, memory_order_release);
			break;
		}
	}
}
static double arena_calls(void)
{
	double own, all;
	struct step *steps = (struct step *)map(sizeof *steps * STEPS);
	struct place *places = (struct place *)map(sizeof *places * STEPS);
	memset(places, 0, sizeof *places * STEPS);
	make_steps(steps);
	void *(*volatile take)(size_t) = take_nothing;
	void (*volatile give)(void *) = give_nothing;
	TYPICAL(own, STEPS, , drive(steps, &take, &give, places));
	report("eventNs", own);
	take = malloc;
	give = free;
	mallopt(M_TRIM_THRESHOLD, 1 << 30);
	drive(steps, &take, &give, places); /* the heap gets its size */
	TYPICAL(all, STEPS, , drive(steps, &take, &give, places));
	report("arenaCallNs", all > own ? all - own : 0);
	munmap(steps, sizeof *steps * STEPS);
	munmap(places, sizeof *places * STEPS);
	return all - own;
}

/* --------------------------------------------------------------------------------------------------------- memory */

enum { PAGES = 4096 };

static void faults(void)
{
	double t;
	char *p = NULL;
	TYPICAL(t, PAGES, p = map(PAGES * PAGE), for (size_t i = 0; i < PAGES; i++) p[i * PAGE] = 1;
	      double t2_ = now_ns(); munmap(p, PAGES * PAGE); t_ += now_ns() - t2_);
	report("faultNs", t); /* clearing the page included */
}
static void fault_fills(void)
{
	/* Filling the page that the fault has cleared: pairs side by side, as the difference is small. */
	double fills[ROUNDS];
	for (int round = 0; round < ROUNDS; round++) {
		double times[2];
		for (int full = 0; full < 2; full++) {
			char *p = map(PAGES * PAGE);
			double t = now_ns();
			for (size_t i = 0; i < PAGES; i++) memset(p + i * PAGE, 1, full ? PAGE : 1);
			times[full] = (now_ns() - t) / PAGES;
			munmap(p, PAGES * PAGE);
		}
		fills[round] = times[1] - times[0];
	}
	double t = median(fills, ROUNDS);
	report("faultFillNs", t > 0 ? t : 0);
}
static void releases(void)
{
	double t;
	char *p = NULL;
	TYPICAL(t, PAGES, p = map(PAGES * PAGE); memset(p, 1, PAGES * PAGE), munmap(p, PAGES * PAGE));
	report("munmapPageNs", t);
	TYPICAL(t, PAGES, p = map(PAGES * PAGE); memset(p, 1, PAGES * PAGE), madvise(p, PAGES * PAGE, MADV_DONTNEED);
	      double t2_ = now_ns(); munmap(p, PAGES * PAGE); t_ += now_ns() - t2_);
	report("dontneedPageNs", t);
	TYPICAL(t, PAGES, p = map(PAGES * PAGE); memset(p, 1, PAGES * PAGE), madvise(p, PAGES * PAGE, MADV_FREE);
	      double t2_ = now_ns(); munmap(p, PAGES * PAGE); t_ += now_ns() - t2_);
	report("lazyFreePageNs", t);
}

/* What the first fault of a mapping takes, its page tables included: mappings of which each has page tables of its own. */
static void first_faults(void)
{
	enum { N = 100 };
	const size_t apart = 2UL << 20;
	double t;
	char *p = NULL;
	TYPICAL(t, N, p = map(N * 2 * apart); for (int i = 0; i < N; i++) mprotect(p + (2 * i + 1) * apart, apart, PROT_NONE),
	      for (int i = 0; i < N; i++) p[2 * i * apart] = 1;
	      double t2_ = now_ns(); munmap(p, N * 2 * apart); t_ += now_ns() - t2_);
	report("firstFaultNs", t);
}

/*
 * Calls that take a page away, each with the fault that brings one and the call before: the kernel flushes translations, and what
 * comes next is slower for it, so one call alone would say too little. `one` are two pages; the heap gets and loses 33.
 */
static void rounds(char *one, char *heap)
{
	enum { N = 2000, BELOW = 10 };
	double t;
	TYPICAL(t, N, , for (int i = 0; i < N; i++) { one[0] = 1; madvise(one, PAGE, MADV_DONTNEED); });
	report("madviseRoundNs", t);
	TYPICAL(t, N, , for (int i = 0; i < N; i++) { char *p = map(PAGE * 33); p[0] = 1; munmap(p, PAGE * 33); });
	report("munmapRoundNs", t);
	char *end = heap + BELOW * PAGE;
	syscall(SYS_brk, end);
	memset(heap, 1, BELOW * PAGE);
	TYPICAL(t, N, , for (int i = 0; i < N; i++) { syscall(SYS_brk, end + PAGE * 33); end[PAGE] = 1; syscall(SYS_brk, end); });
	report("brkRoundNs", t);
	syscall(SYS_brk, heap);
}

static void syscalls(void)
{
	enum { N = 2000 };
	static char *p[N];
	double t;
	TYPICAL(t, 100000, , for (int i = 0; i < 100000; i++) syscall(SYS_getppid));
	report("syscallEntryNs", t);
	TYPICAL(t, N, , for (int i = 0; i < N; i++) p[i] = map(PAGE * 33); double t2_ = now_ns();
	      for (int i = 0; i < N; i++) munmap(p[i], PAGE * 33); t_ += now_ns() - t2_);
	report("mmapNs", t);
	char *heap = map(PAGE * (N + 1));
	/* An arena heap grows, and is used: a mapping with pages in it takes the kernel a quarter longer. */
	TYPICAL(t, N, mprotect(heap, PAGE * (N + 1), PROT_NONE); madvise(heap, PAGE * (N + 1), MADV_DONTNEED),
	      for (size_t i = 0; i < N; i++) { mprotect(heap + PAGE * i, PAGE, PROT_READ | PROT_WRITE);
	      double t2_ = now_ns(); heap[PAGE * i] = 1; t_ += now_ns() - t2_; });
	report("mprotectNs", t);
	munmap(heap, PAGE * (N + 1));
	char *brk0 = (char *)syscall(SYS_brk, 0);
	TYPICAL(t, N, , for (long i = 1; i <= N; i++) syscall(SYS_brk, brk0 + i * PAGE * 33); double t2_ = now_ns();
	      syscall(SYS_brk, brk0); t_ += now_ns() - t2_);
	report("brkNs", t);
	char *one = map(PAGE * 2);
	one[PAGE] = 1; /* the table of its pages is never empty: the kernel would free it */
	TYPICAL(t, N, one[0] = 1, for (int i = 0; i < N; i++) madvise(one, PAGE, MADV_DONTNEED));
	report("madviseNs", t);
	rounds(one, brk0);
	munmap(one, PAGE * 2);
	char *q = NULL;
	TYPICAL(t, N, q = map(PAGE * 64); q[0] = 1, for (int i = 0; i < N; i++) q = mremap(q, PAGE * (64 + i % 2 * 64), PAGE * (128 - i % 2 * 64), MREMAP_MAYMOVE);
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
	TYPICAL(t, (double)times * length, , for (size_t i = 0; i < times; i++) { memset(p, (int)i, length); sink = p; });
	munmap(p, length);
	return 1 / t;
}
static double copy_rate(size_t length)
{
	char *p = map(2 * length);
	size_t times = (64UL << 20) / length + 1;
	double t;
	memset(p, 1, 2 * length);
	TYPICAL(t, (double)times * length, , for (size_t i = 0; i < times; i++) { memcpy(p + length, p, length); sink = p; });
	munmap(p, 2 * length);
	return 1 / t;
}

/* One write to each page of `length` bytes, in an order that nothing foresees. */
static double scattered_write(size_t length)
{
	size_t pages = length / PAGE, times = (1 << 16) / pages + 1;
	char *p = map(length);
	uint32_t *order = malloc(pages * sizeof *order), r = 2463534242;
	double t;
	memset(p, 1, length);
	for (size_t i = 0; i < pages; i++) order[i] = i;
	for (size_t i = pages - 1; i > 0; i--) {
		r ^= r << 13, r ^= r >> 17, r ^= r << 5;
		uint32_t j = r % (i + 1), other = order[j];
		order[j] = order[i];
		order[i] = other;
	}
	TYPICAL(t, (double)times * pages, , for (size_t n = 0; n < times; n++)
		for (size_t i = 0; i < pages; i++) p[order[i] * PAGE + order[i] % 64 * 64]++);
	free(order);
	munmap(p, length);
	return t;
}

/* A line that is in no near cache, when nothing foresees it: what it takes until it is there. */
static double cold_line(size_t length)
{
	enum { LINE = 64, LOOKS = 200000 };
	uint32_t lines = length / LINE, r = 2463534242, at = 0;
	char *p = map(length);
	/* A ring through all lines in random order (Sattolo). */
	for (uint32_t i = 0; i < lines; i++) *(uint32_t *)(p + (size_t)i * LINE) = i;
	for (uint32_t i = lines - 1; i > 0; i--) {
		r ^= r << 13, r ^= r >> 17, r ^= r << 5;
		uint32_t *a = (uint32_t *)(p + (size_t)i * LINE), *b = (uint32_t *)(p + (size_t)(r % i) * LINE), value = *a;
		*a = *b;
		*b = value;
	}
	double t;
	TYPICAL(t, LOOKS, , for (int i = 0; i < LOOKS; i++) at = *(uint32_t *)(p + (size_t)at * LINE));
	sink = p + at;
	munmap(p, length);
	return t;
}

/*
 * Bytes of the cache behind the second one that this machine gets to use: the largest of 2 to 32 MiB in which a cold line comes
 * nearer to those of the least than to those of 64 MiB. A virtual machine may be told the size of all caches of its host.
 */
static double usable_cache(void)
{
	enum { LEAST = 2 << 20, MOST = 64 << 20 };
	double near = cold_line(LEAST), far = cold_line(MOST);
	size_t length = LEAST;
	while (2 * length < MOST && cold_line(2 * length) < (near + far) / 2) length *= 2;
	return length;
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
	double times[3];
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
		times[round] = (now_ns() - t) / TURNS / 2;
		pthread_join(player, NULL);
	}
	unpin();
	return median(times, 3);
}

/*
 * What two processors have between them has two prices where a virtual machine's are on one core of the host now and on two
 * then, for 50 ms or for minutes: measured in bursts of a fraction of a millisecond, some milliseconds apart.
 */
enum { BURSTS = 30, BURST_PAUSE = 3000 };

/* One line goes to and fro. */
enum { HOPS = 100, HOP_ROUNDS = 10 };
static void *line_player(void *arg)
{
	(void)arg;
	pin(1);
	for (uint32_t i = 1; i <= HOPS * HOP_ROUNDS; i++) {
		while (atomic_load_explicit(&other, memory_order_acquire) != i) __builtin_ia32_pause();
		atomic_store_explicit(&word, i, memory_order_release);
	}
	return NULL;
}
static double line_transfer(void)
{
	double bursts[BURSTS], times[HOP_ROUNDS];
	for (int burst = 0; burst < BURSTS; burst++) {
		pthread_t player;
		atomic_store(&word, 0);
		atomic_store(&other, 0);
		pin(0);
		pthread_create(&player, NULL, line_player, NULL);
		usleep(BURST_PAUSE);
		uint32_t i = 1;
		for (int round = 0; round < HOP_ROUNDS; round++) {
			double t = now_ns();
			for (int hop = 0; hop < HOPS; hop++, i++) {
				atomic_store_explicit(&other, i, memory_order_release);
				while (atomic_load_explicit(&word, memory_order_acquire) != i) __builtin_ia32_pause();
			}
			times[round] = (now_ns() - t) / HOPS / 2;
		}
		bursts[burst] = median(times, HOP_ROUNDS);
		pthread_join(player, NULL);
	}
	unpin();
	return median(bursts, BURSTS);
}

/*
 * Two threads on two processors use one arena in turns: what it costs that the lines of the arena and of its chunks come over,
 * beside the line that says whose turn it is.
 */
enum { HANDS = 200 };
static struct step *hand_steps; /* those of this burst */
static struct place *hand_places;
static int hand_uses_arena;
static void hand(int i)
{
	struct step *s = hand_steps + i;
	if (!hand_uses_arena) return;
	struct place *place = hand_places + s->block;
	if (s->op == 1) place->block = malloc(s->size);
	else free(place->block);
}
static void *hand_player(void *arg)
{
	(void)arg;
	pin(1);
	for (uint32_t i = 1; i < HANDS; i += 2) {
		while (atomic_load_explicit(&other, memory_order_acquire) != i) __builtin_ia32_pause();
		hand(i);
		atomic_store_explicit(&other, i + 1, memory_order_release);
	}
	return NULL;
}
static double in_turns(int uses_arena)
{
	double times[HANDS / 2];
	pthread_t player;
	hand_uses_arena = uses_arena;
	atomic_store(&other, UINT32_MAX);
	pin(0);
	pthread_create(&player, NULL, hand_player, NULL);
	usleep(BURST_PAUSE);
	atomic_store(&other, 0);
	int count = 0;
	double t = now_ns();
	for (uint32_t i = 0; i < HANDS; i += 2) {
		while (atomic_load_explicit(&other, memory_order_acquire) != i) __builtin_ia32_pause();
		double end = now_ns();
		times[count++] = end - t;
		t = end;
		hand(i);
		atomic_store_explicit(&other, i + 1, memory_order_release);
	}
	pthread_join(player, NULL);
	unpin();
	return median(times, count) / 2;
}
static void working_set(void)
{
	double call = arena_calls();
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2) return;
	hand_steps = (struct step *)map(sizeof *hand_steps * STEPS);
	hand_places = (struct place *)map(sizeof *hand_places * STEPS);
	make_steps(hand_steps);
	double extras[BURSTS];
	for (int burst = 0; burst < BURSTS; burst++, hand_steps += HANDS) extras[burst] = in_turns(1) - in_turns(0);
	double extra = median(extras, BURSTS) - call;
	if (extra > 0) report("arenaHandOverNs", extra);
}

/*
 * Two threads take one lock again and again, as glibc's low-level lock is taken: how long one of them has it to itself. A
 * processor that has the line in its cache takes and releases the lock many times before the other one gets it.
 */
enum { TAKES = 200000 };
static _Atomic uint32_t lock_word;
static _Alignas(64) uint32_t last_taker, changes, guarded[16];
static void take_and_release(uint32_t me)
{
	uint32_t zero = 0;
	if (!atomic_compare_exchange_strong(&lock_word, &zero, 1))
		while (atomic_exchange(&lock_word, 2) != 0) futex_wait(&lock_word, 2);
	if (last_taker != me) {
		last_taker = me;
		changes++;
	}
	for (int i = 0; i < 8; i++) ((volatile uint32_t *)guarded)[i]++;
	if (atomic_exchange(&lock_word, 0) > 1) futex_wake(&lock_word);
}
static void *taker(void *arg)
{
	(void)arg;
	pin(1);
	atomic_store(&other, 1);
	while (atomic_load(&other) != 2) __builtin_ia32_pause();
	for (int i = 0; i < TAKES; i++) take_and_release(1);
	return NULL;
}
static double line_keep(void)
{
	double times[ROUNDS];
	for (int round = 0; round < ROUNDS; round++) {
		pthread_t second;
		atomic_store(&other, 0);
		pin(0);
		pthread_create(&second, NULL, taker, NULL);
		while (atomic_load(&other) != 1) __builtin_ia32_pause();
		changes = 0;
		atomic_store(&other, 2);
		double t = now_ns();
		for (int i = 0; i < TAKES; i++) take_and_release(0);
		pthread_join(second, NULL);
		times[round] = (now_ns() - t) / (changes + 1);
	}
	unpin();
	return median(times, ROUNDS);
}

/*
 * What a thread on another processor adds to taking pages away: the interrupt that makes it forget translations, here and there.
 * Only calls during which the other one was seen to run count.
 */
static _Alignas(64) _Atomic uint64_t ticks;
static void *busy(void *arg)
{
	(void)arg;
	pin(1);
	for (uint64_t n = 1; !atomic_load_explicit(&stop, memory_order_relaxed); n++) {
		atomic_store_explicit(&ticks, n, memory_order_relaxed);
		__builtin_ia32_pause();
	}
	return NULL;
}
/* Whether the other thread runs at this moment. */
static int is_running(void)
{
	uint64_t before = atomic_load(&ticks);
	for (int i = 0; i < 200; i++) {
		if (atomic_load(&ticks) != before) return 1;
		__builtin_ia32_pause();
	}
	return 0;
}
enum { FORGETS = 2000 };
static double forget_page(char *p, int shared)
{
	static double times[FORGETS];
	int count = 0;
	for (int i = 0; i < FORGETS; i++) {
		*p = 1;
		if (shared && !is_running()) continue;
		double t = now_ns();
		madvise(p, PAGE, MADV_DONTNEED);
		t = now_ns() - t;
		if (!shared || is_running()) times[count++] = t;
	}
	return count > FORGETS / 20 ? median(times, count) : -1;
}
/* Rounds of the other thread in a nanosecond, the median over stretches of 50 us; `p`: while pages are taken away, `*each` apart. */
static double tick_rate(char *p, double *each)
{
	enum { STRETCHES = 400 };
	static double rates[STRETCHES], gaps[STRETCHES];
	int count = 0;
	for (int i = 0; i < STRETCHES; i++) {
		if (!is_running()) continue;
		int calls = 0;
		uint64_t n = atomic_load(&ticks);
		double t = now_ns(), end;
		do {
			if (p) {
				*p = 1;
				madvise(p, PAGE, MADV_DONTNEED);
				calls++;
			}
			end = now_ns();
		} while (end - t < 50000);
		rates[count] = (atomic_load(&ticks) - n) / (end - t);
		gaps[count++] = calls ? (end - t) / calls : 0;
	}
	if (count == 0) return -1;
	*each = median(gaps, count);
	return median(rates, count);
}
/* The other processors but the first two, each with a thread that does nothing but run. */
static void *bystander(void *arg)
{
	pin((int)(intptr_t)arg);
	while (!atomic_load_explicit(&stop, memory_order_relaxed)) __builtin_ia32_pause();
	return NULL;
}
static void shoot_down(void)
{
	enum { MOST = 64 };
	char *p = map(PAGE);
	pin(0);
	double alone = forget_page(p, 0), each;
	pthread_t second;
	atomic_store(&stop, 0);
	pthread_create(&second, NULL, busy, NULL);
	usleep(2000);
	double shared = forget_page(p, 1), calm = tick_rate(NULL, &each), disturbed = tick_rate(p, &each), all = -1;
	int others = (int)sysconf(_SC_NPROCESSORS_ONLN) - 2;
	if (others > MOST) others = MOST;
	pthread_t bystanders[MOST];
	for (int i = 0; i < others; i++) pthread_create(&bystanders[i], NULL, bystander, (void *)(intptr_t)(i + 2));
	if (others > 0) {
		usleep(2000);
		all = forget_page(p, 1);
	}
	atomic_store(&stop, 1);
	pthread_join(second, NULL);
	for (int i = 0; i < others; i++) pthread_join(bystanders[i], NULL);
	unpin();
	munmap(p, PAGE);
	if (shared < alone || calm <= 0 || disturbed < 0) return; /* never seen to run side by side: says nothing */
	report("shootDownNs", shared - alone);
	if (all > shared) report("shootDownTargetNs", (all - shared) / others);
	report("interruptNs", disturbed < calm ? each * (1 - disturbed / calm) : 0);
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
	TYPICAL(alone, 20000, , for (int i = 0; i < 20000; i++) sched_yield());
	pthread_t second;
	atomic_store(&stop, 0);
	pthread_create(&second, NULL, yielder, NULL);
	usleep(2000);
	TYPICAL(shared, 20000, , for (int i = 0; i < 20000; i++) sched_yield());
	atomic_store(&stop, 1);
	pthread_join(second, NULL);
	unpin();
	return shared > 2 * alone ? shared / 2 - alone : 0; /* two switches a turn, and the call itself */
}

/* 32 threads that are woken together on one processor, do nothing and exit, per thread: what a thread's life costs. */
static _Atomic uint32_t gate;
static void *passer(void *arg)
{
	(void)arg;
	pin(sysconf(_SC_NPROCESSORS_ONLN) > 1); /* not where the main thread is, if there are two */
	while (!atomic_load(&gate)) futex_wait(&gate, 0);
	return NULL;
}
static double thread_life(double *create)
{
	double times[ROUNDS], creates[ROUNDS];
	for (int round = 0; round < ROUNDS; round++) {
		pthread_t threads[32];
		pin(0);
		atomic_store(&gate, 0);
		double t = now_ns();
		for (int i = 0; i < 32; i++) pthread_create(&threads[i], NULL, passer, NULL);
		creates[round] = (now_ns() - t) / 32;
		usleep(5000);
		t = now_ns();
		atomic_store(&gate, 1);
		syscall(SYS_futex, &gate, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
		for (int i = 31; i >= 0; i--) pthread_join(threads[i], NULL); /* the last one first: it need not be woken 32 times */
		times[round] = (now_ns() - t) / 32;
	}
	*create = median(creates, ROUNDS);
	return median(times, ROUNDS);
}

/*
 * Of what a thread's life costs, the share up to its first own instruction: one thread after the other on the processor of the one that waits for it. The
 * switches there and back are in both parts.
 */
static double first_at, last_at;
static void *liver(void *arg)
{
	first_at = now_ns();
	last_at = now_ns();
	return arg;
}
static double begin_share(void)
{
	enum { LIVES = 500 };
	static double begins[LIVES], exits[LIVES];
	int count = 0;
	pin(0);
	for (int i = 0; i < LIVES; i++) {
		pthread_t thread;
		pthread_create(&thread, NULL, liver, NULL);
		double t = now_ns();
		pthread_join(thread, NULL);
		if (first_at < t) continue; /* it began before it was waited for */
		begins[count] = first_at - t;
		exits[count++] = now_ns() - last_at;
	}
	unpin();
	if (count < LIVES / 10) return -1;
	double begin = median(begins, count), exit = median(exits, count);
	return begin / (begin + exit);
}

/*
 * Waking a thread that sleeps on an idle processor: the call, and how long until it runs. It slept for a few
 * microseconds only, as waiters for a lock do.
 */
static _Atomic double woken_at;
static void *sleeper(void *arg)
{
	(void)arg;
	pin(1);
	for (uint32_t i = 1;; i++) {
		while (atomic_load(&word) < i) futex_wait(&word, i - 1);
		atomic_store(&woken_at, now_ns());
		if (atomic_load(&stop)) return NULL;
		atomic_store(&other, i);
	}
}
static void wake_idle(void)
{
	enum { WAKES = 500 };
	static double calls[WAKES], delays[WAKES];
	pthread_t thread;
	atomic_store(&stop, 0);
	atomic_store(&word, 0);
	atomic_store(&other, 0);
	pin(0);
	pthread_create(&thread, NULL, sleeper, NULL);
	usleep(2000);
	for (uint32_t i = 1; i <= WAKES; i++) {
		for (double t = now_ns(); now_ns() - t < 20000;) __builtin_ia32_pause();
		if (i == WAKES) atomic_store(&stop, 1);
		atomic_store(&word, i);
		double t = now_ns();
		futex_wake(&word);
		calls[i - 1] = now_ns() - t;
		while (i < WAKES && atomic_load(&other) < i) __builtin_ia32_pause();
		delays[i - 1] = atomic_load(&woken_at) - t;
	}
	pthread_join(thread, NULL);
	unpin();
	report("futexWakeIdleNs", median(calls, WAKES));
	report("wakeLatencyNs", median(delays, WAKES - 1));
}

static void *unmoved(void *arg)
{
	(void)arg;
	while (atomic_load(&word) == 1) syscall(SYS_futex, &word, FUTEX_WAIT_BITSET_PRIVATE, 1, NULL, NULL, 1);
	return NULL;
}
/* Wait and wake without a partner: the system calls alone. */
static void futex_calls(void)
{
	double t;
	atomic_store(&word, 1);
	TYPICAL(t, 20000, , for (int i = 0; i < 20000; i++) futex_wait(&word, 0));
	report("futexWaitFailedNs", t);
	TYPICAL(t, 20000, , for (int i = 0; i < 20000; i++) futex_wake(&word));
	report("futexWakeNobodyNs", t);
	/* Somebody sleeps on the word, and is not meant: the bucket's lock, and a look at the list. */
	pthread_t other_one;
	pthread_create(&other_one, NULL, unmoved, NULL);
	usleep(2000);
	TYPICAL(t, 20000, , for (int i = 0; i < 20000; i++) syscall(SYS_futex, &word, FUTEX_WAKE_BITSET_PRIVATE, 1, NULL, NULL, 2));
	report("futexWakeNotMeantNs", t);
	atomic_store(&word, 0);
	syscall(SYS_futex, &word, FUTEX_WAKE_BITSET_PRIVATE, 1, NULL, NULL, 1);
	pthread_join(other_one, NULL);
}

static void rates(void)
{
	report("fillRateL1", fill_rate(16 << 10));
	report("fillRateL2", fill_rate(192 << 10));
	report("fillRateL3", fill_rate(4 << 20));
	report("copyRateL2", copy_rate(96 << 10));
}
static void memory_rates(void)
{
	report("fillRateMemory", fill_rate(64UL << 20));
	report("scatteredWriteL3Ns", scattered_write(8UL << 20));
	report("scatteredWriteMemoryNs", scattered_write(64UL << 20));
	report("usableCacheBytes", usable_cache());
}
static void switches(void)
{
	futex_calls();
	report("contextSwitchNs", context_switch());
	report("futexHandOverSameCpuNs", futex_round(0));
}
static void hand_overs(void)
{
	report("futexHandOverNs", futex_round(1));
	report("lineTransferNs", line_transfer());
	report("lineKeepNs", line_keep());
}
static void thread_lives(void)
{
	double create, life = thread_life(&create);
	report("threadLifeNs", life);
	report("threadCreateNs", create);
	double share = begin_share();
	if (share > 0) report("threadBeginShare", share);
}

static const struct {
	void (*measure)(void);
	int cpus; /* that it needs */
} parts[] = {
	{calls, 1}, {working_set, 1}, {faults, 1}, {fault_fills, 1}, {releases, 1}, {first_faults, 1}, {syscalls, 1}, {rates, 1}, {memory_rates, 1},
	{switches, 1}, {hand_overs, 2}, {shoot_down, 2}, {wake_idle, 2}, {thread_lives, 1},
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
