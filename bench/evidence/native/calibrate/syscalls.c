/* System calls of an allocator, alone and with the fault that belongs to them. */
#include "measure.h"
#include "parts.h"
#include <string.h>
#include <sys/mman.h>

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

void measure_syscalls(void)
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
