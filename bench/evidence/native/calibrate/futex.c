/* Waiting, waking, and handing over by futex. */
#include "measure.h"
#include "parts.h"
#include <pthread.h>

enum { TURNS = 4000 };
static struct line line;
static _Atomic int stop;
static int cpu_of_second;

static void *futex_player(void *arg)
{
	(void)arg;
	pin(cpu_of_second);
	for (uint32_t i = 0; i < TURNS; i++) {
		while (atomic_load(&line.word) != 2 * i + 1) futex_wait(&line.word, 2 * i);
		atomic_store(&line.word, 2 * i + 2);
		futex_wake(&line.word);
	}
	return NULL;
}
double futex_hand_over(int second_cpu)
{
	double times[3];
	for (int round = 0; round < 3; round++) {
		pthread_t player;
		atomic_store(&line.word, 0);
		cpu_of_second = second_cpu;
		pin(0);
		pthread_create(&player, NULL, futex_player, NULL);
		usleep(2000);
		double t = now_ns();
		for (uint32_t i = 0; i < TURNS; i++) {
			atomic_store(&line.word, 2 * i + 1);
			futex_wake(&line.word);
			while (atomic_load(&line.word) != 2 * i + 2) futex_wait(&line.word, 2 * i + 1);
		}
		times[round] = (now_ns() - t) / TURNS / 2;
		pthread_join(player, NULL);
	}
	unpin();
	return median(times, 3);
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
		while (atomic_load(&line.word) < i) futex_wait(&line.word, i - 1);
		atomic_store(&woken_at, now_ns());
		if (atomic_load(&stop)) return NULL;
		atomic_store(&line.other, i);
	}
}
void measure_wake_idle(void)
{
	enum { WAKES = 500 };
	static double calls[WAKES], delays[WAKES];
	pthread_t thread;
	atomic_store(&stop, 0);
	atomic_store(&line.word, 0);
	atomic_store(&line.other, 0);
	pin(0);
	pthread_create(&thread, NULL, sleeper, NULL);
	usleep(2000);
	for (uint32_t i = 1; i <= WAKES; i++) {
		for (double t = now_ns(); now_ns() - t < 20000;) __builtin_ia32_pause();
		if (i == WAKES) atomic_store(&stop, 1);
		atomic_store(&line.word, i);
		double t = now_ns();
		futex_wake(&line.word);
		calls[i - 1] = now_ns() - t;
		while (i < WAKES && atomic_load(&line.other) < i) __builtin_ia32_pause();
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
	while (atomic_load(&line.word) == 1) syscall(SYS_futex, &line.word, FUTEX_WAIT_BITSET_PRIVATE, 1, NULL, NULL, 1);
	return NULL;
}
/* Wait and wake without a partner: the system calls alone. */
void measure_futex_calls(void)
{
	double t;
	atomic_store(&line.word, 1);
	TYPICAL(t, 20000, , for (int i = 0; i < 20000; i++) futex_wait(&line.word, 0));
	report("futexWaitFailedNs", t);
	TYPICAL(t, 20000, , for (int i = 0; i < 20000; i++) futex_wake(&line.word));
	report("futexWakeNobodyNs", t);
	/* Somebody sleeps on the word, and is not meant: the bucket's lock, and a look at the list. */
	pthread_t other_one;
	pthread_create(&other_one, NULL, unmoved, NULL);
	usleep(2000);
	TYPICAL(t, 20000, , for (int i = 0; i < 20000; i++) syscall(SYS_futex, &line.word, FUTEX_WAKE_BITSET_PRIVATE, 1, NULL, NULL, 2));
	report("futexWakeNotMeantNs", t);
	atomic_store(&line.word, 0);
	syscall(SYS_futex, &line.word, FUTEX_WAKE_BITSET_PRIVATE, 1, NULL, NULL, 1);
	pthread_join(other_one, NULL);
}
