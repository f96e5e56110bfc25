/* Runs of pages that are there, anonymous or swapped out and not the page of zeros, from an open /proc/PID/pagemap. */
#ifndef ALLOCSIM_SCAN_H
#define ALLOCSIM_SCAN_H
#include <stdint.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct page_run {
	uintptr_t start, end;
	int huge;
	int is_plain; /* in memory, and neither a file's nor shared memory's; before Linux 6.7 no other process has it either */
	int zeros;    /* has nothing else */
};

enum { ENTRY_PRESENT = 63, ENTRY_FILE = 61, ENTRY_EXCLUSIVE = 56 };
static inline int entry_has(uint64_t entry, int bit) { return entry >> bit & 1; }

/* The kernel's PAGEMAP_SCAN (Linux 6.7; Documentation/admin-guide/mm/pagemap.rst). */
struct scan_region { uint64_t start, end, categories; };
struct scan_argument {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
	uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};
#define SCAN_REQUEST _IOWR('f', 16, struct scan_argument)
enum { SCAN_FILE = 4, SCAN_PRESENT = 8, SCAN_SWAPPED = 16, SCAN_ZERO = 32, SCAN_HUGE = 64 };

static inline int read_pagemap(int fd, uintptr_t page, uintptr_t *at, uintptr_t end, struct page_run *runs, int limit)
{
	uint64_t entries[512];
	int n = 0;
	while (*at < end && n < limit - 1) {
		size_t wanted = (end - *at) / page;
		ssize_t got = pread(fd, entries, 8 * (wanted < 512 ? wanted : 512), (off_t)(*at / page * 8));
		if (got < 8) return -1;
		for (ssize_t i = 0; i < got / 8; i++, *at += page) {
			if (!(entries[i] >> 62)) continue;
			int is_plain = entry_has(entries[i], ENTRY_PRESENT) && entry_has(entries[i], ENTRY_EXCLUSIVE) && !entry_has(entries[i], ENTRY_FILE);
			if (n > 0 && runs[n - 1].end == *at && runs[n - 1].is_plain == is_plain) runs[n - 1].end += page;
			else if (n == limit) return n;
			else runs[n++] = (struct page_run){ *at, *at + page, 0, is_plain };
		}
	}
	return n;
}

/* Moves *at to where it got; -1: it cannot be known. */
static inline int scan_pages(int fd, uintptr_t page, uintptr_t *at, uintptr_t end, struct page_run *runs, int limit)
{
	static int is_missing;
	struct scan_region found[256];
	struct scan_argument scan = {
		.size = sizeof scan, .start = *at, .end = end, .vec = (uintptr_t)found, .vec_len = limit < 256 ? limit : 256,
		.category_inverted = SCAN_ZERO, .category_mask = SCAN_ZERO,
		.category_anyof_mask = SCAN_PRESENT | SCAN_SWAPPED, .return_mask = SCAN_HUGE | SCAN_FILE | SCAN_SWAPPED,
	};
	if (is_missing) return read_pagemap(fd, page, at, end, runs, limit);
	int n = ioctl(fd, SCAN_REQUEST, &scan);
	if (n < 0) {
		is_missing = 1;
		return read_pagemap(fd, page, at, end, runs, limit);
	}
	for (int i = 0; i < n; i++)
		runs[i] = (struct page_run){ found[i].start, found[i].end, (found[i].categories & SCAN_HUGE) != 0,
		                             !(found[i].categories & (SCAN_FILE | SCAN_SWAPPED)) };
	*at = scan.walk_end > *at ? scan.walk_end : end;
	return n;
}

/* Of a run the parts that no other process has: after a fork a page is shared until one of both writes to it. */
static inline int own_parts(int fd, uintptr_t page, struct page_run run, uintptr_t *at, struct page_run *parts, int limit)
{
	uint64_t entries[512];
	int n = 0;
	while (*at < run.end && n < limit - 1) {
		size_t wanted = (run.end - *at) / page;
		ssize_t got = pread(fd, entries, 8 * (wanted < 512 ? wanted : 512), (off_t)(*at / page * 8));
		if (got < 8) return -1;
		for (ssize_t i = 0; i < got / 8; i++, *at += page) {
			if (entry_has(entries[i], ENTRY_PRESENT) && !entry_has(entries[i], ENTRY_EXCLUSIVE)) continue;
			if (n > 0 && parts[n - 1].end == *at) parts[n - 1].end += page;
			else if (n == limit) return n;
			else parts[n++] = (struct page_run){ *at, *at + page, 0, run.is_plain };
		}
	}
	return n;
}

/* For each run of pages that are there, and that are the process's own where `is_own`. A huge page is not divided. */
static inline void for_each_run(int fd, uintptr_t page, uintptr_t first, uintptr_t end, int is_own,
                                void (*tell)(void *to, struct page_run run), void *to)
{
	struct page_run runs[256], parts[256];
	for (uintptr_t at = first; at < end;) {
		int n = scan_pages(fd, page, &at, end, runs, 256);
		if (n < 0) return;
		for (int i = 0; i < n; i++) {
			if (!is_own || runs[i].huge) {
				tell(to, runs[i]);
				continue;
			}
			for (uintptr_t from = runs[i].start; from < runs[i].end;) {
				int own = own_parts(fd, page, runs[i], &from, parts, 256);
				if (own < 0) return;
				for (int k = 0; k < own; k++) tell(to, parts[k]);
			}
		}
	}
}

#endif
