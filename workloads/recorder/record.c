/*
 * An LD_PRELOAD library that logs every call of the malloc family, of all threads, in one total order.
 *
 * ALLOCSIM_RECORD names the log: a sparse file with the header below, made by the recorder (recorder.ts). The first
 * process that opens it is the one recorded; its children find another process's id in it and stay silent. A program
 * that replaces itself by exec keeps its process id, and starts over behind what it had written.
 *
 *   +0     magic "ASREC001"
 *   +8     u64 next      records that have been taken
 *   +16    u64 capacity  records that there is room for
 *   +24    u64 pid       whose log it is; 0: nobody's yet
 *   +32    u64 first     the record that the present program image starts with
 *   +4096  records
 *
 * A record's place is its number, taken by one atomic add. So that no address is owned twice in this order, an allocation
 * is logged after the real call and a free before it; a realloc gives up the old block before the call and takes the new
 * one after it. The file is a shared mapping: what a killed process has logged is there.
 *
 * The library must not disturb the heap that it watches, nor call what is not ready yet: it goes to glibc's own entry
 * points, uses thread-local variables that need no allocation, and allocates nothing.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

#define EXPORT __attribute__((visibility("default")))

enum op { OP_MALLOC = 1, OP_CALLOC, OP_MEMALIGN, OP_REALLOC_BEGIN, OP_REALLOC_END, OP_FREE, OP_EXIT };

struct record {
	uint64_t ns, address, a, b;
	uint32_t thread;
	_Atomic uint32_t op; /* written last: 0 means that the record is not complete */
};

struct header {
	char magic[8];
	_Atomic uint64_t next;
	uint64_t capacity;
	_Atomic uint64_t pid;
	uint64_t first;
};

#define RECORDS_AT 4096

enum { UNDECIDED, OFF, ON };
static _Atomic int state;
static struct header *header;
static struct record *records;
static uint64_t capacity;
static pthread_key_t exit_key;
static _Atomic uint32_t thread_count;

/* 1 + the number of this thread; 0: it has not been seen. */
static __thread uint32_t thread_mark __attribute__((tls_model("initial-exec")));

static void log_call(enum op op, const void *address, uint64_t a, uint64_t b);

static void in_child(void) { atomic_store(&state, OFF); }

/* Runs at each round of a thread's destructors; the last such record counts. */
static void at_exit_of_thread(void *mark)
{
	log_call(OP_EXIT, NULL, 0, 0);
	pthread_setspecific(exit_key, mark);
}

static int start(void)
{
	const char *path = environ ? getenv("ALLOCSIM_RECORD") : NULL;
	if (!environ) return UNDECIDED; /* the C library has not been initialised yet */
	if (!path) return OFF;
	int fd = open(path, O_RDWR | O_CLOEXEC);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) || st.st_size <= RECORDS_AT) return OFF;
	void *map = mmap(NULL, st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (map == MAP_FAILED) return OFF;
	header = map;
	uint64_t nobody = 0, me = (uint64_t)getpid();
	if (!atomic_compare_exchange_strong(&header->pid, &nobody, me)) {
		if (nobody != me) {
			munmap(map, st.st_size);
			return OFF;
		}
		header->first = atomic_load(&header->next);
	}
	records = (struct record *)((char *)map + RECORDS_AT);
	capacity = header->capacity;
	pthread_key_create(&exit_key, at_exit_of_thread);
	pthread_atfork(NULL, NULL, in_child);
	return ON;
}

static int recording(void)
{
	int now = atomic_load_explicit(&state, memory_order_acquire);
	if (now == UNDECIDED) { /* one thread exists at this point: the loader, or the first constructors */
		now = start();
		atomic_store(&state, now);
	}
	return now == ON;
}

/* At the latest here: a program that forks before it allocates must not leave the log to its child. */
__attribute__((constructor)) static void decide(void) { recording(); }

static void log_call(enum op op, const void *address, uint64_t a, uint64_t b)
{
	if (!thread_mark) {
		int is_main = syscall(SYS_gettid) == getpid();
		thread_mark = 1 + (is_main ? 0 : 1 + atomic_fetch_add(&thread_count, 1));
		if (!is_main) pthread_setspecific(exit_key, (void *)1);
	}
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	uint64_t i = atomic_fetch_add(&header->next, 1);
	if (i >= capacity) return;
	struct record *r = &records[i];
	r->ns = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
	r->address = (uintptr_t)address;
	r->a = a;
	r->b = b;
	r->thread = thread_mark - 1;
	atomic_store_explicit(&r->op, op, memory_order_release);
}

EXPORT void *malloc(size_t size)
{
	void *p = __libc_malloc(size);
	if (p && recording()) log_call(OP_MALLOC, p, size, 0);
	return p;
}

EXPORT void *calloc(size_t count, size_t size)
{
	void *p = __libc_calloc(count, size);
	if (p && recording()) log_call(OP_CALLOC, p, count, size);
	return p;
}

EXPORT void free(void *p)
{
	if (!p) return;
	if (recording()) {
		int saved = errno;
		log_call(OP_FREE, p, 0, 0);
		errno = saved;
	}
	__libc_free(p);
}

EXPORT void *realloc(void *old, size_t size)
{
	if (!old) return malloc(size);
	if (!recording()) return __libc_realloc(old, size);
	if (size == 0) {
		log_call(OP_FREE, old, 0, 0);
		return __libc_realloc(old, 0);
	}
	log_call(OP_REALLOC_BEGIN, old, size, 0);
	void *p = __libc_realloc(old, size);
	int saved = errno;
	log_call(OP_REALLOC_END, p, size, 0); /* 0: it failed, and the old block lives on */
	errno = saved;
	return p;
}

EXPORT void *reallocarray(void *old, size_t count, size_t size)
{
	size_t bytes;
	if (__builtin_mul_overflow(count, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc(old, bytes);
}

EXPORT void *memalign(size_t align, size_t size)
{
	void *p = __libc_memalign(align, size);
	if (p && recording()) log_call(OP_MEMALIGN, p, align, size);
	return p;
}

EXPORT void *aligned_alloc(size_t align, size_t size) { return memalign(align, size); }
EXPORT void *valloc(size_t size) { return memalign((size_t)getpagesize(), size); }

EXPORT void *pvalloc(size_t size)
{
	size_t page = (size_t)getpagesize();
	return memalign(page, (size + page - 1) & ~(page - 1));
}

EXPORT int posix_memalign(void **out, size_t align, size_t size)
{
	if (align % sizeof(void *) || !align || (align & (align - 1))) return EINVAL;
	int saved = errno;
	void *p = memalign(align, size);
	errno = saved;
	if (!p) return ENOMEM;
	*out = p;
	return 0;
}
