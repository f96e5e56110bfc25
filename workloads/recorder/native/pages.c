/*
 * Which pages of big blocks were ever written, as the kernel has it: a page of a block that was not there when the block
 * was allocated, and is there when it is freed, was written (or read, which maps the page of zeros: that one is told apart
 * where the kernel can). Pages that were there before are filled with a pattern that nobody writes by chance: those that still have
 * it when the block is freed were not written. Of a huge page that came meanwhile parts may have the zeros that it came with.
 * What cannot be filled is as if it was written at once: what has a content, what is
 * a file's, or swapped out, and what a fork shares: a page that a forked process has from its parent it has written to where that page is its own
 * by then. What this costs is bounded (budget.c).
 */
#include "recorder.h"
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "fill.h"
#include "held.h"

/* Addresses of the blocks that are being watched, in rows of eight: a hash, without order. */
#define ROWS (1u << BIG_ROW_BITS)
static _Atomic uintptr_t watched[ROWS][8];
unsigned char big_filter[ROWS];
static _Atomic long watched_count;
uint64_t fill_key;

/* What a page table maps: pages of the usual size, where there is one. */
#define TABLE_BYTES (1ul << 21)

/* Some tenths of a second: nothing is swapped out that soon. */
#define YOUNG_TICKS (1u << 22)

/* Without PAGEMAP_SCAN a look reads 8 bytes for every page of the block. */
#define WATCH_BYTES_MAX (1ul << 40)

enum mark {
	OF_ZEND = 1,
	INHERITED = 2, /* it was there before the fork */
	FILLED = 4,    /* a page has the pattern */
	ALL_THERE = 8, /* … and all are in memory: to look at the block is to look for the pattern */
	SMALL_PAGES = 16, /* those that come are of the usual size as well: they share a page table with one that is there */
	UNREADABLE = 32
};

static struct { size_t size; uint32_t born; _Atomic unsigned char marks; } about[ROWS][8];

static int place_of(const void *p)
{
	for (int i = 0; i < 8; i++)
		if (atomic_load_explicit(&watched[big_hash(p)][i], memory_order_relaxed) == (uintptr_t)p) return i;
	return -1;
}

/* -1: there is no place. */
static int watch(const void *p, size_t size, enum mark marks)
{
	unsigned row = big_hash(p);
	for (int i = 0; i < 8; i++) {
		uintptr_t none = 0;
		if (!atomic_compare_exchange_strong(&watched[row][i], &none, (uintptr_t)p)) continue;
		__atomic_fetch_add(&big_filter[row], 1, __ATOMIC_RELAXED);
		watched_count++;
		about[row][i].size = size;
		about[row][i].born = (uint32_t)ticks();
		about[row][i].marks = (unsigned char)marks;
		return i;
	}
	return -1;
}

static void unwatch(unsigned row, int i)
{
	atomic_store(&watched[row][i], 0);
	__atomic_fetch_sub(&big_filter[row], 1, __ATOMIC_RELAXED);
	watched_count--;
}

/* ---- the process's pagemap, held open: opening it takes longer than looking at a block */

static struct held pagemap;
static _Atomic int is_opening;

void leave_pagemap(void)
{
	if (is_held(&pagemap)) close(pagemap.fd);
	pagemap.inode = 0;
}

/* -1: there is none. */
static int open_pagemap(void)
{
	if (is_held(&pagemap)) return pagemap.fd;
	if (!atomic_exchange(&is_opening, 1)) {
		hold(&pagemap, "/proc/self/pagemap", O_RDONLY);
		is_opening = 0;
		if (pagemap.inode) return pagemap.fd;
	}
	return open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
}

static void close_pagemap(int fd)
{
	if (!pagemap.inode || fd != pagemap.fd) close(fd);
}

static void log_run(enum op op, const void *block, uintptr_t page, struct page_run run, uint64_t flags)
{
	uintptr_t first = (uintptr_t)block & ~(page - 1);
	log_extended(op, block, (run.start - first) / page, (run.end - run.start) / page | (run.huge ? PAGES_HUGE : 0) | (run.zeros ? PAGES_ZEROS : 0) | flags);
}

/* ---- when a block is allocated */

/* So many runs wait until the block is known to be filled: the keeper looks at it from its first record on. */
#define WAITING 64

struct arrival {
	struct looked_at block; /* as it is told */
	uintptr_t kept_end;     /* pages from here on are nobody's yet */
	uint64_t kept_flags;
	int fd, is_filled, is_told, waiting, has_huge;
	size_t plain_bytes;     /* of pages in memory; of huge ones, what was filled */
	struct { struct page_run run; uint64_t flags; } others[WAITING];
};

static void tell_others(struct arrival *a)
{
	const void *p = (const void *)a->block.start;
	if (!a->is_told) log_extended(OP_RESIDENT, p, (uint64_t)a->is_filled, 0); /* it is being watched, whatever is there */
	a->is_told = 1;
	for (int i = 0; i < a->waiting; i++) log_run(OP_RESIDENT, p, a->block.page, a->others[i].run, a->others[i].flags);
	a->waiting = 0;
}

static void note_other(struct arrival *a, struct page_run run, uint64_t flags)
{
	if (a->waiting == WAITING) {
		a->is_filled = fill_key != 0; /* or will be */
		tell_others(a);
	}
	a->others[a->waiting].run = run;
	a->others[a->waiting++].flags = flags;
}

/* Zeros that came with a huge page are there for the next look too. */
static void note_kept(void *to, struct page_run run)
{
	struct arrival *a = to;
	if (!run.zeros) note_other(a, run, a->kept_flags);
}

static void fill_run(struct arrival *a, struct page_run run)
{
	uintptr_t from = run.start < a->block.start ? a->block.start : run.start;
	uintptr_t end = run.end < a->block.end ? run.end : a->block.end;
	fill(fill_key, from, end);
	a->is_filled = 1;
}

/* Pages that a forked process shares stay so. */
static void fill_own(struct arrival *a, struct page_run run)
{
	struct page_run parts[64];
	uintptr_t done = run.start;
	for (uintptr_t at = run.start; at < run.end;) {
		int n = own_parts(a->fd, a->block.page, run, &at, parts, 64);
		if (n < 0) break;
		for (int i = 0; i < n; i++) {
			if (parts[i].start > done) note_other(a, (struct page_run){ done, parts[i].start, 0, 0 }, 0);
			fill_run(a, parts[i]);
			done = parts[i].end;
		}
	}
	if (done < run.end) note_other(a, (struct page_run){ done, run.end, 0, 0 }, 0);
}

/* To fill parts of a huge page that is there anyway brings no page. */
static void arrive_huge(struct arrival *a, struct page_run run)
{
	a->has_huge = 1;
	if (run.start < a->kept_end) {
		struct page_run kept = run;
		if (kept.end > a->kept_end) kept.end = a->kept_end;
		if (tell_parts(&a->block, kept, (const char *)kept.start)) a->is_filled = 1;
		run.start = kept.end;
	}
	if (run.start == run.end) return;
	a->plain_bytes += run.end - run.start;
	fill_run(a, run);
	run.huge = 0;
	note_other(a, run, PAGES_FILLED);
}

static void arrive(void *to, struct page_run run)
{
	struct arrival *a = to;
	if (fill_key && run.huge && run.is_plain && !has_shared_pages) {
		arrive_huge(a, run);
		return;
	}
	if (!fill_key || run.huge || !run.is_plain) {
		note_other(a, run, run.end <= a->kept_end ? a->kept_flags : 0);
		return;
	}
	a->plain_bytes += run.end - run.start;
	if (run.start < a->kept_end) {
		struct page_run kept = run;
		if (kept.end > a->kept_end) kept.end = a->kept_end;
		/* A block that stays where it is keeps the pattern too. */
		if (tell_written(&a->block, kept, (const char *)kept.start)) a->is_filled = 1;
		run.start = kept.end;
	}
	if (run.start == run.end) return;
	if (has_shared_pages) fill_own(a, run);
	else fill_run(a, run);
}

static unsigned char marks_of(const struct arrival *a, uintptr_t first, uintptr_t end)
{
	int is_small = !ring->is_lone && !a->has_huge && first / TABLE_BYTES == (end - 1) / TABLE_BYTES;
	return FILLED | (a->plain_bytes == end - first ? ALL_THERE : 0) | (is_small ? SMALL_PAGES : 0);
}

static void allocated(const void *p, size_t size, size_t kept, enum mark marks)
{
	if (size > WATCH_BYTES_MAX || !is_affordable(size)) return;
	struct stopwatch look = begin_look(size);
	int fd = open_pagemap();
	if (fd < 0) return;
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), start = (uintptr_t)p;
	uintptr_t first = start & ~(page - 1), end = (start + size + page - 1) & ~(page - 1);
	struct arrival a;
	a.block = (struct looked_at){ fill_key, start, start + size, page, note_kept, &a };
	a.kept_end = kept == 0 ? first : kept >= size ? end : (start + kept + page - 1) & ~(page - 1);
	a.kept_flags = kept == KEPT_UNKNOWN ? 0 : PAGES_KNOWN;
	a.fd = fd;
	a.is_filled = a.is_told = a.waiting = a.has_huge = 0;
	a.plain_bytes = 0;
	int place = watch(p, size, marks);
	if (place >= 0) {
		for_each_run(fd, page, first, end, ring->is_lone != 0, arrive, &a);
		tell_others(&a);
		if (a.is_filled) atomic_fetch_or(&about[big_hash(p)][place].marks, marks_of(&a, first, end));
	}
	close_pagemap(fd);
	end_look(look);
}

void big_allocated(const void *p, size_t size, size_t kept) { allocated(p, size, kept, 0); }
void big_allocated_by_zend(const void *p, size_t size, size_t kept) { allocated(p, size, kept, OF_ZEND); }

/* ---- when it is freed */

struct departure {
	struct looked_at block; /* as it is told */
	int is_filled, is_readable;
};

static void log_written(void *to, struct page_run run)
{
	const struct departure *d = to;
	log_run(OP_WRITTEN, (const void *)d->block.start, d->block.page, run, 0);
}

static void depart(void *to, struct page_run run)
{
	const struct departure *d = to;
	if (run.huge && run.is_plain && d->is_readable) tell_parts(&d->block, run, (const char *)run.start);
	else if (d->is_filled && !run.huge) tell_written(&d->block, run, (const char *)run.start);
	else log_written(to, run);
}

static int is_zero(const uint64_t *page)
{
	for (int i = 0; i < 512; i++)
		if (page[i]) return 0;
	return 1;
}

/* The same as for_each_run() by mincore(2), which is sooner, and knows of no swap. It takes the page of zeros for one that is there; 0: only for_each_run() can tell. */
static int depart_in_core(struct departure *d, uintptr_t first, uintptr_t end)
{
	unsigned char core[TABLE_BYTES / 4096];
	size_t pages = (end - first) / d->block.page;
	if (mincore((void *)first, end - first, core) != 0) return 0;
	for (size_t i = 0; i < pages; i++)
		if (core[i] & 1 && is_zero((const uint64_t *)(first + i * d->block.page))) return 0;
	log_extended(OP_WRITTEN, (const void *)d->block.start, 0, 0);
	for (size_t i = 0, next; i < pages; i = next) {
		for (next = i; next < pages && (core[next] ^ core[i]) % 2 == 0; next++) {}
		if (core[i] & 1) depart(d, (struct page_run){ first + i * d->block.page, first + next * d->block.page, 0, 1 });
	}
	return 1;
}

static void log_departure(const void *p, size_t size, enum mark marks)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), start = (uintptr_t)p;
	uintptr_t first = start & ~(page - 1), end = (start + size + page - 1) & ~(page - 1);
	struct departure d = { { fill_key, start, start + size, page, log_written, &d }, (marks & FILLED) != 0, !(marks & UNREADABLE) };
	if (marks & ALL_THERE) {
		log_extended(OP_WRITTEN, p, 0, 0);
		depart(&d, (struct page_run){ first, end, 0, 1 });
		return;
	}
	if (marks & SMALL_PAGES && depart_in_core(&d, first, end)) return;
	int fd = open_pagemap();
	if (fd < 0) return;
	log_extended(OP_WRITTEN, p, 0, 0);
	for_each_run(fd, page, first, end, ring->is_lone != 0 && !(marks & INHERITED), depart, &d);
	close_pagemap(fd);
}

size_t big_freed(const void *p)
{
	unsigned row = big_hash(p);
	int i = place_of(p), saved = errno;
	if (i < 0) return 0;
	size_t size = about[row][i].size;
	enum mark marks = about[row][i].marks;
	if ((uint32_t)ticks() - about[row][i].born > YOUNG_TICKS) marks &= ~SMALL_PAGES;
	unwatch(row, i);
	struct stopwatch look = begin_look(size);
	log_departure(p, size, marks);
	end_look(look);
	errno = saved;
	return size;
}

/* ---- all of them */

static void for_each_watched(void (*visit)(unsigned row, int i, uintptr_t start, void *with), void *with)
{
	for (unsigned row = 0; watched_count > 0 && row < ROWS; row++) {
		if (!big_filter[row]) continue;
		for (int i = 0; i < 8; i++) {
			uintptr_t p = atomic_load_explicit(&watched[row][i], memory_order_relaxed);
			if (p) visit(row, i, p, with);
		}
	}
}

static void inherit(unsigned row, int i, uintptr_t start, void *with)
{
	(void)with;
	/* What has the pattern may be missing here (MADV_DONTFORK). */
	enum mark marks = (about[row][i].marks | INHERITED) & ~(ALL_THERE | SMALL_PAGES);
	about[row][i].marks = (unsigned char)marks;
	log_extended(OP_WATCHED, (const void *)start, about[row][i].size, (marks & FILLED) != 0);
}

void log_inherited_blocks(void) { for_each_watched(inherit, NULL); }

int has_big_blocks(void) { return watched_count > 0; }

static void leave_with_request(unsigned row, int i, uintptr_t start, void *with)
{
	(void)with;
	if (about[row][i].marks & OF_ZEND) big_freed((const void *)start);
}

void big_freed_by_request(void) { for_each_watched(leave_with_request, NULL); }

static void leave_unread(unsigned row, int i, uintptr_t start, void *with)
{
	const uintptr_t *range = with;
	if (start < range[1] && start + about[row][i].size > range[0]) {
		atomic_fetch_and(&about[row][i].marks, (unsigned char)~(FILLED | ALL_THERE | SMALL_PAGES));
		atomic_fetch_or(&about[row][i].marks, UNREADABLE);
	}
}

void big_unreadable(uintptr_t start, uintptr_t end)
{
	uintptr_t range[2] = { start, end };
	for_each_watched(leave_unread, range);
}
