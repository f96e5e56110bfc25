/*
 * What the keeper shares with the processes beside their rings: the page by which they see whether it lives, and the socket by
 * which those with process numbers of their own (pid_namespaces(7)) tell whose a ring is. The kernel adds the number of who
 * sends to what is sent (SCM_CREDENTIALS, unix(7)), in the keeper's numbers, also of one that is gone when it is received.
 */
#include "keeper.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

static int desk = -1;
static struct { char name[RING_NAME]; pid_t pid; } *told;
static size_t told_count, told_room;

/* The kernel marks `life` when this process ends, however it ends: get_robust_list(2). */
static void hold(_Atomic uint32_t *life)
{
	static struct robust_list entry;
	static struct robust_list_head head;
	atomic_store(life, (uint32_t)syscall(SYS_gettid));
	entry.next = &head.list;
	head.list.next = &entry;
	head.futex_offset = (char *)life - (char *)&entry;
	syscall(SYS_set_robust_list, &head, sizeof head);
}

static int share_page(const char *folder)
{
	char path[600];
	struct stat own;
	snprintf(path, sizeof path, "%s/" KEEPER_PAGE, folder);
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0) return errno;
	struct keeper_page *page = fchmod(fd, 0644) == 0 && ftruncate(fd, 4096) == 0
		? mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
	int error = page == MAP_FAILED ? errno : 0;
	close(fd);
	if (error) return error;
	page->pid_namespace = stat("/proc/self/ns/pid", &own) == 0 ? own.st_ino : 0;
	hold(&page->life);
	return 0;
}

/* Without it, where the path is too long for one, processes with numbers of their own cannot say who they are. */
static void open_desk(const char *folder)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int one = 1;
	if (snprintf(at.sun_path, sizeof at.sun_path, "%s/" KEEPER_SOCKET, folder) >= (int)sizeof at.sun_path) return;
	desk = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (desk < 0) return;
	if (setsockopt(desk, SOL_SOCKET, SO_PASSCRED, &one, sizeof one) || bind(desk, (struct sockaddr *)&at, sizeof at) ||
	    chmod(at.sun_path, 0666)) {
		close(desk);
		desk = -1;
	}
}

int open_session(const char *folder)
{
	int error = share_page(folder);
	if (!error) open_desk(folder);
	return error;
}

int session_socket(void) { return desk; }

void hear_numbers(void)
{
	char name[RING_NAME];
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(struct ucred))];
	} control;
	if (desk < 0) return;
	for (;;) {
		struct iovec text = { name, sizeof name - 1 };
		struct msghdr message = { .msg_iov = &text, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
		ssize_t n = recvmsg(desk, &message, MSG_CMSG_CLOEXEC);
		if (n < 0) return;
		struct cmsghdr *c = CMSG_FIRSTHDR(&message);
		if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_CREDENTIALS) continue;
		struct ucred who;
		memcpy(&who, CMSG_DATA(c), sizeof who);
		name[n] = 0;
		if (told_count == told_room) told = resized(told, (told_room = 2 * told_room + 64) * sizeof *told);
		strcpy(told[told_count].name, name);
		told[told_count++].pid = who.pid;
	}
}

pid_t number_of(const char *name)
{
	hear_numbers();
	for (size_t i = 0; i < told_count; i++)
		if (!strcmp(told[i].name, name)) return told[i].pid;
	return 0;
}

unsigned own_number(int pid, const char *thread)
{
	char path[80], line[256];
	unsigned number = 0;
	snprintf(path, sizeof path, "/proc/%d/task/%.20s/status", pid, thread);
	FILE *f = fopen(path, "re");
	while (f && fgets(line, sizeof line, f)) {
		if (strncmp(line, "NSpid:", 6)) continue;
		char *last = strrchr(line, '\t');
		if (last) sscanf(last, "%u", &number);
	}
	if (f) fclose(f);
	return number;
}
