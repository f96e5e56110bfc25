/*
 * What a thread on another processor adds to taking pages away: the interrupt that makes it forget translations, here and there.
 * Only calls during which the other one was seen to run count.
 */

#include "measure.h"
#include "parts.h"
#include <pthread.h>
#include <sys/mman.h>

static struct {
	_Alignas(64) _Atomic uint64_t count;
} ticks;
static _Atomic int stop;
static void *busy(void *arg)
{
	(void)arg;
	pin(1);
	for (uint64_t n = 1; !atomic_load_explicit(&stop, memory_order_relaxed); n++) {
		atomic_store_explicit(&ticks.count, n, memory_order_relaxed);
		__builtin_ia32_pause();
	}
	return NULL;
}
/* Whether the other thread runs at this moment. */
static int is_running(void)
{
	uint64_t before = atomic_load(&ticks.count);
	for (int i = 0; i < 200; i++) {
		if (atomic_load(&ticks.count) != before) return 1;
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
		uint64_t n = atomic_load(&ticks.count);
		double t = now_ns(), end;
		do {
			if (p) {
				*p = 1;
				madvise(p, PAGE, MADV_DONTNEED);
				calls++;
			}
			end = now_ns();
		} while (end - t < 50000);
		rates[count] = (atomic_load(&ticks.count) - n) / (end - t);
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
void measure_shoot_down(void)
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
