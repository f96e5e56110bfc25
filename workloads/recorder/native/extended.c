/*
 * What jemalloc offers beside the family (its manual's "non-standard API"): mallocx and its kind, where the program has a
 * jemalloc. Defining them here would tell every program that it has one, so a jump is put before jemalloc's own (patch.c).
 */
#include "inner.h"
#include "patch.h"
#include "sites.h"

/* Of `flags`: MALLOCX_LG_ALIGN, MALLOCX_ZERO. */
#define ALIGNMENT_MASK 63
#define ZERO 64

static struct {
	void *(*mallocx)(size_t, int), *(*rallocx)(void *, size_t, int);
	size_t (*xallocx)(void *, size_t, size_t, int);
	void (*dallocx)(void *, int), (*sdallocx)(void *, size_t, int);
} original;

static void log_zeroed(const void *p, size_t size)
{
	if (UNLIKELY(with_sites)) note_site();
	if (size < 1u << 16) log_plain(OP_CALLOC, p, 1u << 16 | size);
	else log_extended(OP_CALLOC, p, 1, size);
	if (p && size >= BIG_BYTES) big_allocated(p, size, size);
}

static void *my_mallocx(size_t size, int flags)
{
	void *p = original.mallocx(size, flags);
	if (!recording()) return p;
	int saved = errno;
	inner_allocated = p ? p : FAILED_ALLOCATION;
	if (flags & ALIGNMENT_MASK) log_aligned(p, (size_t)1 << (flags & ALIGNMENT_MASK), size, flags & ZERO ? size : 0);
	else if (flags & ZERO) log_zeroed(p, size);
	else log_allocated(OP_MALLOC, p, size, 0);
	errno = saved;
	return p;
}

static void log_resized(const void *p, size_t size, size_t kept)
{
	int saved = errno;
	inner_allocated = p ? p : FAILED_ALLOCATION;
	log_allocated(OP_REALLOC_END, p, size, kept);
	errno = saved;
}

static void give_up(void *old)
{
	int saved = errno;
	if (may_be_big(old)) big_freed(old);
	log_plain(OP_REALLOC_BEGIN, old, 0);
	errno = saved;
}

static void *my_rallocx(void *old, size_t size, int flags)
{
	if (!recording()) return original.rallocx(old, size, flags);
	size_t kept = size < BIG_BYTES ? 0 : flags & ZERO ? size : content_of(old);
	give_up(old);
	void *p = original.rallocx(old, size, flags);
	log_resized(p, size, kept);
	return p;
}

/* The block stays where it is; it gets `size` bytes, and as many of `extra` more as there are. */
static size_t my_xallocx(void *p, size_t size, size_t extra, int flags)
{
	int is_seen = recording();
	size_t kept = is_seen ? content_of(p) : 0, has = original.xallocx(p, size, extra, flags);
	if (is_seen && has >= size) {
		give_up(p);
		log_resized(p, has - size > extra ? size + extra : has, flags & ZERO ? has : kept);
	}
	return has;
}

static void my_dallocx(void *p, int flags)
{
	if (recording() && p != freeing) note_free(p);
	original.dallocx(p, flags);
}

static void my_sdallocx(void *p, size_t size, int flags)
{
	if (recording() && p != freeing) note_free(p);
	original.sdallocx(p, size, flags);
}

/* Bound when this library is: to jemalloc's. */
#define WEAK __attribute__((weak))
extern void *mallocx(size_t, int) WEAK, *rallocx(void *, size_t, int) WEAK;
extern size_t xallocx(void *, size_t, size_t, int) WEAK;
extern void dallocx(void *, int) WEAK, sdallocx(void *, size_t, int) WEAK;

void watch_extended(void)
{
	struct patch patches[] = {
		{ (void *)mallocx, (void *)my_mallocx, (void **)&original.mallocx },
		{ (void *)rallocx, (void *)my_rallocx, (void **)&original.rallocx },
		{ (void *)xallocx, (void *)my_xallocx, (void **)&original.xallocx },
		{ (void *)dallocx, (void *)my_dallocx, (void **)&original.dallocx },
		{ (void *)sdallocx, (void *)my_sdallocx, (void **)&original.sdallocx },
	};
	size_t count = sizeof patches / sizeof *patches;
	for (size_t i = 0; i < count; i++)
		if (!patches[i].function) return;
	put_in_front(patches, count); /* where that cannot be, blocks whose free was not seen are told */
}
