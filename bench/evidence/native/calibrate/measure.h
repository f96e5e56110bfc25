/* What all parts of the calibration measure with. */
#pragma once
#define _GNU_SOURCE
#include <linux/futex.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096UL
#define ROUNDS 3

/*
 * What two processors have between them has two prices where a virtual machine's are on one core of the host now and on two
 * then, for 50 ms or for minutes: measured in bursts of a fraction of a millisecond, some milliseconds apart.
 */
enum { BURSTS = 30, BURST_PAUSE_US = 3000 };

static inline double now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

/* Sorts the values. */
double median(double *values, int count);

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

/* What is stored here was needed. */
extern void *volatile sink;
/* A figure of the result. */
void report(const char *name, double value);
/* Memory that has no pages yet. */
char *map(size_t length);
/* The calling thread runs on this processor alone, or on any. */
void pin(int cpu);
void unpin(void);

/* Two words on one line, by which two threads tell each other where they are. */
struct line {
	_Alignas(64) _Atomic uint32_t word, other;
};
static inline void futex_wait(_Atomic uint32_t *a, uint32_t v)
{
	syscall(SYS_futex, a, FUTEX_WAIT_PRIVATE, v, NULL, NULL, 0);
}
static inline void futex_wake(_Atomic uint32_t *a)
{
	syscall(SYS_futex, a, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}
