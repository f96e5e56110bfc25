/*
 * What the jemalloc that this process runs on was built with (--with-malloc-conf). A process of its own is asked, with the
 * recorded program's jemalloc preloaded: the first question makes jemalloc set up its statistics, which the program may never ask for.
 */
#define _GNU_SOURCE
#include "keeper.h"
#include <dlfcn.h>
#include <stdio.h>

int print_built_conf(void)
{
	int (*mallctl)(const char *, void *, size_t *, void *, size_t);
	*(void **)&mallctl = dlsym(RTLD_DEFAULT, "mallctl");
	const char *conf = NULL;
	size_t length = sizeof conf;
	if (mallctl && mallctl("config.malloc_conf", &conf, &length, NULL, 0) == 0 && conf) fputs(conf, stdout);
	return 0;
}
