/*
 * The life of a process: where its exit begins, and what it becomes or starts by exec. What is started keeps the
 * recorder even where its environment was swept clean; what cannot have it is noted by name.
 */
#include "recorder.h"
#include "program-file.h"
#include "session.h"
#include <alloca.h>
#include <dlfcn.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

extern char **environ;

/* ---- exit */

static void exit_begins(int status)
{
	static _Atomic int noted;
	if (!is_recorded_process() || atomic_exchange(&noted, 1)) return; /* a vfork's child leaves with its parent's memory */
	int saved = errno;
	log_extended(OP_EXIT, NULL, (uint32_t)status, 0);
	/* A fork's child that did next to nothing is not worth the wait: there may be thousands. */
	if (ring->kind == IMAGE_STARTED || next_slot > 1000 || has_big_blocks()) ask_keeper();
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
		? "~what a process starts or forks behind chroot() is not recorded: the recorder lies outside" : NULL, path);
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

/* How many bytes the lines need that are to be added, and what of it is missing. */
struct additions {
	const char *session, *library, *preloaded;
	size_t count, bytes;
};

static struct additions missing_in(char *const envp[])
{
	struct additions a = { session_variable("ALLOCSIM_RECORD"), library_path(), NULL, 0, 0 };
	int has_session = 0, has_library = 0;
	for (; envp && envp[a.count]; a.count++) {
		if (is_variable(envp[a.count], "ALLOCSIM_RECORD")) has_session = 1;
		if (is_variable(envp[a.count], "LD_PRELOAD")) {
			a.preloaded = envp[a.count] + strlen("LD_PRELOAD=");
			if (a.library && strstr(a.preloaded, a.library)) has_library = 1;
		}
	}
	if (!a.session || !a.library || (has_session && has_library)) return a;
	a.bytes = 64 + strlen(a.session) + strlen(a.library) + (a.preloaded ? strlen(a.preloaded) : 0);
	return a;
}

static void add_to(char **to, char *text, char *const envp[], const struct additions *a)
{
	size_t n = 0;
	for (size_t i = 0; i < a->count; i++)
		if (!is_variable(envp[i], "ALLOCSIM_RECORD") && !is_variable(envp[i], "LD_PRELOAD")) to[n++] = envp[i];
	to[n++] = text;
	text = stpcpy(stpcpy(text, "ALLOCSIM_RECORD="), a->session) + 1;
	to[n++] = text;
	text = stpcpy(stpcpy(text, "LD_PRELOAD="), a->library);
	if (a->preloaded && *a->preloaded) strcpy(stpcpy(text, ":"), a->preloaded);
	to[n] = NULL;
}

/* The recorder's library stands first among those that are preloaded: the others stay. */
static void take_away_from(char **to, char *text, char *const envp[], const struct additions *a)
{
	size_t n = 0, length = strlen(a->library);
	for (size_t i = 0; i < a->count; i++)
		if (!is_variable(envp[i], "LD_PRELOAD")) to[n++] = envp[i];
	if (a->preloaded && !strncmp(a->preloaded, a->library, length) && a->preloaded[length] == ':') {
		to[n++] = text;
		strcpy(stpcpy(text, "LD_PRELOAD="), a->preloaded + length + 1);
	}
	to[n] = NULL;
}

/* All of it lies on the stack: this may be a vfork's child. */
#define WITH_RECORDER(fixed, envp, file) \
	char *const *fixed = envp; \
	if (has_session()) { \
		const char *why = note_obstacle(file); \
		struct additions a = missing_in(envp); \
		int is_barred = why && !strcmp(why, MUSL_OBSTACLE) && a.library; \
		if (is_barred || a.bytes) { \
			char **to = alloca((a.count + 3) * sizeof *to); \
			if (is_barred) take_away_from(to, alloca(64 + (a.preloaded ? strlen(a.preloaded) : 0)), envp, &a); \
			else add_to(to, alloca(a.bytes), envp, &a); \
			fixed = to; \
		} \
	}

EXPORT int execve(const char *path, char *const argv[], char *const envp[])
{
	WITH_RECORDER(fixed, envp, path)
	return real.execve(path, argv, fixed);
}

EXPORT int execv(const char *path, char *const argv[]) { return execve(path, argv, environ); }

EXPORT int execvpe(const char *file, char *const argv[], char *const envp[])
{
	char room[1024];
	WITH_RECORDER(fixed, envp, find_program(file, getenv("PATH"), room, sizeof room))
	return real.execvpe(file, argv, fixed);
}

EXPORT int execvp(const char *file, char *const argv[]) { return execvpe(file, argv, environ); }

EXPORT int fexecve(int fd, char *const argv[], char *const envp[])
{
	WITH_RECORDER(fixed, envp, NULL)
	return real.fexecve(fd, argv, fixed);
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
	return real.posix_spawn(pid, path, actions, attributes, argv, fixed);
}

EXPORT int posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
                        const posix_spawnattr_t *attributes, char *const argv[], char *const envp[])
{
	char room[1024];
	WITH_RECORDER(fixed, envp, find_program(file, getenv("PATH"), room, sizeof room))
	return real.posix_spawnp(pid, file, actions, attributes, argv, fixed);
}
