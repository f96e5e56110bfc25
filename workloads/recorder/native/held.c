/*
 * A folder that is held open can be used whatever becomes of the root. So a fork's child behind chroot() makes its ring as
 * others do; what is started there by exec finds both by /proc/self/fd, where there is a /proc.
 */
#include "recorder.h"
#include "held.h"
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Above what programs count on, below the usual limit of 1024: where that is lower, nothing is held. */
#define HELD_FROM 960
#define PROC_FD "/proc/self/fd/"

void hold(struct held *h, const char *path, int flags)
{
	struct stat st;
	int fd = open(path, flags | O_CLOEXEC);
	h->inode = 0;
	h->fd = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, HELD_FROM) : -1;
	if (fd >= 0) close(fd);
	if (h->fd < 0 || fstat(h->fd, &st) != 0) return;
	h->device = st.st_dev;
	h->inode = st.st_ino;
}

int is_held(const struct held *h)
{
	struct stat st;
	return h->inode && fstat(h->fd, &st) == 0 && st.st_dev == h->device && st.st_ino == h->inode;
}

int lend(const struct held *h, char *path)
{
	int fd = is_held(h) ? fcntl(h->fd, F_DUPFD, HELD_FROM) : -1;
	if (fd < 0) return -1;
	append_number(stpcpy(path, PROC_FD), (unsigned long)fd);
	if (access(path, F_OK) == 0) return fd;
	close(fd);
	return -1;
}
