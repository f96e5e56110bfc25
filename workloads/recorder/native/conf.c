/*
 * What jemalloc was told beside MALLOC_CONF: it reads the string of the program's variable malloc_conf, then the name that the
 * link /etc/malloc.conf has for a file, then the environment; of each option the last word counts (malloc_conf_init()).
 * What it was built with goes before all of them: the keeper asks for that (built-conf.c).
 */
#include "recorder.h"
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern int mallctl(const char *, void *, size_t *, void *, size_t) __attribute__((weak));

/* The malloc that serves the program comes with a mallctl. */
static int is_jemalloc(void)
{
	Dl_info one, other;
	return mallctl && real.malloc && dladdr((void *)mallctl, &one) && dladdr((void *)real.malloc, &other) && one.dli_fbase == other.dli_fbase;
}

/* What does not fit, or is no line, is left out as a whole. */
static void append(char *to, size_t room, const char *conf)
{
	size_t had = strlen(to), length = strlen(conf);
	if (!length || had + 1 + length >= room || strchr(conf, '\n')) return;
	if (had) to[had++] = ',';
	strcpy(to + had, conf);
}

void note_conf(void)
{
	if (!is_jemalloc()) return;
	/* As the dynamic linker has it for jemalloc: the program's, where it has one. */
	const char *const *variable = dlsym(RTLD_DEFAULT, "malloc_conf");
	dlerror();
	char link[sizeof ring->malloc_conf];
	ssize_t length = readlink("/etc/malloc.conf", link, sizeof link - 1);
	link[length > 0 ? length : 0] = 0;
	if (variable && *variable) append(ring->malloc_conf, sizeof ring->malloc_conf, *variable);
	append(ring->malloc_conf, sizeof ring->malloc_conf, link);
	/* jemalloc's `zero` promises zeros in what is allocated. */
	const char *environment = getenv("MALLOC_CONF");
	if (strstr(ring->malloc_conf, "zero:true") || (environment && strstr(environment, "zero:true"))) ring->fill_key = fill_key = 0;
}
