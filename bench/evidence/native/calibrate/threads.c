/* Switches between threads, and what a thread's life costs. */
#include "measure.h"
#include "parts.h"
#include <limits.h>
#include <pthread.h>
#include <sched.h>

static _Atomic int stop;

/* A switch between two threads on one processor that hand over by sched_yield. */
static void *yielder(void *arg)
{
	(void)arg;
	pin(0);
	while (!atomic_load_explicit(&stop, memory_order_relaxed)) sched_yield();
	return NULL;
}
double context_switch(void)
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

void measure_thread_lives(void)
{
	double create, life = thread_life(&create);
	report("threadLifeNs", life);
	report("threadCreateNs", create);
	double share = begin_share();
	if (share > 0) report("threadBeginShare", share);
}
