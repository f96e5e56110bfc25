/*
 * From the ring of an image to its log. A record of the log is
 *
 *   byte     op, + 64: extended, + 128: by another thread than the record before
 *   [thread] ticks since the record before
 *   address  / 8; of a call (malloc … free, emalloc … efree) as the difference from the last call's, zigzag
 *   value, or the two arguments of an extended record
 *
 * all numbers in groups of seven bits, the lowest first. SAMPLE is followed by the length of a text and the text.
 */
#include "keeper.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

uint64_t written_bytes;
int log_error;

/* A log that cannot go on ends with a whole record: nothing comes after what is missing. */
static void flush(struct image *m)
{
	size_t done = 0, wanted = m->is_broken ? 0 : m->filled;
	while (done < wanted) {
		ssize_t n = write(m->log, m->buffer + done, wanted - done);
		if (n < 0 && errno == EINTR) continue;
		if (n <= 0) break;
		done += (size_t)n;
	}
	if (done < wanted) {
		log_error = errno ? errno : ENOSPC;
		m->is_broken = 1;
		off_t end = lseek(m->log, 0, SEEK_CUR);
		if (end < 0 || ftruncate(m->log, end - (off_t)done)) {}
	}
	written_bytes += done;
	m->filled = 0;
}

void put_byte(struct image *m, unsigned char byte)
{
	if (m->filled == LOG_BUFFER) flush(m);
	m->buffer[m->filled++] = byte;
}

void put_number(struct image *m, uint64_t number)
{
	for (; number > 127; number >>= 7) put_byte(m, (unsigned char)(number | 128));
	put_byte(m, (unsigned char)number);
}

void put_bytes(struct image *m, const void *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++) put_byte(m, ((const unsigned char *)bytes)[i]);
}

#define IS_CALL(op) ((op) <= OP_FREE || ((op) >= OP_EMALLOC && (op) <= OP_EFREE))

static void put_record(struct image *m, unsigned op, int extended, uint32_t thread, uint64_t now, uint64_t address,
                       uint64_t first, uint64_t second)
{
	int other = thread != m->last_thread;
	if (m->filled + 64 > LOG_BUFFER) flush(m);
	put_byte(m, (unsigned char)(op | (extended ? 64 : 0) | (other ? 128 : 0)));
	if (other) put_number(m, m->last_thread = thread);
	put_number(m, now > m->last_ticks ? now - m->last_ticks : 0);
	if (now > m->last_ticks) m->last_ticks = now;
	if (IS_CALL(op)) {
		int64_t step = (int64_t)(address - m->last_address);
		put_number(m, (uint64_t)step << 1 ^ (uint64_t)(step >> 63));
		m->last_address = address;
	} else {
		put_number(m, address);
	}
	put_number(m, first);
	if (extended) put_number(m, second);
}

void put_pages(struct image *m, uint64_t address, uint64_t first, uint64_t count)
{
	put_record(m, OP_SEEN, 1, m->last_thread, m->last_ticks, address / 8, first, count);
}

/* ---- the blocks whose pages are watched */

static struct block *place_of(struct block *blocks, size_t room, uint64_t address)
{
	size_t i = address * 0x9e3779b97f4a7c15ull >> 32 & (room - 1);
	while (blocks[i].address && blocks[i].address != address) i = (i + 1) & (room - 1);
	return &blocks[i];
}

static void watch(struct image *m, struct block of)
{
	if (2 * m->watched_count >= m->watched_room) {
		size_t room = m->watched_room ? 2 * m->watched_room : 64;
		struct block *grown = zeroed(room, sizeof *grown);
		for (size_t i = 0; i < m->watched_room; i++)
			if (m->watched[i].address) *place_of(grown, room, m->watched[i].address) = m->watched[i];
		free(m->watched);
		m->watched = grown;
		m->watched_room = room;
	}
	struct block *b = place_of(m->watched, m->watched_room, of.address);
	if (!b->address) m->watched_count++;
	*b = of;
}

static void unwatch(struct image *m, uint64_t address)
{
	if (!m->watched_count) return;
	struct block *hole = place_of(m->watched, m->watched_room, address);
	if (!hole->address) return;
	m->watched_count--;
	size_t mask = m->watched_room - 1, h = (size_t)(hole - m->watched);
	for (size_t i = (h + 1) & mask; m->watched[i].address; i = (i + 1) & mask) {
		size_t home = m->watched[i].address * 0x9e3779b97f4a7c15ull >> 32 & mask;
		if (((i - home) & mask) < ((i - h) & mask)) continue;
		m->watched[h] = m->watched[i];
		h = i;
	}
	m->watched[h].address = 0;
}

/* ---- draining */

static uint64_t size_in(unsigned op, uint64_t value, int extended, uint64_t first, uint64_t second)
{
	switch (op) {
	case OP_MALLOC: case OP_REALLOC_END: case OP_EMALLOC: case OP_EREALLOC_END: return extended ? first : value;
	case OP_CALLOC: case OP_ECALLOC: return extended ? first * second : (value >> 16) * (value & 0xffff);
	case OP_MEMALIGN: return extended ? second : value & 0x3ffff;
	default: return 0;
	}
}

static void note_blocks(struct image *m, unsigned op, uint64_t address, uint64_t size, uint64_t first, uint64_t pages)
{
	switch (op) {
	case OP_FREE: case OP_REALLOC_BEGIN: case OP_EFREE: case OP_EREALLOC_BEGIN:
		unwatch(m, address);
		return;
	case OP_WRITTEN: /* asked for when a block goes: the end of a request names none */
		if (!pages) unwatch(m, address);
		return;
	case OP_RESIDENT:
		if (!pages) watch(m, (struct block){ address, m->last_size, 0, (int)first });
		return;
	default:
		if (size) m->last_size = size;
	}
}

/* The full ticks of 32 bits that lie within half their range of the last ones. */
static uint64_t full_ticks(struct image *m, uint32_t low)
{
	return m->last_ticks + (uint64_t)(int64_t)(int32_t)(low - (uint32_t)m->last_ticks);
}

static uint64_t low_of(const struct image *m, uint64_t index)
{
	return atomic_load_explicit(&m->slots[index & (RING_SLOTS - 1)].low, memory_order_acquire);
}

/* Whether it is the word of this lap. */
static int is_complete(uint64_t low, uint64_t index) { return !(low & LOW_LAP) == !!(index & RING_SLOTS); }

int has_news(const struct image *m) { return is_complete(low_of(m, m->next), m->next); }

static void take(struct image *m, const struct slot *s, uint64_t low)
{
	unsigned op = low >> LOW_OP_SHIFT & 63;
	int extended = !!(low & LOW_EXTENDED);
	uint64_t value = low >> LOW_VALUE_SHIFT & ((1u << VALUE_BITS) - 1), first = value, second = 0;
	if (extended) {
		const struct slot *more = &m->slots[(m->next + 1) & (RING_SLOTS - 1)];
		first = more->high;
		second = atomic_load_explicit(&more->low, memory_order_relaxed) & ~LOW_LAP;
	}
	uint64_t now = op == OP_EPOCH ? first : full_ticks(m, (uint32_t)low), address = s->high >> THREAD_BITS;
	uint32_t thread = s->high & ((1u << THREAD_BITS) - 1);
	put_record(m, op, extended, thread, now, address, first, second);
	if (op == OP_WATCHED) watch(m, (struct block){ address * 8, first, 1, (int)second });
	else if (op == OP_MAPPED || op == OP_UNMAPPED) change_mapped(&m->mapped, (struct mapping_change){ m->next, address * 8, first, op == OP_UNMAPPED });
	else if (op <= OP_FREE || (op >= OP_RESIDENT && op <= OP_EFREE)) note_blocks(m, op, address * 8, size_in(op, value, extended, first, second), first, second);
	m->events++;
	m->next += extended ? 2 : 1;
}

/* So long a record may take to become complete; then it is given up: its thread was ended, or left by a long jump. */
#define PATIENCE_NS 500000000

uint64_t drain(struct image *m, int64_t now_ns, int finally)
{
	uint64_t begin = m->next, taken = 0;
	for (uint64_t limit = begin + RING_SLOTS; m->next < limit; taken++) {
		struct slot *s = &m->slots[m->next & (RING_SLOTS - 1)];
		uint64_t low = low_of(m, m->next);
		int ready = is_complete(low, m->next) && (!(low & LOW_EXTENDED) || is_complete(low_of(m, m->next + 1), m->next + 1));
		if (ready) {
			take(m, s, low);
			if ((taken & 4095) == 4095) atomic_store_explicit(&m->ring->tail, m->next, memory_order_release);
			continue;
		}
		/* Not taken yet, or taken and not complete: then something behind it is. */
		int is_hole = 0;
		for (uint64_t i = m->next + 1; i < m->next + 256 && !is_hole; i++) is_hole = is_complete(low_of(m, i), i);
		if (!is_hole) {
			m->stuck_ns = 0;
			break;
		}
		if (!finally) {
			if (!m->stuck_ns) m->stuck_ns = now_ns;
			if (now_ns - m->stuck_ns < PATIENCE_NS) break;
		}
		put_record(m, OP_CUT, 0, m->last_thread, m->last_ticks, m->last_address, 0, 0);
		m->next++;
	}
	if (m->next != begin) {
		m->stuck_ns = 0;
		atomic_store_explicit(&m->ring->tail, m->next, memory_order_release);
	}
	return m->next - begin;
}

/* ---- opening and closing */

struct image *open_image(const char *folder, const char *name)
{
	char path[600];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;
	if (fd < 0) return NULL;
	void *map = fstat(fd, &st) == 0 && st.st_size >= (off_t)RING_BYTES
		? mmap(NULL, RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
	close(fd);
	if (map == MAP_FAILED) return NULL;
	struct ring_header *ring = map;
	if (memcmp(ring->magic, RING_MAGIC, 8) != 0) {
		munmap(map, RING_BYTES);
		return NULL;
	}
	atomic_thread_fence(memory_order_acquire);
	struct image *m = zeroed(1, sizeof *m);
	char *dot = strchr(name, '.');
	snprintf(m->name, sizeof m->name, "%s", name);
	m->pid = m->own_pid = (int32_t)strtol(name, NULL, 10);
	m->number = (uint32_t)strtoul(dot ? dot + 1 : "0", NULL, 10);
	m->ppid = m->own_ppid = ring->ppid;
	m->ring = ring;
	m->slots = (struct slot *)((char *)map + RING_HEADER);
	m->last_ticks = ring->start_ticks;
	m->exit_status = -1;
	m->buffer = resized(NULL, LOG_BUFFER);
	m->log = m->pidfd = -1;
	return m;
}

void begin_log(struct image *m, const char *logs)
{
	char path[600];
	snprintf(path, sizeof path, "%s/%d.%u", logs, m->pid, m->number);
	m->log = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (!m->is_nameless) m->pidfd = (int)syscall(SYS_pidfd_open, m->pid, 0);
}

void finish_image(struct image *m)
{
	if (m->is_over) return;
	m->is_over = 1;
	flush(m);
	close(m->log);
	atomic_store(&m->ring->closed, 1);
	free(m->buffer);
	free(m->watched);
	free(m->seen);
	m->watched = NULL;
	m->seen = NULL;
	m->buffer = NULL;
}
