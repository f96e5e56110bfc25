/* How the keeper starts the program, and how it clears up. */
#include "keeper.h"
#include "program-file.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void preload(const char *library, const char *flags, const char *folder)
{
	const char *others = getenv("LD_PRELOAD");
	char *value = resized(NULL, strlen(library) + (others ? strlen(others) : 0) + 2);
	sprintf(value, others && *others ? "%s:%s" : "%s", library, others ? others : "");
	setenv("LD_PRELOAD", value, 1);
	char session[600];
	snprintf(session, sizeof session, "%s:%s", flags, folder);
	setenv("ALLOCSIM_RECORD", session, 1);
}

int start_program(char **argv, const sigset_t *mask, int ignores_hangup, pid_t *program)
{
	int error_pipe[2], error = 0;
	if (pipe2(error_pipe, O_CLOEXEC)) return errno;
	pid_t child = *program = fork();
	if (child < 0) return errno;
	if (child == 0) {
		for (int s = 1; s < 32; s++)
			if (s == SIGINT || s == SIGTERM || s == SIGQUIT || s == SIGHUP || s == SIGPIPE || s == SIGXFSZ) signal(s, SIG_DFL);
		if (ignores_hangup) signal(SIGHUP, SIG_IGN);
		sigprocmask(SIG_SETMASK, mask, NULL);
		execvp(argv[0], argv);
		error = errno;
		if (write(error_pipe[1], &error, sizeof error) < 0) {}
		_exit(127);
	}
	close(error_pipe[1]);
	if (read(error_pipe[0], &error, sizeof error) != sizeof error) error = 0;
	close(error_pipe[0]);
	return error;
}

const char *note_obstacle(const char *name, const char *folder)
{
	char room[1024], path[600];
	const char *found = find_program(name, getenv("PATH"), room, sizeof room);
	const char *why = found ? file_obstacle(found, 0) : NULL;
	if (!why) return NULL;
	snprintf(path, sizeof path, "%s/no.%d.x", folder, (int)getpid());
	FILE *f = fopen(path, "we");
	if (f) {
		fprintf(f, "%s\n%s", why, found);
		fclose(f);
	}
	return why;
}

void remove_folder(const char *folder)
{
	DIR *d = opendir(folder);
	for (struct dirent *e; d && (e = readdir(d));) {
		char path[600];
		snprintf(path, sizeof path, "%s/%.200s", folder, e->d_name);
		if (e->d_name[0] != '.') unlink(path);
	}
	if (d) closedir(d);
	rmdir(folder);
}
