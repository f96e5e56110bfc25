/* held.c: what is used where its path leads nowhere, behind another root (chroot(2), pivot_root(2)), or again and again. */
#ifndef ALLOCSIM_HELD_H
#define ALLOCSIM_HELD_H
#include <sys/types.h>

/* A file that is held open, under a number that programs do not use. */
struct held {
	int fd; /* verified by the others: the program may have closed it */
	dev_t device;
	ino_t inode;
};

/* What a path `/proc/self/fd/N` takes. */
#define HELD_PATH_BYTES 40

void hold(struct held *h, const char *path, int flags);
int is_held(const struct held *h);
/* A copy that outlives an exec, and its path. -1: there is none, or /proc is not there. */
int lend(const struct held *h, char *path);

#endif
