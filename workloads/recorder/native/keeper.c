/*
 * keeper FLAGS FOLDER LOGS DISK_BYTES STOP_EVENTS SAMPLE_NS LIBRARY PROGRAM ARGUMENT…
 *
 * keeper built-conf
 *
 * Starts the program, with the library in front of all others, and keeps a log for each process that it becomes or forks
 * (image.c), until all of them are gone. Orphans become its children. It speaks with the recorder over two pipes:
 *
 *   3  in   `sample LABEL` a sample in all processes · `signal N` to the program, and to its orphans · `kill` all, at once
 *           `stop` nothing more is written down · the pipe's end: the recorder is gone; clean up, let the program live on
 *   4  out  `error ERRNO` the program cannot be started · `started PID` · `image PID NUMBER PPID KIND PARENT PARENT_NUMBER
 *           PARENT_SLOT THREAD FLAGS START_TICKS OWN_PID ALLOCATOR` · `zend PID NUMBER WORD` · `exited STATUS` the program has ended · `waiting PID` for a
 *           process that lives on · `full` · `enough` · `ended PID NUMBER STATUS EVENTS` · `clock TICKS NS`, twice ·
 *           `page BYTES` this machine's pages are not of 4 KiB · `folder ERRNO` the session's folder cannot be used · `memory BYTES`
 *           that much was not to be had: the recording is broken off · `unwritable ERRNO` it ends, the program goes on · `nameless PID` a process in a namespace has that number, which
 *           it has on the host is not known · `survivor PID` SIGKILL did not end it
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

static pid_t program;
static int program_is_over, samples, has_children;
static uint64_t total_events;

/* end-label.ts knows them. */
static const char *label_of(enum asked what)
{
	switch (what) {
	case ASKED_PYTHON_ENDS: return "Py_FinalizeEx";
	case ASKED_SCRIPT_ENDS: return "php_request_shutdown";
	case ASKED_PHP_ENDS: return "php_module_shutdown";
	default: return "exit";
	}
}

static void answer(struct image *m)
{
	uint32_t asked = atomic_load(&m->ring->asked);
	if (asked == atomic_load(&m->ring->answered)) return;
	drain(m, now_ns(), 0);
	int first = !m->is_answered_once && m->ring->kind == IMAGE_STARTED;
	m->is_answered_once = 1;
	if (first) tell("allocator %d %u %u %.255s\n", m->pid, m->number, m->ring->flags, m->ring->allocator[0] ? m->ring->allocator : "-");
	observe(m, first ? "start" : label_of(atomic_load(&m->ring->asked_for)), first);
	atomic_store(&m->ring->answered, asked);
	syscall(SYS_futex, &m->ring->answered, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void sample_all(const char *label)
{
	int64_t now = now_ns();
	for (size_t i = 0; i < image_count; i++) {
		if (images[i]->is_over) continue;
		drain(images[i], now, 0);
		observe_settled(images[i], label);
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
		close_image(m);
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
		if (images[i]->postponed[0]) observe_postponed(images[i]);
		answer(images[i]);
		events += images[i]->events;
	}
	total_events = events;
	if (!has_ended && log_error) {
		end_recording();
		tell("unwritable %d\n", log_error);
	}
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
		if (polled[i].fd >= 0 ? polled[i].revents : is_gone(of[i])) end_image(of[i]);
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
		polled = resized(polled, (room + 3) * sizeof *polled);
		of = resized(of, room * sizeof *of);
	}
	polled[0] = (struct pollfd){ FROM_RECORDER, POLLIN, 0 };
	polled[1] = (struct pollfd){ folder_watch, POLLIN, 0 };
	size_t n = 0;
	for (size_t i = 0; i < image_count; i++)
		if (!images[i]->is_over) {
			polled[3 + n] = (struct pollfd){ images[i]->pidfd, POLLIN, 0 };
			of[n++] = images[i];
		}
	polled[2] = (struct pollfd){ session_socket(), POLLIN, 0 };
	struct timespec t = { 0, busy ? 0 : live_count ? 1000000 : 10000000 };
	if (ppoll(polled, n + 3, &t, NULL) < 0) return;
	if (polled[0].revents) listen_to_recorder();
	if (polled[2].revents) hear_numbers();
	if (polled[1].revents) {
		char events[8192];
		while (read(folder_watch, events, sizeof events) > 0) {}
		look_for_images();
	}
	end_those_gone(polled + 3, of, n);
}

static void sample_in_time(int64_t *next_ns)
{
	if (!options.sample_ns || now_ns() < *next_ns) return;
	char label[32];
	snprintf(label, sizeof label, "t%d", ++samples);
	sample_all(label);
	*next_ns += options.sample_ns;
	if (*next_ns < now_ns()) *next_ns = now_ns() + options.sample_ns;
}

static void tell_who_lives_on(void)
{
	static int is_told;
	for (size_t i = 0; i < image_count && !is_told; i++) {
		if (images[i]->is_over || images[i]->pid == program) continue;
		is_told = 1;
		tell("waiting %d\n", images[i]->pid);
	}
}

/* What SIGKILL does not end so long belongs to another user, or hangs within the kernel. */
#define KILLED_NS 2000000000

static void keep(int folder_watch)
{
	int64_t next_sample = now_ns() + options.sample_ns, last_alive = now_ns(), killed = 0;
	for (int busy = 0;;) {
		wait_for_something(folder_watch, busy);
		if (is_one_unready) look_for_images();
		busy = drain_all();
		reap();
		if (!program_is_over) last_alive = now_ns();
		sample_in_time(&next_sample);
		if (ending == SIGKILL && !killed) killed = now_ns();
		if (killed && now_ns() - killed > KILLED_NS) {
			tell_survivors();
			end_lost_images(1);
			return;
		}
		if (!program_is_over) continue;
		look_for_images();
		if (ending) tell_orphans(now_ns());
		tell_who_lives_on();
		if (!has_children) end_lost_images(ending == SIGKILL);
		if (live_count > 0 || (ending && ending != SIGKILL)) last_alive = now_ns();
		if (live_count == 0 && (!has_children || (has_ended && !ending) || (now_ns() - last_alive > ORPHANS_NS && !killed))) return;
	}
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "built-conf")) return print_built_conf();
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
		if (s == SIGINT || s == SIGTERM || s == SIGQUIT || s == SIGHUP || s == SIGPIPE || s == SIGTSTP || s == SIGXFSZ) signal(s, SIG_IGN);
	fcntl(FROM_RECORDER, F_SETFD, FD_CLOEXEC);
	fcntl(TO_RECORDER, F_SETFD, FD_CLOEXEC);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	look_in(options.folder, options.logs, strchr(options.flags, 's') != NULL);
	int error = open_session(options.folder);
	if (error) {
		tell("folder %d\n", error);
		return 1;
	}
	int folder_watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	inotify_add_watch(folder_watch, options.folder, IN_CREATE | IN_MODIFY);
	if (sysconf(_SC_PAGESIZE) != 4096) {
		tell("page %ld\n", sysconf(_SC_PAGESIZE));
		return 1;
	}
	tell_clock(options.clock_is_counter);
	const char *why = note_obstacle(argv[8], options.folder);
	if (!why || strcmp(why, MUSL_OBSTACLE)) preload(argv[7], options.flags, options.folder);
	error = start_program(argv + 8, &mask, strchr(options.flags, 'h') != NULL, &program);
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
