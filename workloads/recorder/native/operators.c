/*
 * All forms of C++'s operator new and delete, under their names in the Itanium ABI. A runtime's own forms call malloc and
 * free, where they are logged; those of an allocator's library do the work themselves, and are logged here. A form that
 * throws never comes back: the failure is logged where its exception is made.
 */
#include "inner.h"
#include <dlfcn.h>
#include <stdlib.h>

struct attempt {
	size_t alignment, size;
	struct attempt *outer;
	int has_failed; /* and that has been logged */
};

/* The innermost form that this thread is in: one may call another. */
static THREAD_LOCAL struct attempt *under_way;

static void *finish(struct attempt *a, void *result)
{
	under_way = a->outer;
	const void *got = result ? result : FAILED_ALLOCATION;
	if (inner_allocated == got || (!result && a->has_failed) || !recording()) return result;
	int saved = errno;
	if (a->alignment) log_aligned(result, a->alignment, a->size, 0);
	else log_allocated(OP_MALLOC, result, a->size, 0);
	inner_allocated = got;
	errno = saved;
	return result;
}

/* The runtime may have been loaded by dlopen, into a scope of its own. */
static void *find_operator(const char *name)
{
	static const char *const runtimes[] = { "libstdc++.so.6", "libc++.so.1" };
	void *f = next_function(name);
	for (int i = 0; !f && i < 2; i++) {
		void *runtime = real.dlopen(runtimes[i], RTLD_LAZY | RTLD_NOLOAD);
		if (runtime) {
			f = dlsym(runtime, name);
			dlclose(runtime);
		}
	}
	if (!f) dlerror();
	return f;
}

#define FIND(name, type) \
	static type found; \
	type f = __atomic_load_n(&found, __ATOMIC_RELAXED); \
	if (UNLIKELY(!f)) __atomic_store_n(&found, f = (type)find_operator(#name), __ATOMIC_RELAXED)

#define NEW(name, align, declared, types, passed, instead) \
	EXPORT void *name declared \
	{ \
		typedef void *(*type) types; \
		FIND(name, type); \
		if (UNLIKELY(!f)) return instead; \
		struct attempt a = { align, size, under_way, 0 }; \
		inner_allocated = NULL; \
		under_way = &a; \
		return finish(&a, f passed); \
	}

EXPORT void *__cxa_allocate_exception(size_t size)
{
	typedef void *type(size_t);
	static type *found;
	if (under_way) {
		for (struct attempt *a = under_way->outer; a; a = a->outer) a->has_failed = 1;
		finish(under_way, NULL);
		under_way = NULL; /* its frame will be gone */
	}
	if (!found) found = (type *)find_operator("__cxa_allocate_exception");
	if (!found) abort();
	return found(size);
}

static void *plain(size_t size)
{
	void *p = malloc(size ? size : 1);
	if (!p) abort(); /* without a runtime nobody could throw */
	return p;
}

static void *aligned(size_t size, size_t alignment)
{
	void *p = aligned_alloc(alignment, size);
	if (!p) abort();
	return p;
}

NEW(_Znwm, 0, (size_t size), (size_t), (size), plain(size))
NEW(_Znam, 0, (size_t size), (size_t), (size), plain(size))
NEW(_ZnwmRKSt9nothrow_t, 0, (size_t size, const void *t), (size_t, const void *), (size, t), malloc(size))
NEW(_ZnamRKSt9nothrow_t, 0, (size_t size, const void *t), (size_t, const void *), (size, t), malloc(size))
NEW(_ZnwmSt11align_val_t, al, (size_t size, size_t al), (size_t, size_t), (size, al), aligned(size, al))
NEW(_ZnamSt11align_val_t, al, (size_t size, size_t al), (size_t, size_t), (size, al), aligned(size, al))
NEW(_ZnwmSt11align_val_tRKSt9nothrow_t, al, (size_t size, size_t al, const void *t), (size_t, size_t, const void *),
    (size, al, t), aligned_alloc(al, size))
NEW(_ZnamSt11align_val_tRKSt9nothrow_t, al, (size_t size, size_t al, const void *t), (size_t, size_t, const void *),
    (size, al, t), aligned_alloc(al, size))

#define DELETE(name, declared, types, passed) \
	EXPORT void name declared \
	{ \
		typedef void (*type) types; \
		if (!p) return; \
		FIND(name, type); \
		if (UNLIKELY(!f)) { \
			free(p); \
			return; \
		} \
		if (p == freeing || !recording()) { \
			f passed; \
			return; \
		} \
		int is_large = note_free(p); \
		freeing = p; \
		f passed; \
		freeing = NULL; \
		if (UNLIKELY(is_large)) note_large_freed(); \
	}

DELETE(_ZdlPv, (void *p), (void *), (p))
DELETE(_ZdaPv, (void *p), (void *), (p))
DELETE(_ZdlPvm, (void *p, size_t size), (void *, size_t), (p, size))
DELETE(_ZdaPvm, (void *p, size_t size), (void *, size_t), (p, size))
DELETE(_ZdlPvRKSt9nothrow_t, (void *p, const void *t), (void *, const void *), (p, t))
DELETE(_ZdaPvRKSt9nothrow_t, (void *p, const void *t), (void *, const void *), (p, t))
DELETE(_ZdlPvSt11align_val_t, (void *p, size_t al), (void *, size_t), (p, al))
DELETE(_ZdaPvSt11align_val_t, (void *p, size_t al), (void *, size_t), (p, al))
DELETE(_ZdlPvmSt11align_val_t, (void *p, size_t size, size_t al), (void *, size_t, size_t), (p, size, al))
DELETE(_ZdaPvmSt11align_val_t, (void *p, size_t size, size_t al), (void *, size_t, size_t), (p, size, al))
DELETE(_ZdlPvSt11align_val_tRKSt9nothrow_t, (void *p, size_t al, const void *t), (void *, size_t, const void *), (p, al, t))
DELETE(_ZdaPvSt11align_val_tRKSt9nothrow_t, (void *p, size_t al, const void *t), (void *, size_t, const void *), (p, al, t))
