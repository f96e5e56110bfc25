/*
 * The life of a process: where its exit begins, and what it becomes or starts by exec. What is started keeps the
 * recorder even where its environment was swept clean; what cannot have it is noted by name.
 */
#include "recorder.h"
#include "held.h"
#include "program-file.h"
#include "session.h"
#include <alloca.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

/* ---- exit */

static void exit_begins(int status)
{
	static _Atomic int noted;
	if (!is_recorded_process() || atomic_exchange(&noted, 1)) return; /* a vfork's child leaves with its parent's memory */
	int saved = errno;
	log_extended(OP_EXIT, NULL, (uint32_t)status, since_large_freed());
	if (is_worth_a_look()) ask_keeper(ASKED_EXIT);
	errno = saved;
}

EXPORT __attribute__((noreturn)) void exit(int status)
{
	exit_begins(status);
	if (!real.malloc) resolve();
	real.exit(status);
	__builtin_unreachable();
}

EXPORT __attribute__((noreturn)) void _exit(int status)
{
	exit_begins(status);
	if (!real.malloc) resolve();
	real._exit(status);
	__builtin_unreachable();
}

EXPORT __attribute__((noreturn)) void _Exit(int status) { _exit(status); }

EXPORT __attribute__((noreturn)) void quick_exit(int status)
{
	exit_begins(status);
	if (!real.malloc) resolve();
	real.quick_exit(status);
	__builtin_unreachable();
}

typedef int main_function(int, char **, char **);
static main_function *program_main;

static int watched_main(int argc, char **argv, char **envp)
{
	int status = program_main(argc, argv, envp);
	exit_begins(status);
	return status;
}

/* From main the C library goes to its own exit, which cannot be seen. */
EXPORT int __libc_start_main(main_function *main, int argc, char **argv, void (*init)(void), void (*fini)(void),
                             void (*rtld_fini)(void), void *stack_end)
{
	typedef int start(main_function *, int, char **, void (*)(void), void (*)(void), void (*)(void), void *);
	start *next = (start *)next_function("__libc_start_main");
	program_main = main;
	return next(watched_main, argc, argv, init, fini, rtld_fini, stack_end);
}

/* The last moment at which the session's folder can be reached. */
EXPORT int chroot(const char *path)
{
	recording();
	if (!has_session()) return real.chroot(path);
	int note = begin_note(), result = real.chroot(path), saved = errno;
	end_note(note, result == 0 && !is_session_reachable()
		? "~what a process starts or forks behind chroot() is not recorded: it has closed what leads to the recorder" : NULL, path);
	errno = saved;
	return result;
}

/* ---- exec */

/* Notes PID and words in a file of the session's folder, where the file cannot be recorded. */
static const char *note_obstacle(const char *path)
{
	const char *why = path ? file_obstacle(path, 0) : NULL;
	if (why) note_unrecorded(path, why);
	return why;
}

static int is_variable(const char *entry, const char *name)
{
	size_t n = strlen(name);
	return !strncmp(entry, name, n) && entry[n] == '=';
}

static const char *library_path(void)
{
	Dl_info mine;
	return dladdr((void *)&program_main, &mine) ? mine.dli_fname : NULL;
}

static struct held held_library;

void hold_library(void)
{
	const char *path = library_path();
	if (path) hold(&held_library, path, O_PATH);
}

#define LOST_OBSTACLE "it is behind another root (chroot, pivot_root), without a /proc: the recorder cannot be found there"

/* What an environment lacks of the recorder, and how many bytes the lines need. */
struct additions {
	const char *session, *library; /* as the program will find them */
	const char *own_library;       /* as this process has found it */
	const char *preloaded;
	size_t count, bytes;
	int is_lost, lent[2];          /* what is lent to a program behind another root */
	char lent_library[HELD_PATH_BYTES], lent_session[64 + HELD_PATH_BYTES];
};

static int is_out_of_sight(const char *path) { return access(path, F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR); }

static void take_back(const struct additions *a)
{
	int saved = errno;
	for (int i = 0; i < 2; i++)
		if (a->lent[i] >= 0) close(a->lent[i]);
	errno = saved;
}

static void lend_recorder(struct additions *a)
{
	char folder[HELD_PATH_BYTES];
	size_t flags = strcspn(a->session, ":");
	a->lent[0] = lend(&held_library, a->lent_library);
	a->lent[1] = lend_session(folder);
	a->is_lost = a->lent[0] < 0 || a->lent[1] < 0 || flags >= 60;
	if (a->is_lost) return;
	memcpy(a->lent_session, a->session, flags);
	stpcpy(stpcpy(a->lent_session + flags, ":"), folder);
	a->session = a->lent_session;
	a->library = a->lent_library;
}

static void find_missing(struct additions *a, char *const envp[])
{
	int has_session = 0, has_library = 0;
	a->session = session_variable("ALLOCSIM_RECORD");
	a->library = a->own_library = library_path();
	a->preloaded = NULL;
	a->count = a->bytes = 0;
	a->is_lost = 0;
	a->lent[0] = a->lent[1] = -1;
	for (; envp && envp[a->count]; a->count++) {
		if (is_variable(envp[a->count], "ALLOCSIM_RECORD")) has_session = 1;
		if (is_variable(envp[a->count], "LD_PRELOAD")) {
			a->preloaded = envp[a->count] + strlen("LD_PRELOAD=");
			if (a->library && strstr(a->preloaded, a->library)) has_library = 1;
		}
	}
	if (!a->session || !a->library) return;
	if (is_out_of_sight(a->library)) lend_recorder(a);
	else if (has_session && has_library) return;
	if (!a->is_lost) a->bytes = 64 + strlen(a->session) + strlen(a->library) + (a->preloaded ? strlen(a->preloaded) : 0);
}

/* The others that are preloaded, each behind a colon. */
static void add_others(char *to, const struct additions *a)
{
	*to = 0;
	for (const char *at = a->preloaded; at && *at;) {
		size_t n = strcspn(at, ": ");
		if (n > 0 && (n != strlen(a->own_library) || memcmp(at, a->own_library, n))) {
			*to++ = ':';
			memcpy(to, at, n);
			*(to += n) = 0;
		}
		at += n + (at[n] != 0);
	}
}

static void add_to(char **to, char *text, char *const envp[], const struct additions *a)
{
	size_t n = 0;
	for (size_t i = 0; i < a->count; i++)
		if (!is_variable(envp[i], "ALLOCSIM_RECORD") && !is_variable(envp[i], "LD_PRELOAD")) to[n++] = envp[i];
	to[n++] = text;
	text = stpcpy(stpcpy(text, "ALLOCSIM_RECORD="), a->session) + 1;
	to[n++] = text;
	add_others(stpcpy(stpcpy(text, "LD_PRELOAD="), a->library), a);
	to[n] = NULL;
}

static void take_away_from(char **to, char *text, char *const envp[], const struct additions *a)
{
	size_t n = 0;
	for (size_t i = 0; i < a->count; i++)
		if (!is_variable(envp[i], "LD_PRELOAD")) to[n++] = envp[i];
	char *others = stpcpy(text, "LD_PRELOAD=");
	add_others(others, a);
	if (*others) {
		memmove(others, others + 1, strlen(others));
		to[n++] = text;
	}
	to[n] = NULL;
}

/* All of it lies on the stack: this may be a vfork's child. */
#define WITH_RECORDER(fixed, envp, file) \
	char *const *fixed = envp; \
	struct additions a_ = { .lent = { -1, -1 } }; \
	if (has_session()) { \
		const char *file_ = file, *why = note_obstacle(file_); \
		find_missing(&a_, envp); \
		if (a_.is_lost && !why && file_ && access(file_, X_OK) == 0) note_unrecorded(file_, LOST_OBSTACLE); \
		int is_barred = a_.is_lost || (why && !strcmp(why, MUSL_OBSTACLE) && a_.library); \
		if (is_barred || a_.bytes) { \
			char **to = alloca((a_.count + 3) * sizeof *to); \
			if (is_barred) take_away_from(to, alloca(64 + (a_.preloaded ? strlen(a_.preloaded) : 0)), envp, &a_); \
			else add_to(to, alloca(a_.bytes), envp, &a_); \
			fixed = to; \
		} \
	}

/* Where the call comes back: a failed exec, or a spawn. */
static int came_back(const struct additions *a, int result)
{
	take_back(a);
	return result;
}

EXPORT int execve(const char *path, char *const argv[], char *const envp[])
{
	WITH_RECORDER(fixed, envp, path)
	return came_back(&a_, real.execve(path, argv, fixed));
}

EXPORT int execv(const char *path, char *const argv[]) { return execve(path, argv, environ); }

EXPORT int execvpe(const char *file, char *const argv[], char *const envp[])
{
	char room[1024];
	WITH_RECORDER(fixed, envp, find_program(file, getenv("PATH"), room, sizeof room))
	return came_back(&a_, real.execvpe(file, argv, fixed));
}

EXPORT int execvp(const char *file, char *const argv[]) { return execvpe(file, argv, environ); }

EXPORT int fexecve(int fd, char *const argv[], char *const envp[])
{
	WITH_RECORDER(fixed, envp, NULL)
	return came_back(&a_, real.fexecve(fd, argv, fixed));
}

#define ARGUMENTS(argv, first, rest) \
	size_t argc_ = 1; \
	va_list rest; \
	va_start(rest, first); \
	while (va_arg(rest, char *)) argc_++; \
	va_end(rest); \
	char **argv = alloca((argc_ + 1) * sizeof *argv); \
	va_start(rest, first); \
	argv[0] = (char *)first; \
	for (size_t i_ = 1; i_ <= argc_; i_++) argv[i_] = va_arg(rest, char *)

EXPORT int execl(const char *path, const char *first, ...)
{
	ARGUMENTS(argv, first, rest);
	va_end(rest);
	return execve(path, argv, environ);
}

EXPORT int execlp(const char *file, const char *first, ...)
{
	ARGUMENTS(argv, first, rest);
	va_end(rest);
	return execvpe(file, argv, environ);
}

EXPORT int execle(const char *path, const char *first, ...)
{
	ARGUMENTS(argv, first, rest);
	char *const *envp = va_arg(rest, char *const *);
	va_end(rest);
	return execve(path, argv, envp);
}

EXPORT int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                       const posix_spawnattr_t *attributes, char *const argv[], char *const envp[])
{
	WITH_RECORDER(fixed, envp, path)
	return came_back(&a_, real.posix_spawn(pid, path, actions, attributes, argv, fixed));
}

EXPORT int posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
                        const posix_spawnattr_t *attributes, char *const argv[], char *const envp[])
{
	char room[1024];
	WITH_RECORDER(fixed, envp, find_program(file, getenv("PATH"), room, sizeof room))
	return came_back(&a_, real.posix_spawnp(pid, file, actions, attributes, argv, fixed));
}
