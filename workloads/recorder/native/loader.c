/*
 * A library that is opened with RTLD_DEEPBIND looks for malloc in its own dependencies first, and finds the C library's:
 * its blocks would not be seen, though others free them. Here it finds what everybody else does.
 */
#include "recorder.h"
#include <dlfcn.h>
#include <string.h>

/* The module of a web server. Opened by its path: who opens it does not matter. */
static int is_php(const char *file)
{
	const char *slash = file ? strrchr(file, '/') : NULL;
	return slash && !strncmp(slash, "/libphp", 7);
}

static void *open_php(const char *file, int mode)
{
	void *library = real.dlopen(file, mode);
	if (library) watch_zend(library);
	return library;
}

/* The last thing is a jump: the loader goes by the address of its caller for search paths and scopes. */
EXPORT __attribute__((optimize("O2"))) void *dlopen(const char *file, int mode)
{
	if (UNLIKELY(!real.malloc)) resolve();
	if (atomic_load_explicit(&in_process.state, memory_order_relaxed) == ON) mode &= ~RTLD_DEEPBIND;
	return UNLIKELY(is_php(file)) ? open_php(file, mode) : real.dlopen(file, mode);
}
