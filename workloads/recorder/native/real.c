/*
 * The functions that the program would have had without the recorder: the next ones in link order, of whatever library.
 * Finding them may itself allocate; a small arena serves that, and what is allocated there is never given back.
 */
#include "recorder.h"
#include <dlfcn.h>
#include <string.h>
#include <unistd.h>

struct real real;
_Alignas(64) char bootstrap_arena[BOOTSTRAP_BYTES];
static _Atomic size_t bootstrap_used;
static _Atomic int resolving;

/* Before each block lies its size. */
void *bootstrap_allocate(size_t alignment, size_t size)
{
	if (alignment < 16) alignment = 16;
	if (size > BOOTSTRAP_BYTES || alignment > 4096) return NULL;
	size_t bytes = size + alignment + 16;
	size_t at = atomic_fetch_add(&bootstrap_used, bytes);
	if (at + bytes > BOOTSTRAP_BYTES) return NULL;
	uintptr_t p = ((uintptr_t)bootstrap_arena + at + 16 + alignment - 1) & ~(uintptr_t)(alignment - 1);
	((size_t *)p)[-1] = size;
	return (void *)p;
}

size_t bootstrap_size(const void *p) { return ((const size_t *)p)[-1]; }

void *next_function(const char *name) { return dlsym(RTLD_NEXT, name); }

void resolve(void)
{
	if (atomic_exchange(&resolving, 1)) return;
	struct real found = {
		.free = next_function("free"),
		.calloc = next_function("calloc"),
		.realloc = next_function("realloc"),
		.memalign = next_function("memalign"),
		.aligned_alloc = next_function("aligned_alloc"),
		.posix_memalign = next_function("posix_memalign"),
		.valloc = next_function("valloc"),
		.pvalloc = next_function("pvalloc"),
		.malloc_usable_size = next_function("malloc_usable_size"),
		.malloc_trim = next_function("malloc_trim"),
		.mallopt = next_function("mallopt"),
		.dlopen = next_function("dlopen"),
		.chroot = next_function("chroot"),
		.exit = next_function("exit"),
		._exit = next_function("_exit"),
		.quick_exit = next_function("quick_exit"),
		.execve = next_function("execve"),
		.execvpe = next_function("execvpe"),
		.fexecve = next_function("fexecve"),
		.posix_spawn = next_function("posix_spawn"),
		.posix_spawnp = next_function("posix_spawnp"),
	};
	void *(*found_malloc)(size_t) = next_function("malloc");
	dlerror();
	real = found;
	__atomic_store_n(&real.malloc, found_malloc, __ATOMIC_RELEASE);
}
