/* What the keeper says to the recorder: lines (keeper.c has them), and what the two clocks show. */
#include "keeper.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void tell(const char *format, ...)
{
	char line[1200];
	va_list arguments;
	va_start(arguments, format);
	int n = vsnprintf(line, sizeof line, format, arguments);
	va_end(arguments);
	for (int done = 0; done < n;) {
		ssize_t wrote = write(TO_RECORDER, line + done, (size_t)(n - done));
		if (wrote <= 0) return;
		done += (int)wrote;
	}
}

static void *checked(void *made, size_t bytes)
{
	if (made) return made;
	tell("memory %zu\n", bytes);
	_exit(1); /* the kernel marks the page that says whether the keeper lives: the programs go on */
}

void *resized(void *old, size_t bytes) { return checked(realloc(old, bytes), bytes); }

void *zeroed(size_t count, size_t bytes) { return checked(calloc(count, bytes), count * bytes); }

void tell_clock(int is_counter)
{
	uint64_t counter = __builtin_ia32_rdtsc() >> 6;
	int64_t ns = now_ns();
	tell("clock %llu %lld\n", (unsigned long long)(is_counter ? counter : (uint64_t)ns >> 4), (long long)ns);
}
