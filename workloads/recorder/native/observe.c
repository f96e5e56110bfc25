/*
 * What the kernel says of a process, as the text of a sample:
 *
 *   label
 *   [status] the lines of /proc/PID/status that speak of memory and huge pages; the processor time of all its threads until now, and what the recorder took of it (ring.h);
 *            for how long its first thread has waited for a processor
 *   [threads] id and name
 *   [maps] start end rss anonymous name        of every mapping, from smaps; bytes, name may be missing, or be
 *                                              [mapped] or [recorder]: so much of the next one is the program's own, or
 *                                              the recorder's, wherever it lies
 *   [command] [environment] at the start: as the kernel has them, with line feeds for zero bytes
 *   [malloc_conf] likewise: what jemalloc was told beside its environment
 */
#include "keeper.h"
#include "scan.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct text {
	char *bytes;
	size_t length, room;
};

__attribute__((format(printf, 2, 3))) static void add(struct text *t, const char *format, ...)
{
	va_list arguments;
	for (;;) {
		va_start(arguments, format);
		int n = vsnprintf(t->bytes ? t->bytes + t->length : NULL, t->room - t->length, format, arguments);
		va_end(arguments);
		if (n < 0) return;
		if ((size_t)n < t->room - t->length) {
			t->length += (size_t)n;
			return;
		}
		t->room = 2 * t->room + (size_t)n + 4096;
		t->bytes = resized(t->bytes, t->room);
	}
}

static FILE *proc(int pid, const char *name)
{
	char path[128];
	snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
	return fopen(path, "re");
}

static void add_times(struct text *t, const struct image *m)
{
	clockid_t clock;
	struct timespec cpu;
	if (clock_getcpuclockid(m->pid, &clock) || clock_gettime(clock, &cpu)) return;
	add(t, "CpuNs: %lld\nOwnTicks: %llu\nLookedNs: %llu\n", (long long)cpu.tv_sec * 1000000000 + cpu.tv_nsec,
	    (unsigned long long)atomic_load(&m->ring->own_ticks), (unsigned long long)atomic_load(&m->ring->looked_ns));
}

static void add_status(struct text *t, const struct image *m)
{
	char line[256];
	FILE *f = proc(m->pid, "status");
	add(t, "[status]\n");
	while (f && fgets(line, sizeof line, f))
		if (!strncmp(line, "Vm", 2) || !strncmp(line, "Rss", 3) || !strncmp(line, "Name", 4) || !strncmp(line, "THP_", 4)) add(t, "%s", line);
	if (f) fclose(f);
	add_times(t, m);
	unsigned long long ran, waited;
	f = proc(m->pid, "schedstat");
	if (f && fscanf(f, "%llu %llu", &ran, &waited) == 2) add(t, "WaitedNs: %llu\n", waited);
	if (f) fclose(f);
}

/* By the numbers that the process itself has for them, as its log has. */
static void add_threads(struct text *t, int pid, int has_own_numbers)
{
	char path[100], name[64];
	snprintf(path, sizeof path, "/proc/%d/task", pid);
	DIR *d = opendir(path);
	add(t, "[threads]\n");
	for (struct dirent *e; d && (e = readdir(d));) {
		if (e->d_name[0] == '.') continue;
		snprintf(path, sizeof path, "task/%.20s/comm", e->d_name);
		FILE *f = proc(pid, path);
		if (f && fgets(name, sizeof name, f)) {
			if (has_own_numbers) add(t, "%u %s", own_number(pid, e->d_name), name);
			else add(t, "%s %s", e->d_name, name);
		}
		if (f) fclose(f);
	}
	if (d) closedir(d);
}

/* Bytes that are there now. */
static unsigned long resident_in(int pagemap, uint64_t start, uint64_t end)
{
	struct page_run runs[256];
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), at = start;
	unsigned long bytes = 0;
	while (at < end) {
		int n = scan_pages(pagemap, page, &at, end, runs, 256);
		if (n < 0) break;
		for (int k = 0; k < n; k++) bytes += runs[k].end - runs[k].start;
	}
	return bytes;
}

struct mapping {
	unsigned long start, end, rss, anonymous;
	char name[600];
};

static unsigned long common_resident(const struct mapping *of, int pagemap, uint64_t start, uint64_t end)
{
	uint64_t from = start > of->start ? start : of->start, to = end < of->end ? end : of->end;
	return from < to ? resident_in(pagemap, from, to) : 0;
}

/* So much of what is left of the mapping is told by itself. */
static void add_part(struct text *t, struct mapping *of, unsigned long resident, const char *name)
{
	if (resident > of->rss) resident = of->rss;
	if (!resident) return;
	add(t, "%lx %lx %lu %lu %s\n", of->start, of->start, resident, resident, name);
	of->rss -= resident;
	of->anonymous -= resident < of->anonymous ? resident : of->anonymous;
}

/* One without a name is told in parts: what the program has mapped for itself, what the recorder's library keeps there, and the rest. */
static void add_mapping(struct text *t, const struct image *m, struct mapping *of, int pagemap)
{
	const struct stretch *own;
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), recorder_end = (m->ring->own_end + page - 1) & ~(page - 1);
	int is_nameless = !of->name[0] && pagemap >= 0;
	size_t count = is_nameless ? stretches_in(&m->mapped.now, of->start, of->end, &own) : 0;
	unsigned long mapped = 0, recorders = is_nameless ? common_resident(of, pagemap, m->ring->own_start, recorder_end) : 0;
	for (size_t i = 0; i < count; i++) mapped += common_resident(of, pagemap, own[i].start, own[i].end);
	add_part(t, of, mapped, "[mapped]");
	add_part(t, of, recorders, "[recorder]");
	add(t, "%lx %lx %lu %lu %s\n", of->start, of->end, of->rss, of->anonymous, of->name);
}

static void add_mappings(struct text *t, const struct image *m)
{
	int pid = m->pid;
	char line[1024], path[64];
	struct mapping of = { 0 };
	unsigned long a, b;
	snprintf(path, sizeof path, "/proc/%d/pagemap", pid);
	int pagemap = open(path, O_RDONLY | O_CLOEXEC);
	FILE *f = proc(pid, "smaps");
	add(t, "[maps]\n");
	while (f && fgets(line, sizeof line, f)) {
		int at = 0;
		if (sscanf(line, "%lx-%lx %*s %*s %*s %*s %n", &a, &b, &at) >= 2 && at > 0) {
			if (of.end) add_mapping(t, m, &of, pagemap);
			of = (struct mapping){ .start = a, .end = b };
			line[strcspn(line, "\n")] = 0;
			snprintf(of.name, sizeof of.name, "%s", line + at);
		} else if (sscanf(line, "Rss: %lu", &a) == 1) {
			of.rss = a * 1024;
		} else if (sscanf(line, "Anonymous: %lu", &a) == 1) {
			of.anonymous = a * 1024;
		}
	}
	if (of.end) add_mapping(t, m, &of, pagemap);
	if (f) fclose(f);
	if (pagemap >= 0) close(pagemap);
}

static void add_strings(struct text *t, const char *section, int pid, const char *name)
{
	FILE *f = proc(pid, name);
	add(t, "[%s]\n", section);
	for (int c, last = '\n'; f && (c = getc(f)) != EOF; last = c) {
		if (c == '\n') c = ' ';
		if (c || last) add(t, "%c", c ? c : '\n');
	}
	add(t, "\n");
	if (f) fclose(f);
}

static long resident_pages(int pid)
{
	long all = 0, resident = 0;
	FILE *f = proc(pid, "statm");
	if (f && fscanf(f, "%ld %ld", &all, &resident) != 2) resident = 0;
	if (f) fclose(f);
	return resident;
}

#define TRIES 8

static int is_giving_back(const struct image *m) { return atomic_load(&m->ring->giving_back) != 0; }

/* In vain while it gives memory back. */
static void look(struct image *m, const char *label, struct text *t)
{
	/* What the kernel says should be of the moment that the log has reached: a program that went on meanwhile is asked again. */
	for (int tries = 0; tries < TRIES; tries++) {
		if (tries > 0) drain(m, 0, 0);
		long before = resident_pages(m->pid);
		t->length = 0;
		add(t, "%s\n", label);
		add_status(t, m);
		see_blocks(m);
		add_threads(t, m->pid, m->ring->flags & NUMBER_OF_NAMESPACE);
		add_mappings(t, m);
		if (is_giving_back(m) || (!has_news(m) && resident_pages(m->pid) == before)) return;
	}
}

static void put_text(struct image *m, struct text *t)
{
	put_seen(m);
	put_byte(m, OP_SAMPLE);
	put_number(m, t->length);
	put_bytes(m, t->bytes, t->length);
	free(t->bytes);
}

void observe(struct image *m, const char *label, int with_start)
{
	if (m->is_nameless) return;
	struct text t = { 0 };
	look(m, label, &t);
	if (with_start) {
		add_strings(&t, "command", m->pid, "cmdline");
		add_strings(&t, "environment", m->pid, "environ");
		if (m->ring->malloc_conf[0]) add(&t, "[malloc_conf]\n%.*s\n", (int)sizeof m->ring->malloc_conf, m->ring->malloc_conf);
	}
	put_text(m, &t);
}

void observe_settled(struct image *m, const char *label)
{
	struct text t = { 0 };
	if (m->is_nameless) return;
	snprintf(m->postponed, sizeof m->postponed, "%s", label);
	if (is_giving_back(m)) return;
	look(m, label, &t);
	if (is_giving_back(m)) {
		free(t.bytes);
		return;
	}
	m->postponed[0] = 0;
	put_text(m, &t);
}

void observe_postponed(struct image *m)
{
	char label[sizeof m->postponed];
	strcpy(label, m->postponed);
	observe_settled(m, label);
}
