/* The pages of the watched blocks that are written, as far as they are now. */
#include "keeper.h"
#include "fill.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#define PAGES_AT_ONCE 64
/* So much of huge pages is read at one look: some tenths of a second. */
#define HUGE_BYTES_MAX (1ul << 30)

struct look {
	struct image *m;
	struct looked_at block;
	int is_filled;
	size_t *huge_bytes; /* that may still be read */
};

static void add_seen(struct image *m, struct seen_run run)
{
	if (m->seen_count == m->seen_room) {
		m->seen_room = 2 * m->seen_room + 64;
		m->seen = resized(m->seen, m->seen_room * sizeof *m->seen);
	}
	m->seen[m->seen_count++] = run;
}

static void add_run(void *to, struct page_run run)
{
	const struct look *l = to;
	uintptr_t page = l->block.page, first = l->block.start & ~(page - 1);
	uint64_t pages = (run.end - run.start) / page | (run.huge ? PAGES_HUGE : 0) | (run.zeros ? PAGES_ZEROS : 0);
	add_seen(l->m, (struct seen_run){ l->block.start, (run.start - first) / page, pages });
}

/* What cannot be read counts as written. */
static void add_written(void *to, struct page_run run)
{
	static char bytes[PAGES_AT_ONCE * 4096];
	const struct look *l = to;
	size_t all = run.end - run.start;
	int has_parts = run.huge && run.is_plain && *l->huge_bytes >= all;
	if (has_parts) *l->huge_bytes -= all;
	else if (!l->is_filled || run.huge || !run.is_plain) {
		add_run(to, run);
		return;
	}
	for (uintptr_t at = run.start; at < run.end;) {
		struct page_run part = { at, run.end - at < sizeof bytes ? run.end : at + sizeof bytes, 0, 1 };
		size_t length = part.end - part.start;
		struct iovec own = { bytes, length }, there = { (void *)at, length };
		if (process_vm_readv(l->m->pid, &own, 1, &there, 1, 0) != (ssize_t)length) {
			part.huge = run.huge;
			add_run(to, part);
		} else if (has_parts) {
			tell_parts(&l->block, part, bytes);
		} else {
			tell_written(&l->block, part, bytes);
		}
		at = part.end;
	}
}

void see_blocks(struct image *m)
{
	m->seen_count = 0;
	if (!m->watched_count) return;
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/pagemap", m->pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) return;
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	size_t huge_bytes = HUGE_BYTES_MAX;
	for (size_t i = 0; i < m->watched_room; i++) {
		const struct block *b = &m->watched[i];
		if (!b->address) continue;
		add_seen(m, (struct seen_run){ b->address, 0, 0 });
		struct look l = { m, { m->ring->fill_key, b->address, b->address + b->size, page, add_run, &l }, b->is_filled, &huge_bytes };
		for_each_run(fd, page, b->address & ~(page - 1), (b->address + b->size + page - 1) & ~(page - 1),
		             m->ring->is_lone != 0 && !b->is_inherited, add_written, &l);
	}
	close(fd);
}

void put_seen(struct image *m)
{
	for (size_t i = 0; i < m->seen_count; i++) put_pages(m, m->seen[i].address, m->seen[i].first, m->seen[i].pages);
	m->seen_count = 0;
}
