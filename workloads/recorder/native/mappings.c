/*
 * What the program maps for itself, without a file. The kernel makes one mapping of neighbours, so that it cannot tell what lies
 * in the program's own from what lies in malloc's: the keeper does (mapped.c).
 */
#include "recorder.h"
#include <dlfcn.h>
#include <link.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

static uintptr_t allocator_start, allocator_end;

static int note_range(struct dl_phdr_info *info, size_t size, void *inside)
{
	(void)size;
	uintptr_t start = UINTPTR_MAX, end = 0;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		if (info->dlpi_phdr[i].p_type != PT_LOAD) continue;
		uintptr_t from = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr, to = from + info->dlpi_phdr[i].p_memsz;
		if (from < start) start = from;
		if (to > end) end = to;
	}
	if ((uintptr_t)inside < start || (uintptr_t)inside >= end) return 0;
	allocator_start = start;
	allocator_end = end;
	return 1;
}

void watch_mappings(void) { dl_iterate_phdr(note_range, (void *)real.malloc); }

/* Not the allocator, whose mappings are what a simulation stands for, nor PHP, where its heap is seen; nor the recorder. */
static int is_own(const void *caller)
{
	uintptr_t c = (uintptr_t)caller;
	if (atomic_load_explicit(&in_process.state, memory_order_acquire) != ON || !allocator_end) return 0;
	if (zend_word[0] && zend_word[0] != '!') return 0;
	return !(c >= allocator_start && c < allocator_end) && !(c >= (uintptr_t)__ehdr_start && c < (uintptr_t)_end);
}

static void note(enum op op, const void *start, size_t length)
{
	int saved = errno;
	log_extended(op, start, length, 0);
	errno = saved;
}

EXPORT void *mmap(void *wish, size_t length, int protection, int flags, int fd, off_t offset)
{
	void *p = (void *)syscall(SYS_mmap, wish, length, protection, flags, fd, offset);
	if (p != MAP_FAILED && (flags & (MAP_ANONYMOUS | MAP_PRIVATE)) == (MAP_ANONYMOUS | MAP_PRIVATE) && is_own(__builtin_return_address(0)))
		note(OP_MAPPED, p, length);
	return p;
}

EXPORT void *mmap64(void *wish, size_t length, int protection, int flags, int fd, off_t offset) __attribute__((alias("mmap")));

EXPORT int munmap(void *start, size_t length)
{
	if (is_own(__builtin_return_address(0))) note(OP_UNMAPPED, start, length);
	return (int)syscall(SYS_munmap, start, length);
}

EXPORT void *mremap(void *old, size_t old_length, size_t length, int flags, ...)
{
	va_list arguments;
	va_start(arguments, flags);
	void *wish = flags & MREMAP_FIXED ? va_arg(arguments, void *) : NULL;
	va_end(arguments);
	void *p = (void *)syscall(SYS_mremap, old, old_length, length, flags, wish);
	if (p != MAP_FAILED && is_own(__builtin_return_address(0))) {
		note(OP_UNMAPPED, old, old_length);
		note(OP_MAPPED, p, length);
	}
	return p;
}

/* What the program has on huge pages by its own word no setting of an allocator changes. */
EXPORT int madvise(void *start, size_t length, int advice)
{
	if ((advice == MADV_HUGEPAGE || advice == MADV_COLLAPSE) && is_own(__builtin_return_address(0))) note(OP_ADVISED, start, length);
	return (int)syscall(SYS_madvise, start, length, advice);
}

/* Where a look would read what the program may not read any more. */
static void note_protection(void *start, size_t length, int is_readable)
{
	if (!is_readable && atomic_load_explicit(&in_process.state, memory_order_acquire) == ON) big_unreadable((uintptr_t)start, (uintptr_t)start + length);
}

EXPORT int mprotect(void *start, size_t length, int protection)
{
	note_protection(start, length, protection & PROT_READ);
	return (int)syscall(SYS_mprotect, start, length, protection);
}

EXPORT int pkey_mprotect(void *start, size_t length, int protection, int key)
{
	note_protection(start, length, key <= 0 && protection & PROT_READ);
	return (int)syscall(SYS_pkey_mprotect, start, length, protection, key);
}
