/* Filling and copying memory, and what a line costs that is not near. */
#include "measure.h"
#include "parts.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

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

void measure_rates(void)
{
	report("fillRateL1", fill_rate(16 << 10));
	report("fillRateL2", fill_rate(192 << 10));
	report("fillRateL3", fill_rate(4 << 20));
	report("copyRateL2", copy_rate(96 << 10));
}
void measure_memory_rates(void)
{
	report("fillRateMemory", fill_rate(64UL << 20));
	report("scatteredWriteL3Ns", scattered_write(8UL << 20));
	report("scatteredWriteMemoryNs", scattered_write(64UL << 20));
	report("usableCacheBytes", usable_cache());
}
