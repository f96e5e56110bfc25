/*
 * The ring of this process: made at its first call, even before the C library knows its environment; made anew by a
 * fork's child, which remembers where in its parent's ring it began.
 */
#include "recorder.h"
#include "sites.h"
#include <dirent.h>
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
int clock_is_counter, without_zend;
THREAD_LOCAL uint32_t thread_mark;

static _Atomic uint32_t thread_count;
static pthread_key_t exit_key;
static _Atomic int has_exit_key;
/* PID << 32 | N of this image; 0: none yet. */
static uint64_t image;
static int never;
/* Of a fork's child: later it may have another one. */
static int parent_pid;
static int keeper_pid;
static char folder[200];

/* ---- the environment, as the kernel has it: the C library's own is not there yet at the first calls */

static char environment[1 << 16];

const char *session_variable(const char *name)
{
	static long length = -1;
	if (length < 0) {
		length = 0;
		int fd = open("/proc/self/environ", O_RDONLY | O_CLOEXEC);
		size_t wanted = strlen("ALLOCSIM_RECORD=");
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
		(void)wanted;
		if (fd >= 0) close(fd);
	}
	size_t n = strlen(name);
	for (long i = 0; i < length; i += (long)strlen(environment + i) + 1)
		if (!strncmp(environment + i, name, n) && environment[i + n] == '=') return environment + i + n + 1;
	return NULL;
}

static char *append_number(char *to, unsigned long number)
{
	char digits[24], *d = digits + sizeof digits;
	*--d = 0;
	do *--d = (char)('0' + number % 10);
	while (number /= 10);
	return stpcpy(to, d);
}

/* ALLOCSIM_RECORD is FLAGS:KEEPER:FOLDER; the first flag is the clock. */
static int read_session(void)
{
	const char *session = session_variable("ALLOCSIM_RECORD");
	if (!session || strlen(session) >= sizeof folder) return 0;
	clock_is_counter = session[0] == 'c';
	const char *at = session;
	for (; *at && *at != ':'; at++) {
		if (*at == 's') with_sites = 1;
		if (*at == 'n') without_zend = 1;
	}
	if (*at++ != ':') return 0;
	for (keeper_pid = 0; *at >= '0' && *at <= '9'; at++) keeper_pid = keeper_pid * 10 + *at - '0';
	if (*at != ':') return 0;
	strcpy(folder, at + 1);
	return 1;
}

/* ---- the file */

static int open_file(uint64_t *name)
{
	char path[300];
	unsigned long pid = (unsigned long)getpid();
	for (unsigned long n = 0; n < 100000; n++) {
		char *end = append_number(stpcpy(stpcpy(path, folder), "/"), pid);
		append_number(stpcpy(end, "."), n);
		int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
		*name = (uint64_t)pid << 32 | n;
		if (fd >= 0 || errno != EEXIST) return fd;
	}
	return -1;
}

static size_t ring_file_bytes(void) { return RING_BYTES + (with_sites ? SITE_BYTES : 0); }

/* Its room is there before anything is written: a write into a mapping cannot fail gracefully. */
static int make_room(int fd)
{
	struct rlimit own, wide;
	int narrow = getrlimit(RLIMIT_FSIZE, &own) == 0 && own.rlim_cur < ring_file_bytes();
	if (narrow) {
		if (own.rlim_max < ring_file_bytes()) return 0;
		wide = own;
		wide.rlim_cur = own.rlim_max;
		if (setrlimit(RLIMIT_FSIZE, &wide)) return 0;
	}
	struct statfs fs;
	int is_roomy = fstatfs(fd, &fs) == 0 && (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize > 64 * RING_BYTES;
	int error = is_roomy ? ftruncate(fd, (off_t)ring_file_bytes()) : posix_fallocate(fd, 0, (off_t)ring_file_bytes());
	if (narrow) setrlimit(RLIMIT_FSIZE, &own);
	return error == 0;
}

static int map_ring(void)
{
	uint64_t name;
	int fd = open_file(&name);
	if (fd < 0) return 0;
	void *map = make_room(fd) ? mmap(NULL, ring_file_bytes(), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
	close(fd);
	if (map == MAP_FAILED) return 0;
	struct ring_header *made = map;
	made->slots = RING_SLOTS;
	made->kind = image ? IMAGE_FORKED : IMAGE_STARTED;
	made->pid = getpid();
	made->ppid = image && parent_pid ? parent_pid : getppid();
	made->parent_image = image;
	made->parent_slot = next_slot;
	made->thread = thread_mark ? thread_mark - 1 : 0;
	made->start_ticks = ticks();
	spent_ticks = 0;
	strcpy(made->zend, zend_word);
	next_slot = 0;
	room_until = RING_SLOTS;
	image = name;
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

/* Most children become another program: one that calls malloc before makes a ring of its own then. */
static void in_child(void)
{
	if (never || !ring) return;
	parent_pid = (int)syscall(SYS_getppid);
	atomic_store(&in_process.state, UNDECIDED);
}

int has_session(void) { return !never && folder[0]; }

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

static int keeper_is_gone(void) { return syscall(SYS_kill, keeper_pid, 0) != 0 && errno == ESRCH; }

static void nap(long ns)
{
	struct timespec t = { 0, ns };
	uint32_t nobody = 0;
	syscall(SYS_futex, &nobody, FUTEX_WAIT_PRIVATE, 0, &t, NULL, 0); /* unlike nanosleep no cancellation point */
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
		if (atomic_load_explicit(&ring->closed, memory_order_relaxed) || (rounds % 1024 == 1023 && keeper_is_gone())) {
			stop();
			errno = saved;
			return 0;
		}
		nap(50000);
	}
}

static void wake_keeper(void)
{
	char path[300];
	char *end = append_number(stpcpy(stpcpy(path, folder), "/ask."), (unsigned long)ring->pid);
	(void)end;
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd >= 0) close(fd);
}

/* A keeper that lives comes, once it has a processor. */
#define KEEPER_PATIENCE_MS 10000

void ask_keeper(void)
{
	uint32_t number = atomic_fetch_add(&ring->asked, 1) + 1;
	wake_keeper();
	for (int i = 0; i < KEEPER_PATIENCE_MS; i++) {
		uint32_t answered = atomic_load(&ring->answered);
		if ((int32_t)(answered - number) >= 0 || atomic_load(&ring->closed)) return;
		struct timespec t = { 0, 1000000 };
		syscall(SYS_futex, &ring->answered, FUTEX_WAIT, answered, &t, NULL, 0);
		if (i % 100 == 99 && keeper_is_gone()) return;
	}
}

/* The file `no.PID.K` holds the words and the path. */
void note_unrecorded(const char *path, const char *why)
{
	char name[300];
	if (!has_session()) return;
	char *end = append_number(stpcpy(stpcpy(name, folder), "/no."), (unsigned long)syscall(SYS_getpid));
	for (unsigned long k = 0; k < 1000; k++) {
		append_number(stpcpy(end, "."), k);
		int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (fd < 0 && errno == EEXIST) continue;
		if (fd < 0) return;
		if (write(fd, why, strlen(why)) < 0 || write(fd, "\n", 1) < 0 || write(fd, path, strlen(path)) < 0) {}
		close(fd);
		return;
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

/* Runs at each round of a thread's destructors; the last such record counts. */
static void at_exit_of_thread(void *mark)
{
	if (recording()) {
		char name[16] = "";
		uint64_t first, second;
		prctl(PR_GET_NAME, name);
		memcpy(&first, name, 8);
		memcpy(&second, name + 8, 8);
		log_extended(OP_THREAD_EXIT, NULL, first, second & ~(255ull << 56));
	}
	pthread_setspecific(exit_key, mark);
}

void begin_thread(void)
{
	static _Atomic int making;
	int tid = (int)syscall(SYS_gettid);
	int is_main = tid == (int)syscall(SYS_getpid);
	uint32_t limit = (1u << THREAD_BITS) - 1;
	thread_mark = is_main ? 1 : 2 + atomic_fetch_add(&thread_count, 1) % (limit - 1);
	if (!is_main) {
		if (!atomic_load(&has_exit_key) && !atomic_exchange(&making, 1)) {
			atomic_store(&has_exit_key, pthread_key_create(&exit_key, at_exit_of_thread) == 0);
		}
		if (atomic_load(&has_exit_key)) pthread_setspecific(exit_key, (void *)1);
	}
	log_extended(OP_THREAD, NULL, (uint64_t)tid, 0);
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
		static _Atomic int making;
		if (!atomic_exchange(&making, 1)) {
			atomic_store(&has_exit_key, pthread_key_create(&exit_key, at_exit_of_thread) == 0);
		}
		pthread_atfork(NULL, NULL, in_child);
		note_allocator();
		watch_mappings();
		watch_extended();
		watch_mallctl();
		watch_zend_of_program();
		ask_keeper();
	}
	errno = saved;
}
