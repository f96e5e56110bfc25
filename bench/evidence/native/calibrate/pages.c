/* What it costs that pages come and go. */
#include "measure.h"
#include "parts.h"
#include <string.h>
#include <sys/mman.h>

enum { PAGES = 4096 };

void measure_faults(void)
{
	double t;
	char *p = NULL;
	TYPICAL(t, PAGES, p = map(PAGES * PAGE), for (size_t i = 0; i < PAGES; i++) p[i * PAGE] = 1;
	      double t2_ = now_ns(); munmap(p, PAGES * PAGE); t_ += now_ns() - t2_);
	report("faultNs", t); /* clearing the page included */
}
void measure_fault_fills(void)
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
void measure_releases(void)
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
void measure_first_faults(void)
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
