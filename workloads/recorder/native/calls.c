/*
 * The malloc family. So that no address is owned twice in the order of the log, an allocation is logged after the real call
 * and a free before it; a realloc gives up the old block before the call and takes the new one after it.
 */
#include "inner.h"
#include "sites.h"
#include <string.h>
#include <unistd.h>

THREAD_LOCAL const void *inner_allocated;
THREAD_LOCAL const void *freeing;

/* Until the real functions are known, one call of each family comes here; NULL: they are being looked for. */
#define READY(f) (LIKELY(real.f != NULL) || (resolve(), real.f != NULL))

static inline void site_first(void)
{
	if (UNLIKELY(with_sites)) note_site();
}

void log_allocated(enum op op, const void *p, uint64_t size, size_t kept)
{
	site_first();
	log_sized(op, p, size);
	if (UNLIKELY(size >= BIG_BYTES) && p) big_allocated(p, size, kept);
}

void log_aligned(const void *p, size_t alignment, size_t size, size_t kept)
{
	int saved = errno;
	inner_allocated = p ? p : FAILED_ALLOCATION;
	site_first();
	if (alignment && !(alignment & (alignment - 1)) && alignment < 1ul << 32 && size < 1u << 18)
		log_plain(OP_MEMALIGN, p, (uint64_t)__builtin_ctzl(alignment) << 18 | size);
	else
		log_extended(OP_MEMALIGN, p, alignment, size);
	if (size >= BIG_BYTES && p) big_allocated(p, size, kept);
	errno = saved;
}

EXPORT void *malloc(size_t size)
{
	if (UNLIKELY(!READY(malloc))) return bootstrap_allocate(16, size);
	void *p = real.malloc(size);
	if (recording()) {
		inner_allocated = p ? p : FAILED_ALLOCATION;
		if (LIKELY(p && size < BIG_BYTES)) {
			site_first();
			log_plain(OP_MALLOC, p, size);
		} else {
			int saved = errno;
			log_allocated(OP_MALLOC, p, size, 0);
			errno = saved;
		}
	}
	return p;
}

EXPORT void *calloc(size_t count, size_t size)
{
	if (UNLIKELY(!READY(malloc))) return bootstrap_allocate(16, count * size); /* the arena is fresh: zero */
	void *p = real.calloc(count, size);
	if (recording()) {
		int saved = errno;
		inner_allocated = p ? p : FAILED_ALLOCATION;
		site_first();
		if (LIKELY(count < 1u << 8 && size < 1u << 16)) log_plain(OP_CALLOC, p, count << 16 | size);
		else log_extended(OP_CALLOC, p, count, size);
		if (p && count * size >= BIG_BYTES) big_allocated(p, count * size, count * size);
		errno = saved;
	}
	return p;
}

static _Atomic uint64_t large_freed;

void note_large_freed(void) { atomic_store_explicit(&large_freed, ticks(), memory_order_relaxed); }

uint64_t since_large_freed(void)
{
	uint64_t then = atomic_load_explicit(&large_freed, memory_order_relaxed), now = ticks();
	return then == 0 ? 0 : now > then ? now - then : 1;
}

int note_free(const void *p)
{
	int saved = errno, is_large = may_be_big(p) && big_freed(p) > 0;
	log_plain(OP_FREE, p, 0);
	errno = saved;
	return is_large;
}

static void free_big(void *p)
{
	big_freed(p);
	begin_giving_back();
	log_plain(OP_FREE, p, 0);
	real.free(p);
	note_large_freed();
	end_giving_back();
}

EXPORT void free(void *p)
{
	if (!p || UNLIKELY(is_bootstrap(p))) return;
	if (UNLIKELY(!READY(malloc))) return;
	if (recording() && LIKELY(p != freeing)) {
		if (may_be_big(p)) {
			free_big(p);
			return;
		}
		log_plain(OP_FREE, p, 0);
	}
	real.free(p);
}

EXPORT void cfree(void *p) { free(p); }
EXPORT void free_sized(void *p, size_t size) { (void)size; free(p); }
EXPORT void free_aligned_sized(void *p, size_t alignment, size_t size) { (void)alignment; (void)size; free(p); }

static void *leave_bootstrap(void *old, size_t size)
{
	size_t had = bootstrap_size(old);
	void *p = malloc(size);
	if (p) memcpy(p, old, had < size ? had : size);
	return p;
}

size_t content_of(void *p) { return real.malloc_usable_size ? real.malloc_usable_size(p) : KEPT_UNKNOWN; }

EXPORT void *realloc(void *old, size_t size)
{
	if (UNLIKELY(old && is_bootstrap(old))) return leave_bootstrap(old, size);
	if (UNLIKELY(!READY(malloc))) return bootstrap_allocate(16, size);
	if (!recording()) return real.realloc(old, size);
	if (!old) {
		void *p = real.realloc(NULL, size);
		int saved = errno;
		inner_allocated = p ? p : FAILED_ALLOCATION;
		log_allocated(OP_MALLOC, p, size, 0);
		errno = saved;
		return p;
	}
	int before = errno;
	size_t kept = size >= BIG_BYTES ? content_of(old) : 0;
	if (may_be_big(old)) big_freed(old);
	log_plain(OP_REALLOC_BEGIN, old, 0);
	errno = before;
	void *p = real.realloc(old, size);
	int saved = errno;
	inner_allocated = p ? p : FAILED_ALLOCATION;
	log_allocated(OP_REALLOC_END, p, size, kept);
	errno = saved;
	return p;
}

EXPORT void *reallocarray(void *old, size_t count, size_t size)
{
	size_t bytes;
	if (__builtin_mul_overflow(count, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc(old, bytes);
}

EXPORT void *memalign(size_t alignment, size_t size)
{
	if (UNLIKELY(!READY(malloc))) return bootstrap_allocate(alignment, size);
	void *p = real.memalign(alignment, size);
	if (recording() && (p || errno == ENOMEM)) log_aligned(p, alignment, size, 0);
	return p;
}

EXPORT void *aligned_alloc(size_t alignment, size_t size)
{
	if (UNLIKELY(!READY(malloc))) return bootstrap_allocate(alignment, size);
	void *p = real.aligned_alloc(alignment, size);
	if (recording() && (p || errno == ENOMEM)) log_aligned(p, alignment, size, 0);
	return p;
}

EXPORT int posix_memalign(void **out, size_t alignment, size_t size)
{
	if (UNLIKELY(!READY(malloc))) return (*out = bootstrap_allocate(alignment, size)) ? 0 : ENOMEM;
	int error = real.posix_memalign(out, alignment, size);
	if (recording() && (error == 0 || error == ENOMEM)) log_aligned(error ? NULL : *out, alignment, size, 0);
	return error;
}

EXPORT void *valloc(size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	if (UNLIKELY(!READY(valloc))) return memalign(page, size);
	void *p = real.valloc(size);
	if (recording()) log_aligned(p, page, size, 0);
	return p;
}

EXPORT void *pvalloc(size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t rounded = size > SIZE_MAX - page ? size : (size + page - 1) & ~(page - 1);
	if (UNLIKELY(!READY(pvalloc))) return memalign(page, rounded);
	void *p = real.pvalloc(size);
	if (recording()) log_aligned(p, page, rounded, 0);
	return p;
}

EXPORT size_t malloc_usable_size(void *p)
{
	if (!p) return 0;
	if (UNLIKELY(is_bootstrap(p))) return bootstrap_size(p);
	return READY(malloc_usable_size) ? real.malloc_usable_size(p) : 0;
}

EXPORT int malloc_trim(size_t pad)
{
	if (!READY(malloc_trim)) return 0;
	if (!recording()) return real.malloc_trim(pad);
	int saved = errno;
	begin_giving_back();
	log_sized(OP_TRIM, NULL, pad);
	errno = saved;
	int result = real.malloc_trim(pad);
	end_giving_back();
	return result;
}

EXPORT int mallopt(int parameter, int value)
{
	if (!READY(mallopt)) return 0;
	if (recording()) {
		int saved = errno;
		log_extended(OP_MALLOPT, NULL, (uint32_t)parameter, (uint32_t)value);
		errno = saved;
	}
	return real.mallopt(parameter, value);
}
