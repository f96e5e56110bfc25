/* Processes that come of the program, whether they are recorded or not: as the kernel lists them. */
#include "keeper.h"
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct process {
	pid_t pid, parent;
	int is_descendant;
};

pid_t parent_of(pid_t pid)
{
	char path[40], text[512];
	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	FILE *f = fopen(path, "re");
	if (!f) return -1;
	size_t length = fread(text, 1, sizeof text - 1, f);
	fclose(f);
	text[length] = 0;
	char *name_end = strrchr(text, ')'), state;
	int parent;
	return name_end && sscanf(name_end + 1, " %c %d", &state, &parent) == 2 ? parent : -1;
}

static struct process *list_processes(size_t *count)
{
	struct process *list = NULL;
	size_t room = *count = 0;
	DIR *d = opendir("/proc");
	for (struct dirent *e; d && (e = readdir(d));) {
		pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);
		if (pid <= 0) continue;
		if (*count == room) list = resized(list, (room = 2 * room + 256) * sizeof *list);
		list[(*count)++] = (struct process){ pid, parent_of(pid), 0 };
	}
	if (d) closedir(d);
	return list;
}

int ending;
static int64_t next_telling_ns;
static struct { pid_t *pids; size_t count, room; } told;

/* To every child of the keeper's, each once: orphans are handed to it. */
static void signal_children(int number)
{
	size_t count;
	struct process *list = list_processes(&count);
	for (size_t i = 0; i < count; i++) {
		int is_told = list[i].parent != getpid();
		for (size_t k = 0; k < told.count && !is_told; k++) is_told = told.pids[k] == list[i].pid;
		if (is_told) continue;
		if (told.count == told.room) told.pids = resized(told.pids, (told.room = 2 * told.room + 16) * sizeof *told.pids);
		told.pids[told.count++] = list[i].pid;
		kill(list[i].pid, number);
	}
	free(list);
}

/* Marks them in the list. */
static struct process *list_descendants(size_t *count)
{
	struct process *list = list_processes(count);
	for (int found = 1; found;) {
		found = 0;
		for (size_t i = 0; i < *count; i++) {
			if (list[i].is_descendant) continue;
			int is_own = list[i].parent == getpid();
			for (size_t k = 0; k < *count && !is_own; k++) is_own = list[k].is_descendant && list[k].pid == list[i].parent;
			if (is_own) found = list[i].is_descendant = 1;
		}
	}
	return list;
}

static void kill_descendants(void)
{
	size_t count;
	struct process *list = list_descendants(&count);
	for (size_t i = 0; i < count; i++)
		if (list[i].is_descendant) kill(list[i].pid, SIGKILL);
	free(list);
}

void tell_survivors(void)
{
	size_t count;
	struct process *list = list_descendants(&count);
	for (size_t i = 0; i < count; i++)
		if (list[i].is_descendant) tell("survivor %d\n", list[i].pid);
	free(list);
}

#define TELLING_NS 100000000

void tell_orphans(int64_t now_ns)
{
	if (now_ns < next_telling_ns) return;
	next_telling_ns = now_ns + TELLING_NS;
	if (ending == SIGKILL) kill_descendants();
	else signal_children(ending);
}

void end_programs(int number, pid_t program)
{
	ending = number;
	told.count = 0;
	next_telling_ns = 0;
	if (number == SIGKILL) kill_descendants();
	else if (program) kill(program, number);
	else signal_children(number);
}
