/* What a process has mapped for itself, without a file: stretches of addresses in their order, neighbours as one. */
#include "keeper.h"
#include <stdlib.h>
#include <string.h>

#define PAGE 4096

static uint64_t page_end(uint64_t address) { return (address + PAGE - 1) & ~(uint64_t)(PAGE - 1); }

/* The first that ends behind the address. */
static size_t find(const struct stretches *s, uint64_t address)
{
	size_t low = 0, high = s->count;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (s->of[middle].end > address) high = middle;
		else low = middle + 1;
	}
	return low;
}

/* Puts `n` in the place of those from `from` up to `to`. */
static void replace(struct stretches *s, size_t from, size_t to, const struct stretch *with, size_t n)
{
	size_t count = s->count - (to - from) + n;
	if (count > s->room) s->of = resized(s->of, (s->room = 2 * count + 64) * sizeof *s->of);
	memmove(s->of + from + n, s->of + to, (s->count - to) * sizeof *s->of);
	memcpy(s->of + from, with, n * sizeof *with);
	s->count = count;
}

static void add_stretch(struct stretches *s, uint64_t start, uint64_t length)
{
	struct stretch added = { start, page_end(start + length) };
	if (added.end <= start) return;
	size_t from = find(s, start ? start - 1 : 0), to = from;
	for (; to < s->count && s->of[to].start <= added.end; to++) {
		if (s->of[to].start < added.start) added.start = s->of[to].start;
		if (s->of[to].end > added.end) added.end = s->of[to].end;
	}
	replace(s, from, to, &added, 1);
}

static void remove_stretch(struct stretches *s, uint64_t start, uint64_t length)
{
	uint64_t end = page_end(start + length);
	struct stretch left[2];
	size_t from = find(s, start), to = from, n = 0;
	if (end <= start) return;
	for (; to < s->count && s->of[to].start < end; to++) {
		struct stretch was = s->of[to];
		if (was.start < start) left[n++] = (struct stretch){ was.start, start };
		if (was.end > end) left[n++] = (struct stretch){ end, was.end };
	}
	if (to > from) replace(s, from, to, left, n);
}

static void copy_stretches(struct stretches *to, const struct stretches *from)
{
	replace(to, 0, to->count, from->of, from->count);
}

static void apply(struct stretches *s, const struct mapping_change *change)
{
	if (change->is_unmapped) remove_stretch(s, change->start, change->length);
	else add_stretch(s, change->start, change->length);
}

/* A child that makes its ring after more of them than these gets what is then the oldest that is known. */
#define CHANGES_MAX 65536

void change_mapped(struct mapped *m, struct mapping_change change)
{
	if (m->count == CHANGES_MAX) {
		size_t kept = CHANGES_MAX / 2, gone = CHANGES_MAX - kept;
		for (size_t i = 0; i < gone; i++) apply(&m->before, &m->changes[i]);
		memmove(m->changes, m->changes + gone, kept * sizeof *m->changes);
		m->count = kept;
	}
	if (m->count == m->room) m->changes = resized(m->changes, (m->room = 2 * m->room + 64) * sizeof *m->changes);
	m->changes[m->count++] = change;
	apply(&m->now, &change);
}

void inherit_mapped(struct mapped *m, const struct mapped *parent, uint64_t slot)
{
	copy_stretches(&m->before, &parent->before);
	for (size_t i = 0; i < parent->count && parent->changes[i].slot < slot; i++) apply(&m->before, &parent->changes[i]);
	copy_stretches(&m->now, &m->before);
}

size_t stretches_in(const struct stretches *s, uint64_t start, uint64_t end, const struct stretch **first)
{
	size_t from = find(s, start), to = from;
	while (to < s->count && s->of[to].start < end) to++;
	*first = s->of + from;
	return to - from;
}
