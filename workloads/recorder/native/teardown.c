/*
 * Interpreters that take themselves down before their process exits, and allocate while they do: what they held is there to be
 * seen when that begins. They call these functions within their own program, past the dynamic linker (patch.c).
 *
 *   Py_FinalizeEx         waits for the script's threads and calls what it has registered; then it calls
 *   PyGC_Collect          right before the modules go (Python/pylifecycle.c)
 *   php_request_shutdown  the script's variables go; looked at on the command line alone, and where Zend's heap does not say it (zend.c)
 *   php_module_shutdown   the last that PHP does (main/main.c); a web server's module may start again
 *
 * Whether it was the end is for the trace to tell: a process that embeds an interpreter may live on.
 */
#include "recorder.h"
#include "patch.h"
#include <dlfcn.h>
#include <sys/types.h>

static struct {
	int (*Py_FinalizeEx)(void);
	ssize_t (*PyGC_Collect)(void);
	void (*php_module_shutdown)(void);
} original;

static THREAD_LOCAL int is_finalizing;

void teardown_begins(enum asked what)
{
	int saved = errno;
	if (is_recorded_process() && is_worth_a_look()) ask_keeper(what);
	errno = saved;
}

static int my_Py_FinalizeEx(void)
{
	teardown_begins(ASKED_PYTHON_ENDS);
	is_finalizing = 1;
	int status = original.Py_FinalizeEx();
	is_finalizing = 0;
	return status;
}

static ssize_t my_PyGC_Collect(void)
{
	if (is_finalizing) teardown_begins(ASKED_PYTHON_ENDS);
	is_finalizing = 0;
	return original.PyGC_Collect();
}

static void my_php_module_shutdown(void)
{
	teardown_begins(ASKED_PHP_ENDS);
	original.php_module_shutdown();
}

/* Where one of them cannot have something put in front, the process is seen at its exit. */
#define WATCH(library, function) \
	watch(dlsym(library, #function), (void *)my_##function, (void **)&original.function)

static void watch(void *function, void *own, void **to)
{
	struct patch patch = { function, own, to };
	if (function && !*to) put_in_front(&patch, 1);
}

void watch_teardown_of_php(void *library) { WATCH(library, php_module_shutdown); }

/* Bound when this library is: to the program's, or that of a library that it is linked with. */
extern int Py_FinalizeEx(void) __attribute__((weak));

void watch_teardown_of_program(void)
{
	if (!&Py_FinalizeEx || !recording()) return;
	WATCH(RTLD_DEFAULT, Py_FinalizeEx);
	WATCH(RTLD_DEFAULT, PyGC_Collect);
	dlerror();
}
