/*
 * The pattern that is put on pages of a block which are there when it is allocated: a page that has it whole at a later look was
 * not written. It depends on the address, so that what is copied from elsewhere does not have it, and on the process.
 */
#ifndef ALLOCSIM_FILL_H
#define ALLOCSIM_FILL_H
#include <emmintrin.h>
#include <stdint.h>
#include <string.h>
#include "scan.h"

/* Odd, without a pattern in its bits: 2^64 by the golden ratio. */
#define FILL_STEP 0x9e3779b97f4a7c15ull
/* What is shorter might look like it by chance. */
#define FILL_BYTES_MIN 8

static inline uint64_t fill_word(uint64_t key, uintptr_t at) { return key + at * FILL_STEP; }

static inline __m128i fill_pair(uint64_t key, uintptr_t at)
{
	return _mm_set_epi64x((long long)fill_word(key, at + 8), (long long)fill_word(key, at));
}

/* `from` is that of a block, or of a page: a multiple of eight. */
static inline void fill(uint64_t key, uintptr_t from, uintptr_t end)
{
	__m128i pair = fill_pair(key, from), step = _mm_set1_epi64x((long long)(16 * FILL_STEP));
	for (; from + 16 <= end; from += 16, pair = _mm_add_epi64(pair, step)) _mm_storeu_si128((__m128i *)from, pair);
	uint64_t words[2] = { fill_word(key, from), fill_word(key, from + 8) };
	memcpy((void *)from, words, end - from);
}

/* Whether the bytes `seen` of the addresses from `at` on have it. */
static inline int has_fill(uint64_t key, uintptr_t at, const char *seen, size_t length)
{
	if (length < FILL_BYTES_MIN) return 0;
	__m128i pair = fill_pair(key, at), step = _mm_set1_epi64x((long long)(16 * FILL_STEP));
	size_t done = 0;
	for (; done + 64 <= length; done += 64) {
		__m128i same = _mm_set1_epi8(-1);
		for (size_t i = 0; i < 64; i += 16, pair = _mm_add_epi64(pair, step))
			same = _mm_and_si128(same, _mm_cmpeq_epi8(pair, _mm_loadu_si128((const __m128i *)(seen + done + i))));
		if (_mm_movemask_epi8(same) != 0xffff) return 0;
	}
	for (; done + 16 <= length; done += 16, pair = _mm_add_epi64(pair, step))
		if (_mm_movemask_epi8(_mm_cmpeq_epi8(pair, _mm_loadu_si128((const __m128i *)(seen + done)))) != 0xffff) return 0;
	uint64_t words[2] = { fill_word(key, at + done), fill_word(key, at + done + 8) };
	return memcmp(seen + done, words, length - done) == 0;
}

/* A block that is looked at, and where what is found is told. */
struct looked_at {
	uint64_t key;
	uintptr_t start, end, page; /* of the block; of a page, the size */
	void (*tell)(void *to, struct page_run run);
	void *to;
};

/* The parts of a run whose pages do not have the pattern whole, as far as they are the block's; `seen`: what stands from run.start on. Returns how many have it. */
static inline size_t tell_written(const struct looked_at *b, struct page_run run, const char *seen)
{
	struct page_run written = { run.start, run.start, 0, run.is_plain };
	size_t unwritten = 0;
	for (uintptr_t at = run.start; at < run.end; at += b->page) {
		uintptr_t from = at < b->start ? b->start : at, end = at + b->page < b->end ? at + b->page : b->end;
		if (!has_fill(b->key, from, seen + (from - run.start), end - from)) {
			written.end = at + b->page;
			continue;
		}
		if (written.end > written.start) b->tell(b->to, written);
		written.start = written.end = at + b->page;
		unwritten++;
	}
	if (written.end > written.start) b->tell(b->to, written);
	return unwritten;
}

static inline int has_zeros(const char *seen, size_t length)
{
	uint64_t word;
	size_t done = 0;
	for (; done + 8 <= length; done += 8) {
		memcpy(&word, seen + done, 8);
		if (word) return 0;
	}
	for (; done < length; done++)
		if (seen[done]) return 0;
	return 1;
}

/* Nobody has written to a part of a huge page that has the pattern, or zeros, which may have come with the page. */
enum content { CONTENT_PATTERN, CONTENT_ZEROS, CONTENT_OTHER };

static inline enum content content_of_page(const struct looked_at *b, uintptr_t from, const char *seen, size_t length)
{
	if (b->key && has_fill(b->key, from, seen, length)) return CONTENT_PATTERN;
	return has_zeros(seen, length) ? CONTENT_ZEROS : CONTENT_OTHER;
}

/* Of huge pages: the parts with zeros, and those that were written. Returns how many pages of the usual size have the pattern. */
static inline size_t tell_parts(const struct looked_at *b, struct page_run run, const char *seen)
{
	struct page_run part = { run.start, run.start, 0, run.is_plain, 0 };
	size_t unwritten = 0;
	for (uintptr_t at = run.start; at < run.end; at += b->page) {
		uintptr_t from = at < b->start ? b->start : at, end = at + b->page < b->end ? at + b->page : b->end;
		enum content content = content_of_page(b, from, seen + (from - run.start), end - from);
		if (part.end > part.start && (content == CONTENT_PATTERN || part.zeros != (content == CONTENT_ZEROS))) {
			b->tell(b->to, part);
			part.start = part.end;
		}
		if (content == CONTENT_PATTERN) unwritten++;
		if (part.end == part.start) part.start = at;
		part.zeros = content == CONTENT_ZEROS;
		part.end = content == CONTENT_PATTERN ? part.start : at + b->page;
	}
	if (part.end > part.start) b->tell(b->to, part);
	return unwritten;
}

#endif
