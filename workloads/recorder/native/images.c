/* All images of the session, as their rings are found in its folder. */
#include "keeper.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct image **images;
size_t image_count, live_count;
int has_ended, is_one_unready;
static size_t image_room;
static const char *folder, *logs;
static size_t ring_file_bytes;

void look_in(const char *rings, const char *logs_folder, int with_sites)
{
	folder = rings;
	logs = logs_folder;
	ring_file_bytes = RING_BYTES + (with_sites ? SITE_BYTES : 0);
}

/* Never of another file: the folder may be open to all. */
static int resize(const char *name, size_t bytes)
{
	char path[600];
	struct stat st;
	snprintf(path, sizeof path, "%s/%.200s", folder, name);
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0) return errno;
	int error = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1 ? 0 : EINVAL;
	if (!error && ftruncate(fd, (off_t)bytes)) error = errno;
	close(fd);
	return error;
}

/* A ring that cannot have its room goes: its process does not wait any longer. */
static void make_room_for(const char *name)
{
	char path[600];
	int error = has_ended ? 0 : resize(name, ring_file_bytes);
	if (!error && !has_ended) return;
	snprintf(path, sizeof path, "%s/%.200s", folder, name);
	unlink(path);
	if (error) log_error = error;
}

static void tell_zend(const struct image *m)
{
	if (m->ring->zend[0]) tell("zend %d %u %.127s\n", m->pid, m->number, m->ring->zend);
}

void close_image(struct image *m)
{
	finish_image(m);
	tell_zend(m);
	munmap(m->ring, RING_BYTES);
	live_count--;
}

void end_image(struct image *m)
{
	if (m->is_over) return;
	drain(m, now_ns(), 1);
	close_image(m);
	resize(m->name, 0); /* the name stays taken */
}

static struct image *find_image(const char *name)
{
	for (size_t i = 0; i < image_count; i++)
		if (!strcmp(images[i]->name, name)) return images[i];
	return NULL;
}

static void add_image(const char *name);

/* What the parent had mapped when it forked: its ring is read up to there first, and found first. */
static struct image *inherit(struct image *m)
{
	char name[RING_NAME];
	snprintf(name, sizeof name, "%u.%u", (unsigned)(m->ring->parent_image >> 32), (unsigned)m->ring->parent_image);
	add_image(name);
	struct image *parent = find_image(name);
	if (!parent) return NULL;
	if (!parent->is_over) drain(parent, now_ns(), 0);
	inherit_mapped(&m->mapped, &parent->mapped, m->ring->parent_slot);
	return parent;
}

/* Who it is on the host, where its own numbers are those of a namespace. */
static void identify(struct image *m, const struct image *parent)
{
	if (!(m->ring->flags & NUMBER_OF_NAMESPACE)) return;
	pid_t pid = m->ring->flags & NUMBER_NOT_TOLD ? 0 : number_of(m->name);
	m->is_nameless = pid <= 0;
	if (m->is_nameless) {
		tell("nameless %d\n", m->pid);
	} else {
		m->pid = pid;
		pid_t above = parent_of(pid);
		if (above >= 0) m->ppid = above;
	}
	if (parent && m->own_ppid == parent->own_pid) m->ppid = parent->pid;
}

/* Two rings whose processes were, one after the other, the same one on the host may have the same number. */
static void set_apart(struct image *m)
{
	for (size_t i = 0; i < image_count; i++)
		if (images[i]->pid == m->pid && images[i]->number >= m->number && (images[i]->own_pid != m->own_pid || m->is_nameless))
			m->number = images[i]->number + 1;
}

static int is_same_process(const struct image *a, const struct image *b)
{
	return a->pid == b->pid && !a->is_nameless && !b->is_nameless;
}

int is_gone(const struct image *m)
{
	if (m->is_nameless) return 0;
	struct pollfd p = { m->pidfd, POLLIN, 0 };
	if (m->pidfd >= 0) return poll(&p, 1, 0) > 0;
	return kill(m->pid, 0) != 0 && errno == ESRCH;
}

static void tell_image(const struct image *m, const struct image *parent)
{
	const struct ring_header *r = m->ring;
	tell("image %d %u %d %u %u %u %llu %u %u %llu %d %.255s\n", m->pid, m->number, m->ppid, r->kind,
	     parent ? (unsigned)parent->pid : (unsigned)(r->parent_image >> 32), parent ? parent->number : (unsigned)r->parent_image,
	     (unsigned long long)r->parent_slot, r->thread, r->flags, (unsigned long long)r->start_ticks, m->own_pid,
	     r->allocator[0] ? r->allocator : "-");
}

static void add_image(const char *name)
{
	if (has_ended || find_image(name)) return;
	struct image *m = open_image(folder, name);
	if (!m) { /* its process has just made the file, and has yet to write the header */
		if (kill((pid_t)strtol(name, NULL, 10), 0) == 0 || errno == EPERM) is_one_unready = 1;
		return;
	}
	struct image *parent = m->ring->kind == IMAGE_FORKED ? inherit(m) : NULL;
	identify(m, parent);
	set_apart(m);
	begin_log(m, logs);
	int is_replaced = 0; /* by exec; rings are not found in their order */
	for (size_t i = 0; i < image_count; i++) {
		if (!is_same_process(images[i], m)) continue;
		if (images[i]->number < m->number) end_image(images[i]);
		else is_replaced = 1;
	}
	if (image_count == image_room) images = resized(images, (image_room = 2 * image_room + 64) * sizeof *images);
	images[image_count++] = m;
	live_count++;
	tell_image(m, parent);
	if (is_replaced || (m->pidfd < 0 && is_gone(m))) end_image(m);
}

void look_for_images(void)
{
	is_one_unready = 0;
	hear_numbers();
	DIR *d = opendir(folder);
	for (struct dirent *e; d && (e = readdir(d));) {
		char path[600];
		int is_wish = !strncmp(e->d_name, "room.", 5);
		if (is_wish) make_room_for(e->d_name + 5);
		if (is_wish || !strncmp(e->d_name, "ask.", 4)) {
			snprintf(path, sizeof path, "%s/%.200s", folder, e->d_name);
			unlink(path);
		} else if (e->d_name[0] >= '0' && e->d_name[0] <= '9') {
			add_image(e->d_name);
		}
	}
	if (d) closedir(d);
}

void end_lost_images(int all)
{
	for (size_t i = 0; i < image_count; i++)
		if (!images[i]->is_over && (all || images[i]->is_nameless || is_gone(images[i]))) end_image(images[i]);
}
