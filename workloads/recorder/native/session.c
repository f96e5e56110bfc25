/*
 * What this process knows of the session: from its environment, and from the page that the keeper shares with all. Its own
 * process number may be that of a namespace; then the keeper learns from the kernel which one it has on the host.
 */
#include "recorder.h"
#include "held.h"
#include "session.h"
#include "sites.h"
#include <fcntl.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

static char folder[200];
static struct held held_folder;
static const struct keeper_page *keeper;
/* Of this process, or the one that it was forked from. */
static int had_numbers_of_keeper;

/* ---- the environment, as the kernel has it: the C library's own is not there yet at the first calls */

static char environment[1 << 16];

const char *session_variable(const char *name)
{
	static long length = -1;
	if (length < 0) {
		length = 0;
		int fd = open("/proc/self/environ", O_RDONLY | O_CLOEXEC);
		/* What is wanted may lie behind more than fits: only the lines of the recorder are kept. */
		char piece[4096];
		long kept = 0;
		int matching = 1;
		for (ssize_t n; fd >= 0 && (n = read(fd, piece, sizeof piece)) > 0;) {
			for (ssize_t i = 0; i < n; i++) {
				if (matching && kept < (long)sizeof environment - 1) {
					environment[length + kept++] = piece[i];
					if (kept <= 9 && "ALLOCSIM_"[kept - 1] != piece[i]) matching = 0, kept = 0;
				}
				if (piece[i] == 0) {
					if (matching) length += kept;
					matching = 1;
					kept = 0;
				}
			}
		}
		if (fd >= 0) close(fd);
	}
	size_t n = strlen(name);
	for (long i = 0; i < length; i += (long)strlen(environment + i) + 1)
		if (!strncmp(environment + i, name, n) && environment[i + n] == '=') return environment + i + n + 1;
	return NULL;
}

char *append_number(char *to, unsigned long number)
{
	char digits[24], *d = digits + sizeof digits;
	*--d = 0;
	do *--d = (char)('0' + number % 10);
	while (number /= 10);
	return stpcpy(to, d);
}

static char *path_in_folder(char *path, const char *name) { return stpcpy(stpcpy(stpcpy(path, folder), "/"), name); }

static int open_in_folder(const char *name, int flags)
{
	char path[300];
	path_in_folder(path, name);
	int fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd >= 0 || (errno != ENOENT && errno != ENOTDIR) || !is_held(&held_folder)) return fd;
	return openat(held_folder.fd, name, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
}

int open_in_session(const char *kind, unsigned long pid, unsigned long *n, int flags)
{
	char name[60];
	for (; *n < 100000; ++*n) {
		append_number(stpcpy(append_number(stpcpy(name, kind), pid), "."), *n);
		int fd = open_in_folder(name, flags | O_CREAT | O_EXCL);
		if (fd >= 0 || errno != EEXIST) return fd;
	}
	return -1;
}

static int map_keeper(void)
{
	int fd = open_in_folder(KEEPER_PAGE, O_RDONLY);
	void *map = fd >= 0 ? mmap(NULL, sizeof *keeper, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
	if (fd >= 0) close(fd);
	keeper = map == MAP_FAILED ? NULL : map;
	return keeper != NULL;
}

/* ALLOCSIM_RECORD is FLAGS:FOLDER; the first flag is the clock. */
int read_session(void)
{
	const char *session = session_variable("ALLOCSIM_RECORD");
	if (!session || strlen(session) >= sizeof folder) return 0;
	clock_is_counter = session[0] == 'c';
	const char *at = session;
	for (; *at && *at != ':'; at++) {
		if (*at == 's') with_sites = 1;
		if (*at == 'n') without_zend = 1;
		if (*at == 'f') without_fill = 1;
	}
	if (*at != ':') return 0;
	strcpy(folder, at + 1);
	if (!map_keeper()) return 0;
	hold(&held_folder, folder, O_PATH);
	return 1;
}

int is_in_session(void) { return folder[0] != 0; }

int keeper_is_gone(void) { return (atomic_load_explicit(&keeper->life, memory_order_relaxed) & FUTEX_OWNER_DIED) != 0; }

void wake_keeper(unsigned long pid)
{
	char name[60];
	append_number(stpcpy(name, "ask."), pid);
	int fd = open_in_folder(name, O_WRONLY | O_CREAT);
	if (fd >= 0) close(fd);
}

void ask_for_room(unsigned long pid, unsigned long n)
{
	char name[60];
	append_number(stpcpy(append_number(stpcpy(name, "room."), pid), "."), n);
	int fd = open_in_folder(name, O_WRONLY | O_CREAT);
	if (fd >= 0) close(fd);
}

void remove_ring(unsigned long pid, unsigned long n)
{
	char path[300], *name = path_in_folder(path, "");
	append_number(stpcpy(append_number(name, pid), "."), n);
	if (unlink(path) != 0 && is_held(&held_folder)) unlinkat(held_folder.fd, name, 0);
}

/* ---- the process's number on the host */

/* Without a /proc: the first process of a namespace has a parent that it cannot see. */
static int has_numbers_of_keeper(void)
{
	struct stat own;
	if (stat("/proc/self/ns/pid", &own) == 0) had_numbers_of_keeper = own.st_ino == keeper->pid_namespace;
	else if (syscall(SYS_getppid) == 0) had_numbers_of_keeper = 0;
	return had_numbers_of_keeper;
}

/* The kernel adds who sends it, in the numbers of him who receives it. */
static int send_name(unsigned long pid, unsigned long n)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	char name[60], path[300], lent_path[HELD_PATH_BYTES];
	char *end = append_number(stpcpy(append_number(name, pid), "."), n);
	path_in_folder(path, KEEPER_SOCKET);
	int lent = access(path, F_OK) == 0 ? -1 : lend(&held_folder, lent_path);
	if (lent >= 0) stpcpy(stpcpy(path, lent_path), "/" KEEPER_SOCKET);
	int fd = strlen(path) < sizeof to.sun_path ? (int)syscall(SYS_socket, AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0) : -1;
	if (fd < 0) {
		if (lent >= 0) close(lent);
		return 0;
	}
	strcpy(to.sun_path, path);
	long sent;
	do sent = syscall(SYS_sendto, fd, name, (size_t)(end - name), MSG_NOSIGNAL, &to, sizeof to);
	while (sent < 0 && errno == EINTR);
	close(fd);
	if (lent >= 0) close(lent);
	return sent > 0;
}

uint32_t announce(unsigned long pid, unsigned long n)
{
	if (has_numbers_of_keeper()) return 0;
	return send_name(pid, n) ? NUMBER_OF_NAMESPACE : NUMBER_OF_NAMESPACE | NUMBER_NOT_TOLD;
}

/* ---- words */

/* The file `no.PID.K` holds the words and the path; it may have been begun where the folder cannot be reached any more. */
int begin_note(void)
{
	unsigned long k = 0;
	return open_in_session("no.", (unsigned long)syscall(SYS_getpid), &k, O_WRONLY);
}

void end_note(int fd, const char *why, const char *path)
{
	if (fd < 0) return;
	if (why && (write(fd, why, strlen(why)) < 0 || write(fd, "\n", 1) < 0 || write(fd, path, strlen(path)) < 0)) {}
	close(fd);
}

void note_unrecorded(const char *path, const char *why)
{
	if (is_in_session()) end_note(begin_note(), why, path);
}

int is_session_reachable(void)
{
	char path[300];
	path_in_folder(path, KEEPER_PAGE);
	return access(path, F_OK) == 0 || is_held(&held_folder);
}

int lend_session(char *path) { return lend(&held_folder, path); }
