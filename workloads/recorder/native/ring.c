/*
 * The ring of this process: made at its first call, even before the C library knows its environment; made anew by a
 * fork's child, which remembers where in its parent's ring it began.
 */
#include "recorder.h"
#include "session.h"
#include "sites.h"
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

_Alignas(65536) static union {
	struct fork_aware now;
	char page[65536];
} wiped_by_fork;
extern struct fork_aware in_process __attribute__((alias("wiped_by_fork")));

struct ring_header *ring;
struct slot *slots;
uint64_t next_slot, room_until;
uint32_t epoch;
int clock_is_counter, without_zend, without_fill, has_shared_pages;
THREAD_LOCAL uint32_t thread_mark;

static _Atomic uint32_t thread_count;
static pthread_key_t exit_key;
static _Atomic int has_exit_key;
/* PID << 32 | N of this image; 0: none yet. */
static uint64_t image;
static int never;
/* Of a fork's child: later it may have another one. */
static int parent_pid;

/* ---- the file */

static size_t ring_file_bytes(void) { return RING_BYTES + (with_sites ? SITE_BYTES : 0); }

/* A keeper that lives comes, once it has a processor. */
#define KEEPER_PATIENCE_MS 10000

static void nap(long ns)
{
	struct timespec t = { 0, ns };
	uint32_t nobody = 0;
	syscall(SYS_futex, &nobody, FUTEX_WAIT_PRIVATE, 0, &t, NULL, 0); /* unlike nanosleep no cancellation point */
}

/* Files of this size are beyond what this process may write: the keeper may. */
static int has_room_made(int fd, unsigned long pid, unsigned long n)
{
	struct stat st;
	ask_for_room(pid, n);
	for (int i = 0; i < KEEPER_PATIENCE_MS && !keeper_is_gone(); i++) {
		if (fstat(fd, &st) != 0 || st.st_nlink == 0) return 0;
		if (st.st_size >= (off_t)ring_file_bytes()) return 1;
		nap(1000000);
	}
	return 0;
}

/* Its room is there before anything is written: a write into a mapping cannot fail gracefully. */
static int make_room(int fd, unsigned long pid, unsigned long n)
{
	struct rlimit own;
	if (getrlimit(RLIMIT_FSIZE, &own) == 0 && own.rlim_cur < ring_file_bytes()) return has_room_made(fd, pid, n);
	struct statfs fs;
	int is_roomy = fstatfs(fd, &fs) == 0 && (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize > 64 * RING_BYTES;
	return (is_roomy ? ftruncate(fd, (off_t)ring_file_bytes()) : posix_fallocate(fd, 0, (off_t)ring_file_bytes())) == 0;
}

static int map_ring(void)
{
	unsigned long pid = (unsigned long)getpid(), n = 0;
	int fd = open_in_session("", pid, &n, O_RDWR);
	if (fd < 0) return 0;
	void *map = make_room(fd, pid, n) ? mmap(NULL, ring_file_bytes(), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
	close(fd);
	if (map == MAP_FAILED) {
		remove_ring(pid, n);
		return 0;
	}
	struct ring_header *made = map;
	made->slots = RING_SLOTS;
	made->kind = image ? IMAGE_FORKED : IMAGE_STARTED;
	made->pid = (int)pid;
	made->flags = announce(pid, n);
	made->ppid = image && parent_pid ? parent_pid : getppid();
	made->parent_image = image;
	made->parent_slot = next_slot;
	made->is_lone = image != 0;
	made->thread = thread_mark ? thread_mark - 1 : 0;
	made->start_ticks = ticks();
	made->own_start = (uintptr_t)__ehdr_start;
	made->own_end = (uintptr_t)_end;
	if (!image && !without_fill) fill_key = (made->start_ticks << 16 ^ pid) * 0xbf58476d1ce4e5b9ull | 1; /* a fork's child has its parent's blocks */
	made->fill_key = fill_key;
	begin_budget();
	leave_pagemap();
	strcpy(made->zend, zend_word);
	next_slot = 0;
	room_until = RING_SLOTS;
	image = (uint64_t)pid << 32 | n;
	ring = made;
	slots = (struct slot *)((char *)map + RING_HEADER);
	if (with_sites) begin_sites((char *)map + RING_BYTES, SITE_BYTES);
	atomic_thread_fence(memory_order_release);
	memcpy(made->magic, RING_MAGIC, 8); /* from here on the keeper takes it for one */
	return 1;
}

int start_recording(void)
{
	if (never) return 0;
	int saved = errno;
	struct ring_header *inherited = ring;
	if (inherited) {
		has_shared_pages = 1;
		ring = NULL;
		munmap(inherited, ring_file_bytes());
	} else if (!read_session()) {
		never = 1;
	}
	if (!never && !map_ring()) never = 1;
	if (!inherited) madvise(&wiped_by_fork, sizeof wiped_by_fork, MADV_WIPEONFORK);
	atomic_store(&in_process.state, never ? OFF : ON);
	if (inherited && !never) log_inherited_blocks();
	errno = saved;
	return !never;
}

static void in_parent(void)
{
	has_shared_pages = 1;
	if (ring) ring->is_lone = 0;
}

/* Most children become another program: one that calls malloc before makes a ring of its own then. */
static void in_child(void)
{
	if (never || !ring) return;
	parent_pid = (int)syscall(SYS_getppid);
	atomic_store(&in_process.state, UNDECIDED);
}

int has_session(void) { return !never && is_in_session(); }

int is_recorded_process(void)
{
	return atomic_load(&in_process.state) == ON && ring && ring->pid == (int)syscall(SYS_getpid);
}

/* ---- waiting for the keeper */

static void stop(void)
{
	never = 1;
	atomic_store(&in_process.state, OFF);
}

/* The ring is full: until the slots before `end` - RING_SLOTS have been taken. 0: nobody takes them any more. */
int wait_for_room(uint64_t end)
{
	int saved = errno;
	for (int rounds = 0;; rounds++) {
		uint64_t until = atomic_load_explicit(&ring->tail, memory_order_acquire) + RING_SLOTS;
		if ((int64_t)(until - room_until) > 0) room_until = until;
		if ((int64_t)(end - room_until) <= 0) {
			errno = saved;
			return 1;
		}
		if (atomic_load_explicit(&ring->closed, memory_order_relaxed) || (rounds % 64 == 63 && keeper_is_gone())) {
			stop();
			errno = saved;
			return 0;
		}
		nap(50000);
	}
}

int is_worth_a_look(void) { return ring->kind == IMAGE_STARTED || next_slot > 1000 || has_big_blocks(); }

void ask_keeper(enum asked what)
{
	atomic_store(&ring->asked_for, what);
	uint32_t number = atomic_fetch_add(&ring->asked, 1) + 1;
	wake_keeper((unsigned long)ring->pid);
	for (int i = 0; i < KEEPER_PATIENCE_MS; i++) {
		uint32_t answered = atomic_load(&ring->answered);
		if ((int32_t)(answered - number) >= 0 || atomic_load(&ring->closed)) return;
		struct timespec t = { 0, 1000000 };
		syscall(SYS_futex, &ring->answered, FUTEX_WAIT, answered, &t, NULL, 0);
		if (i % 100 == 99 && keeper_is_gone()) return;
	}
}

/* ---- records that are not the plain ones */

void log_extended(enum op op, const void *address, uint64_t first, uint64_t second)
{
	if (UNLIKELY(!thread_mark)) begin_thread();
	uint64_t now = ticks();
	if (UNLIKELY((uint32_t)(now >> 31) != epoch) && op != OP_EPOCH) log_epoch(now);
	uint64_t index = take_slots(2);
	if ((int64_t)(index + 2 - room_until) > 0 && !wait_for_room(index + 2)) return;
	put(index + 1, first, second & ~LOW_LAP);
	put(index, (uint64_t)(uintptr_t)address >> 3 << THREAD_BITS | (thread_mark - 1),
	    (uint64_t)op << LOW_OP_SHIFT | LOW_EXTENDED | (uint32_t)now);
}

void log_epoch(uint64_t now)
{
	epoch = (uint32_t)(now >> 31);
	log_extended(OP_EPOCH, NULL, now, 0);
}

static int real_key_create(pthread_key_t *key, void (*destructor)(void *))
{
	static _Atomic(int (*)(pthread_key_t *, void (*)(void *))) next;
	if (!next) next = (int (*)(pthread_key_t *, void (*)(void *)))next_function("pthread_key_create");
	return next ? next(key, destructor) : EAGAIN;
}

/* Runs at each round of a thread's destructors, before those of other keys: image-trace.ts tells which one counts. */
static void at_exit_of_thread(void *mark)
{
	if (recording()) {
		char name[16] = "";
		uint64_t first, second;
		prctl(PR_GET_NAME, name);
		memcpy(&first, name, 8);
		memcpy(&second, name + 8, 8);
		log_extended(OP_THREAD_EXIT, (const void *)pthread_self(), first, second & ~(255ull << 56));
	}
	pthread_setspecific(exit_key, mark);
}

static void make_exit_key(void)
{
	static _Atomic int making;
	if (!atomic_exchange(&making, 1)) atomic_store(&has_exit_key, real_key_create(&exit_key, at_exit_of_thread) == 0);
}

/* Destructors go by the order in which keys were made. jemalloc makes its own before this library is set up, and gives an arena's pages back in it. */
EXPORT int pthread_key_create(pthread_key_t *key, void (*destructor)(void *))
{
	int saved = errno;
	if (recording()) make_exit_key();
	errno = saved;
	return real_key_create(key, destructor);
}

void begin_thread(void)
{
	int tid = (int)syscall(SYS_gettid);
	int is_main = tid == (int)syscall(SYS_getpid);
	uint32_t limit = (1u << THREAD_BITS) - 1;
	thread_mark = is_main ? 1 : 2 + atomic_fetch_add(&thread_count, 1) % (limit - 1);
	if (!is_main) {
		make_exit_key();
		if (atomic_load(&has_exit_key)) pthread_setspecific(exit_key, (void *)1);
	}
	log_extended(OP_THREAD, (const void *)pthread_self(), (uint64_t)tid, 0);
}

/* ---- when the program is loaded */

static void note_allocator(void)
{
	Dl_info who;
	extern void *malloc(size_t);
	if (real.malloc == NULL) resolve();
	if (real.malloc && dladdr((void *)real.malloc, &who) && who.dli_fname)
		strncpy(ring->allocator, who.dli_fname, sizeof ring->allocator - 1);
	void *seen = dlsym(RTLD_DEFAULT, "malloc");
	Dl_info mine;
	if (seen && dladdr(seen, &who) && dladdr((void *)&start_recording, &mine) && who.dli_fbase != mine.dli_fbase) {
		ring->flags |= ALLOCATOR_OF_PROGRAM;
		if (who.dli_fname) strncpy(ring->allocator, who.dli_fname, sizeof ring->allocator - 1);
	}
}

/* At the latest here: a program that forks before it allocates must not leave its name to its child. */
__attribute__((constructor)) static void loaded(void)
{
	int saved = errno;
	if (recording()) {
		make_exit_key();
		pthread_atfork(NULL, in_parent, in_child);
		note_allocator();
		note_conf();
		hold_library();
		watch_mappings();
		watch_extended();
		watch_mallctl();
		watch_zend_of_program();
		watch_teardown_of_program();
		ask_keeper(ASKED_START);
	}
	errno = saved;
}
