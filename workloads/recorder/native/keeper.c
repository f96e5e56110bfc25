/*
 * keeper FLAGS FOLDER LOGS DISK_BYTES STOP_EVENTS SAMPLE_NS LIBRARY PROGRAM ARGUMENT…
 *
 * Starts the program, with the library in front of all others, and keeps a log for each process that it becomes or forks
 * (image.c), until all of them are gone. Orphans become its children. It speaks with the recorder over two pipes:
 *
 *   3  in   `sample LABEL` a sample in all processes · `signal N` to the program, and to its orphans · `kill` all, at once
 *           `stop` nothing more is written down · the pipe's end: the recorder is gone; clean up, let the program live on
 *   4  out  `error ERRNO` the program cannot be started · `started PID` · `image PID NUMBER PPID KIND PARENT PARENT_NUMBER
 *           PARENT_SLOT THREAD FLAGS START_TICKS ALLOCATOR` · `zend PID NUMBER WORD` · `exited STATUS` the program has ended · `waiting PID` for a
 *           process that lives on · `full` · `enough` · `ended PID NUMBER STATUS EVENTS` · `clock TICKS NS`, twice ·
 *           `page BYTES` this machine's pages are not of 4 KiB
 */
#include "keeper.h"
#include "program-file.h" /* MUSL_OBSTACLE */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <dirent.h>
#include <time.h>
#include <unistd.h>

enum { FROM_RECORDER = 3 };

static struct {
	const char *flags; /* c or m: the clock is the processor's counter, or the kernel's; s: call sites; n: no heap of PHP; h: nohup */
	const char *folder, *logs;
	uint64_t disk_bytes, stop_events;
	int64_t sample_ns;
	int clock_is_counter;
} options;

static struct image **images;
static size_t image_count, image_room, live_count;
static pid_t program;
static int program_is_over, has_ended, samples, has_children;
static uint64_t total_events;
static int is_one_unready; /* a file is there that is not a ring yet */

/* ---- images */

static void tell_zend(const struct image *m)
{
	if (m->ring->zend[0]) tell("zend %d %u %.127s\n", m->pid, m->number, m->ring->zend);
}

static void end_image(struct image *m)
{
	if (m->is_over) return;
	drain(m, now_ns(), 1);
	finish_image(m);
	tell_zend(m);
	munmap(m->ring, RING_BYTES);
	char path[600];
	snprintf(path, sizeof path, "%s/%d.%u", options.folder, m->pid, m->number);
	if (truncate(path, 0)) {} /* the name stays taken */
	live_count--;
}

static struct image *find_image(const char *name)
{
	for (size_t i = 0; i < image_count; i++) {
		char known[40];
		snprintf(known, sizeof known, "%d.%u", images[i]->pid, images[i]->number);
		if (!strcmp(known, name)) return images[i];
	}
	return NULL;
}

static void add_image(const char *name);

/* What the parent had mapped when it forked: its ring is read up to there first, and found first. */
static void inherit(struct image *m)
{
	char name[40];
	snprintf(name, sizeof name, "%u.%u", (unsigned)(m->ring->parent_image >> 32), (unsigned)m->ring->parent_image);
	add_image(name);
	struct image *parent = find_image(name);
	if (!parent) return;
	if (!parent->is_over) drain(parent, now_ns(), 0);
	inherit_mapped(&m->mapped, &parent->mapped, m->ring->parent_slot);
}

static void add_image(const char *name)
{
	if (find_image(name)) return;
	if (has_ended) return;
	struct image *m = open_image(options.folder, options.logs, name);
	if (!m) { /* its process has just made the file, and has yet to write the header */
		if (kill((pid_t)strtol(name, NULL, 10), 0) == 0 || errno == EPERM) is_one_unready = 1;
		return;
	}
	if (m->ring->kind == IMAGE_FORKED) inherit(m);
	int is_replaced = 0; /* by exec; rings are not found in their order */
	for (size_t i = 0; i < image_count; i++) {
		if (images[i]->pid != m->pid) continue;
		if (images[i]->number < m->number) end_image(images[i]);
		else is_replaced = 1;
	}
	if (image_count == image_room) images = realloc(images, (image_room = 2 * image_room + 64) * sizeof *images);
	images[image_count++] = m;
	live_count++;
	struct ring_header *r = m->ring;
	tell("image %d %u %d %u %u %u %llu %u %u %llu %.255s\n", m->pid, m->number, m->ppid, r->kind,
	     (unsigned)(r->parent_image >> 32), (unsigned)r->parent_image, (unsigned long long)r->parent_slot, r->thread, r->flags,
	     (unsigned long long)r->start_ticks, r->allocator[0] ? r->allocator : "-");
	if (is_replaced || (m->pidfd < 0 && kill(m->pid, 0) != 0 && errno == ESRCH)) end_image(m);
}

static void look_for_images(void)
{
	is_one_unready = 0;
	DIR *d = opendir(options.folder);
	for (struct dirent *e; d && (e = readdir(d));) {
		char path[600];
		if (!strncmp(e->d_name, "ask.", 4)) {
			snprintf(path, sizeof path, "%s/%.200s", options.folder, e->d_name);
			unlink(path);
		} else if (e->d_name[0] >= '0' && e->d_name[0] <= '9') {
			add_image(e->d_name);
		}
	}
	if (d) closedir(d);
}

static void answer(struct image *m)
{
	uint32_t asked = atomic_load(&m->ring->asked);
	if (asked == atomic_load(&m->ring->answered)) return;
	drain(m, now_ns(), 0);
	int first = !m->is_answered_once && m->ring->kind == IMAGE_STARTED;
	m->is_answered_once = 1;
	if (first) tell("allocator %d %u %u %.255s\n", m->pid, m->number, m->ring->flags, m->ring->allocator[0] ? m->ring->allocator : "-");
	observe(m, first ? "start" : "exit", first);
	atomic_store(&m->ring->answered, asked);
	syscall(SYS_futex, &m->ring->answered, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void sample_all(const char *label)
{
	int64_t now = now_ns();
	for (size_t i = 0; i < image_count; i++) {
		if (images[i]->is_over) continue;
		drain(images[i], now, 0);
		observe(images[i], label, 0);
	}
}

/* From here on nothing is written down; the programs notice when their rings are full. */
static void end_recording(void)
{
	if (has_ended) return;
	has_ended = 1;
	for (size_t i = 0; i < image_count; i++) {
		struct image *m = images[i];
		if (m->is_over) continue;
		atomic_store(&m->ring->closed, 1);
		drain(m, now_ns(), 0);
		observe(m, "stop", 0);
		finish_image(m);
		tell_zend(m);
		munmap(m->ring, RING_BYTES);
		live_count--;
	}
}

static int drain_all(void)
{
	uint64_t taken = 0, events = 0;
	int64_t now = now_ns();
	for (size_t i = 0; i < image_count; i++) {
		if (images[i]->is_over) {
			events += images[i]->events;
			continue;
		}
		taken += drain(images[i], now, 0);
		answer(images[i]);
		events += images[i]->events;
	}
	total_events = events;
	if (!has_ended && options.disk_bytes && written_bytes > options.disk_bytes) {
		end_recording();
		tell("full\n");
	}
	if (!has_ended && options.stop_events && total_events >= options.stop_events) {
		ending = SIGTERM; /* the recorder sends it */
		end_recording();
		tell("enough\n");
	}
	return taken > RING_SLOTS / 4; /* else there is time to sleep: who runs all the time has to wait for a processor */
}

/* ---- the ends of processes */

/* Linux 6.15 tells how a process ended even when another has waited for it. */
static int status_of(int pidfd)
{
	struct { uint64_t mask, cgroup; uint32_t ids[11]; int32_t exit_code; } info = { .mask = 8 };
	if (pidfd < 0 || ioctl(pidfd, _IOWR(0xff, 11, char[64]), &info) < 0 || !(info.mask & 8)) return -1;
	return info.exit_code;
}

static void reap(void)
{
	int status;
	pid_t pid;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (size_t i = 0; i < image_count; i++)
			if (images[i]->pid == pid) images[i]->exit_status = status;
		if (pid == program) {
			program_is_over = 1;
			tell("exited %d\n", status);
		}
	}
	has_children = pid == 0;
}

/* Orphans that are not recorded, yet or ever, are waited for so long. */
#define ORPHANS_NS 1000000000

static void end_those_gone(const struct pollfd *polled, struct image *const *of, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (polled[i].revents) end_image(of[i]);
}

/* ---- the recorder's words */

static void obey(const char *line)
{
	char label[100];
	int number;
	if (sscanf(line, "sample %99s", label) == 1) sample_all(label);
	else if (sscanf(line, "signal %d", &number) == 1) {
		sample_all("signal");
		end_programs(number, program_is_over ? 0 : program);
	} else if (!strcmp(line, "kill")) {
		end_programs(SIGKILL, program_is_over ? 0 : program);
	} else if (!strcmp(line, "stop")) {
		ending = SIGTERM; /* which follows */
		end_recording();
	}
}

static void listen_to_recorder(void)
{
	static char text[4096];
	static size_t length;
	ssize_t n = read(FROM_RECORDER, text + length, sizeof text - 1 - length);
	if (n <= 0) {
		for (size_t i = 0; i < image_count; i++)
			if (!images[i]->is_over) atomic_store(&images[i]->ring->closed, 1);
		remove_folder(options.folder);
		remove_folder(options.logs);
		_exit(1);
	}
	length += (size_t)n;
	text[length] = 0;
	for (char *end; (end = strchr(text, '\n'));) {
		*end = 0;
		obey(text);
		length -= (size_t)(end + 1 - text);
		memmove(text, end + 1, length + 1);
	}
}

/* ---- the loop */

static void wait_for_something(int folder_watch, int busy)
{
	static struct pollfd *polled;
	static struct image **of;
	static size_t room;
	if (live_count + 8 > room) {
		room = 2 * live_count + 64;
		polled = realloc(polled, (room + 2) * sizeof *polled);
		of = realloc(of, room * sizeof *of);
	}
	polled[0] = (struct pollfd){ FROM_RECORDER, POLLIN, 0 };
	polled[1] = (struct pollfd){ folder_watch, POLLIN, 0 };
	size_t n = 0;
	for (size_t i = 0; i < image_count; i++)
		if (!images[i]->is_over) {
			polled[2 + n] = (struct pollfd){ images[i]->pidfd, POLLIN, 0 };
			of[n++] = images[i];
		}
	struct timespec t = { 0, busy ? 0 : live_count ? 1000000 : 10000000 };
	if (ppoll(polled, n + 2, &t, NULL) <= 0) return;
	if (polled[0].revents) listen_to_recorder();
	if (polled[1].revents) {
		char events[8192];
		while (read(folder_watch, events, sizeof events) > 0) {}
		look_for_images();
	}
	end_those_gone(polled + 2, of, n);
}

static void keep(int folder_watch)
{
	int is_waiting_told = 0;
	int64_t next_sample = now_ns() + options.sample_ns, last_alive = now_ns();
	for (int busy = 0;;) {
		wait_for_something(folder_watch, busy);
		if (is_one_unready) look_for_images();
		busy = drain_all();
		reap();
		if (!program_is_over) last_alive = now_ns();
		if (options.sample_ns && now_ns() >= next_sample) {
			char label[32];
			snprintf(label, sizeof label, "t%d", ++samples);
			sample_all(label);
			next_sample += options.sample_ns;
			if (next_sample < now_ns()) next_sample = now_ns() + options.sample_ns;
		}
		if (!program_is_over) continue;
		look_for_images();
		if (ending) tell_orphans(now_ns());
		if (live_count > 0 || (ending && ending != SIGKILL)) last_alive = now_ns();
		if (live_count == 0 && (!has_children || (has_ended && !ending) || now_ns() - last_alive > ORPHANS_NS)) return;
		for (size_t i = 0; i < image_count && !is_waiting_told; i++) {
			if (images[i]->is_over || images[i]->pid == program) continue;
			is_waiting_told = 1;
			tell("waiting %d\n", images[i]->pid);
		}
	}
}

int main(int argc, char **argv)
{
	if (argc < 9) return 2;
	options.flags = argv[1];
	options.clock_is_counter = argv[1][0] == 'c';
	options.folder = argv[2];
	options.logs = argv[3];
	options.disk_bytes = strtoull(argv[4], NULL, 10);
	options.stop_events = strtoull(argv[5], NULL, 10);
	options.sample_ns = strtoll(argv[6], NULL, 10);
	sigset_t mask;
	sigprocmask(SIG_SETMASK, NULL, &mask);
	for (int s = 1; s < 32; s++)
		if (s == SIGINT || s == SIGTERM || s == SIGQUIT || s == SIGHUP || s == SIGPIPE || s == SIGTSTP) signal(s, SIG_IGN);
	fcntl(FROM_RECORDER, F_SETFD, FD_CLOEXEC);
	fcntl(TO_RECORDER, F_SETFD, FD_CLOEXEC);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	int folder_watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	inotify_add_watch(folder_watch, options.folder, IN_CREATE | IN_MODIFY);
	if (sysconf(_SC_PAGESIZE) != 4096) {
		tell("page %ld\n", sysconf(_SC_PAGESIZE));
		return 1;
	}
	tell_clock(options.clock_is_counter);
	const char *why = note_obstacle(argv[8], options.folder);
	if (!why || strcmp(why, MUSL_OBSTACLE)) preload(argv[7], options.flags, options.folder);
	int error = start_program(argv + 8, &mask, strchr(options.flags, 'h') != NULL, &program);
	if (error) {
		tell("error %d\n", error);
		return 1;
	}
	unsetenv("LD_PRELOAD");
	tell("started %d\n", (int)program);
	keep(folder_watch);
	for (size_t i = 0; i < image_count; i++) {
		struct image *m = images[i];
		if (m->exit_status < 0) m->exit_status = status_of(m->pidfd);
		tell("ended %d %u %d %llu\n", m->pid, m->number, m->exit_status, (unsigned long long)m->events);
	}
	tell_clock(options.clock_is_counter);
	return 0;
}
