/* Lines that two processors want. */
#include "measure.h"
#include "parts.h"
#include <pthread.h>

static struct line line;

/* One line goes to and fro. */
enum { HOPS = 100, HOP_ROUNDS = 10 };
static void *line_player(void *arg)
{
	(void)arg;
	pin(1);
	for (uint32_t i = 1; i <= HOPS * HOP_ROUNDS; i++) {
		while (atomic_load_explicit(&line.other, memory_order_acquire) != i) __builtin_ia32_pause();
		atomic_store_explicit(&line.word, i, memory_order_release);
	}
	return NULL;
}
static double line_transfer(void)
{
	double bursts[BURSTS], times[HOP_ROUNDS];
	for (int burst = 0; burst < BURSTS; burst++) {
		pthread_t player;
		atomic_store(&line.word, 0);
		atomic_store(&line.other, 0);
		pin(0);
		pthread_create(&player, NULL, line_player, NULL);
		usleep(BURST_PAUSE_US);
		uint32_t i = 1;
		for (int round = 0; round < HOP_ROUNDS; round++) {
			double t = now_ns();
			for (int hop = 0; hop < HOPS; hop++, i++) {
				atomic_store_explicit(&line.other, i, memory_order_release);
				while (atomic_load_explicit(&line.word, memory_order_acquire) != i) __builtin_ia32_pause();
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
 * Two threads take one lock again and again, as glibc's low-level lock is taken: how long one of them has it to itself. A
 * processor that has the line in its cache takes and releases the lock many times before the other one gets it.
 */
enum { TAKES = 200000 };
/* On one line: the lock, and the first of what it guards. */
static struct {
	_Alignas(64) _Atomic uint32_t lock;
	uint32_t last_taker;
} first_line;
static _Alignas(64) uint32_t changes, guarded[16];
static void take_and_release(uint32_t me)
{
	uint32_t zero = 0;
	if (!atomic_compare_exchange_strong(&first_line.lock, &zero, 1))
		while (atomic_exchange(&first_line.lock, 2) != 0) futex_wait(&first_line.lock, 2);
	if (first_line.last_taker != me) {
		first_line.last_taker = me;
		changes++;
	}
	for (int i = 0; i < 8; i++) ((volatile uint32_t *)guarded)[i]++;
	if (atomic_exchange(&first_line.lock, 0) > 1) futex_wake(&first_line.lock);
}
static void *taker(void *arg)
{
	(void)arg;
	pin(1);
	atomic_store(&line.other, 1);
	while (atomic_load(&line.other) != 2) __builtin_ia32_pause();
	for (int i = 0; i < TAKES; i++) take_and_release(1);
	return NULL;
}
static double line_keep(void)
{
	double times[ROUNDS];
	for (int round = 0; round < ROUNDS; round++) {
		pthread_t second;
		atomic_store(&line.other, 0);
		pin(0);
		pthread_create(&second, NULL, taker, NULL);
		while (atomic_load(&line.other) != 1) __builtin_ia32_pause();
		changes = 0;
		atomic_store(&line.other, 2);
		double t = now_ns();
		for (int i = 0; i < TAKES; i++) take_and_release(0);
		pthread_join(second, NULL);
		times[round] = (now_ns() - t) / (changes + 1);
	}
	unpin();
	return median(times, ROUNDS);
}

void measure_lines(void)
{
	report("lineTransferNs", line_transfer());
	report("lineKeepNs", line_keep());
}
