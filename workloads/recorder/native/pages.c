/*
 * Which pages of big blocks were ever written, as the kernel has it: a page of a block that was not there when the block
 * was allocated, and is there when it is freed, was written (or read, which maps the page of zeros: that one is told apart
 * where the kernel can). Pages that were there before say nothing, but for those that a forked process shares with the one
 * that it comes from: it has written to them where they are its own by then. What this costs is bounded by a share of the run time.
 */
#include "recorder.h"
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "scan.h"

/* Addresses of the blocks that are being watched, in rows of eight: a hash, without order. */
#define ROWS 4096
static _Atomic uintptr_t watched[ROWS][8];
unsigned char big_filter[ROWS];
static _Atomic long watched_count;
uint64_t spent_ticks;

/* Without PAGEMAP_SCAN a look reads 8 bytes for every page of the block. */
#define WATCH_BYTES_MAX (1ul << 40)

static int watch(const void *p)
{
	unsigned row = big_hash(p);
	for (int i = 0; i < 8; i++) {
		uintptr_t none = 0;
		if (atomic_compare_exchange_strong(&watched[row][i], &none, (uintptr_t)p)) {
			__atomic_fetch_add(&big_filter[row], 1, __ATOMIC_RELAXED);
			watched_count++;
			return 1;
		}
	}
	return 0;
}

static size_t size_of[ROWS][8];
static unsigned char is_zend[ROWS]; /* a bit each: PHP's heap has it */
static unsigned char is_inherited[ROWS]; /* … it was there before the fork */

/* `was`: the block goes, and this is its size. Otherwise it gets one. */
static int find(const void *p, size_t size, size_t *was, int *inherited)
{
	unsigned row = big_hash(p);
	for (int i = 0; i < 8; i++) {
		if (atomic_load_explicit(&watched[row][i], memory_order_relaxed) != (uintptr_t)p) continue;
		if (was) {
			*was = size_of[row][i];
			*inherited = is_inherited[row] >> i & 1;
			atomic_store(&watched[row][i], 0);
			__atomic_fetch_sub(&big_filter[row], 1, __ATOMIC_RELAXED);
			watched_count--;
		} else {
			size_of[row][i] = size;
			is_zend[row] &= (unsigned char)~(1u << i);
			is_inherited[row] &= (unsigned char)~(1u << i);
		}
		return 1;
	}
	return 0;
}

/* At most a quarter of the time, and a start of some milliseconds. */
static int is_affordable(uint64_t now)
{
	uint64_t elapsed = now - ring->start_ticks;
	return spent_ticks < elapsed / 4 + (1u << 20);
}

struct page_log {
	enum op op;
	const void *block;
	uintptr_t first, page;
};

static void log_run(void *to, struct page_run run)
{
	const struct page_log *log = to;
	uint64_t pages = (run.end - run.start) / log->page;
	log_extended(log->op, log->block, (run.start - log->first) / log->page, pages | (run.huge ? PAGES_HUGE : 0));
}

/* `is_own`: pages that another process has too are as if they were not there. */
static void log_pages(enum op op, const void *p, size_t size, int is_own)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t first = (uintptr_t)p & ~(page - 1), end = ((uintptr_t)p + size + page - 1) & ~(page - 1);
	struct page_log log = { op, p, first, page };
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	if (fd < 0) return;
	for_each_run(fd, page, first, end, is_own, log_run, &log);
	close(fd);
}

void log_inherited_blocks(void)
{
	for (unsigned row = 0; watched_count > 0 && row < ROWS; row++) {
		if (!big_filter[row]) continue;
		for (int i = 0; i < 8; i++) {
			uintptr_t p = atomic_load_explicit(&watched[row][i], memory_order_relaxed);
			if (!p) continue;
			is_inherited[row] |= (unsigned char)(1u << i);
			log_extended(OP_WATCHED, (const void *)p, size_of[row][i], 0);
		}
	}
}

int has_big_blocks(void) { return watched_count > 0; }

void big_allocated(const void *p, size_t size)
{
	uint64_t begun = ticks();
	if (size > WATCH_BYTES_MAX || !is_affordable(begun) || !watch(p)) return;
	find(p, size, NULL, NULL);
	log_extended(OP_RESIDENT, p, 0, 0); /* it is being watched, whatever is there */
	log_pages(OP_RESIDENT, p, size, ring->is_lone != 0);
	spent_ticks += ticks() - begun;
}

void big_freed(const void *p)
{
	size_t size;
	int saved = errno, inherited;
	if (!find(p, 0, &size, &inherited)) return;
	uint64_t begun = ticks();
	log_extended(OP_WRITTEN, p, 0, 0);
	log_pages(OP_WRITTEN, p, size, ring->is_lone != 0 && !inherited);
	spent_ticks += ticks() - begun;
	errno = saved;
}

void big_allocated_by_zend(const void *p, size_t size)
{
	unsigned row = big_hash(p);
	big_allocated(p, size);
	for (int i = 0; i < 8; i++)
		if (atomic_load_explicit(&watched[row][i], memory_order_relaxed) == (uintptr_t)p) is_zend[row] |= (unsigned char)(1u << i);
}

void big_freed_by_request(void)
{
	if (!has_big_blocks()) return;
	for (unsigned row = 0; row < ROWS; row++) {
		for (int i = 0; is_zend[row] && i < 8; i++) {
			if (!(is_zend[row] >> i & 1)) continue;
			is_zend[row] &= (unsigned char)~(1u << i);
			uintptr_t p = atomic_load_explicit(&watched[row][i], memory_order_relaxed);
			if (p) big_freed((const void *)p);
		}
	}
}
