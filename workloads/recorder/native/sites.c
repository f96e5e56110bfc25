/*
 * The call stacks of this image, as a tree: a site is a place in the code, called from the site above it. Known ones are
 * found without a lock, and a thread that was nearly there a moment ago finds most of its stack in its last one.
 *
 *   table   places of 16 bytes: address, caller, number (0: empty), by open addressing; half full, a table of twice
 *           its size is made behind it
 *
 * New modules and sites are logged when they come, under a lock that a signal handler cannot come between.
 */
#include "recorder.h"
#include "script.h"
#include "sites.h"
#include "unwind.h"
#include <fcntl.h>
#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

struct node {
	uint64_t address;
	uint32_t caller;
	_Atomic uint32_t site;
};

struct table {
	struct node *nodes;
	uint64_t mask;
};

int with_sites;

static struct node *region;
static size_t region_nodes, region_used;
/* The one in use is the last; those before it are still true, but not complete. */
static struct table tables[32];
static _Atomic int table_count;
static uint64_t node_count;
static uint32_t last_site;
static _Atomic uint32_t lock;
/* Changes where numbers, or addresses, mean something else from there on. */
static _Atomic uint32_t generation = 1;
/* In the upper bits of all addresses of the table: how often code has gone that others may come to replace. */
static _Atomic uint64_t loads;
#define LOADS_SHIFT 48

#define NODES_FIRST 4096
#define LAST_DEPTH 48

/* The outermost frames of this thread's last stack, and their sites. */
static THREAD_LOCAL struct {
	uint32_t generation, site, depth, is_busy;
	uintptr_t addresses[LAST_DEPTH];
	uint32_t sites[LAST_DEPTH];
} last;

/* ---- the table */

static uint64_t hash(uint64_t address, uint32_t caller)
{
	uint64_t h = (address ^ (uint64_t)caller << 20) * 0x9e3779b97f4a7c15ull;
	return h ^ h >> 32;
}

static uint32_t find(uint64_t address, uint32_t caller)
{
	int count = atomic_load_explicit(&table_count, memory_order_acquire);
	if (count == 0) return 0;
	const struct table *t = &tables[count - 1];
	for (uint64_t i = hash(address, caller);; i++) {
		const struct node *n = &t->nodes[i & t->mask];
		uint32_t site = atomic_load_explicit(&n->site, memory_order_acquire);
		if (site == 0 || (n->address == address && n->caller == caller)) return site;
	}
}

static void insert(const struct table *t, uint64_t address, uint32_t caller, uint32_t site)
{
	uint64_t i = hash(address, caller);
	while (atomic_load_explicit(&t->nodes[i & t->mask].site, memory_order_relaxed)) i++;
	struct node *n = &t->nodes[i & t->mask];
	n->address = address;
	n->caller = caller;
	atomic_store_explicit(&n->site, site, memory_order_release);
}

/* 0: no room. */
static int add_table(size_t nodes)
{
	int count = atomic_load(&table_count);
	if (count == 32 || region_used + nodes > region_nodes) return 0;
	tables[count] = (struct table){ region + region_used, nodes - 1 };
	region_used += nodes;
	for (size_t i = 0; count > 0 && i <= tables[count - 1].mask; i++) {
		const struct node *n = &tables[count - 1].nodes[i];
		if (n->site) insert(&tables[count], n->address, n->caller, n->site);
	}
	atomic_store_explicit(&table_count, count + 1, memory_order_release);
	return 1;
}

/* ---- modules */

static struct module modules[256];
static size_t module_count;
static uint32_t last_module;

static const char hex_digits[] = "0123456789abcdef";

static char *append_hex(char *to, uint64_t number)
{
	char digits[17], *d = digits + sizeof digits;
	*--d = 0;
	do *--d = hex_digits[number & 15];
	while (number >>= 4);
	return stpcpy(to, d);
}

/* The build id, from the notes of the module as it lies in memory; "-" without. */
static char *append_build_id(char *to, const struct module *m)
{
	const ElfW(Ehdr) *head = (const ElfW(Ehdr) *)m->start;
	if (memcmp(head->e_ident, ELFMAG, SELFMAG) != 0 || head->e_phoff > 4096) return stpcpy(to, "-");
	const ElfW(Phdr) *p = (const ElfW(Phdr) *)(m->start + head->e_phoff);
	for (int i = 0; i < head->e_phnum; i++) {
		if (p[i].p_type != PT_NOTE) continue;
		uintptr_t at = m->base + p[i].p_vaddr, end = at + p[i].p_memsz;
		if (at < m->start || end > m->end) continue;
		while (at + sizeof(ElfW(Nhdr)) <= end) {
			const ElfW(Nhdr) *note = (const ElfW(Nhdr) *)at;
			uintptr_t name = at + sizeof *note, bytes = name + ((note->n_namesz + 3u) & ~3u);
			at = bytes + ((note->n_descsz + 3u) & ~3u);
			if (at > end || note->n_type != NT_GNU_BUILD_ID || note->n_namesz != 4 || memcmp((void *)name, "GNU", 4) != 0) continue;
			for (unsigned k = 0; k < note->n_descsz && k < 32; k++) {
				unsigned char byte = ((const unsigned char *)bytes)[k];
				*to++ = hex_digits[byte >> 4];
				*to++ = hex_digits[byte & 15];
			}
			*to = 0;
			return to;
		}
	}
	return stpcpy(to, "-");
}

/* The loader's name of the program itself is empty; other names may be relative to the current folder. */
static size_t put_path(char *to, size_t room, const char *name)
{
	size_t length = strnlen(name, room / 2), before = 0;
	if (!length) {
		long n = syscall(SYS_readlinkat, AT_FDCWD, "/proc/self/exe", to, room);
		return n > 0 ? (size_t)n : 0;
	}
	if (name[0] != '/' && memchr(name, '/', length)) {
		long n = syscall(SYS_getcwd, to, room / 2); /* with its end */
		if (n > 1) to[(before = (size_t)n) - 1] = '/';
	}
	memcpy(to + before, name, length);
	return before + length;
}

/* In pieces of 15 bytes; for the address twice the number, + 1 for the last piece. */
void log_text(enum op op, uint32_t number, const char *text, size_t length)
{
	for (size_t at = 0; at < length; at += 15) {
		char piece[16] = "";
		uint64_t first, second;
		memcpy(piece, text + at, length - at < 15 ? length - at : 15);
		memcpy(&first, piece, 8);
		memcpy(&second, piece + 8, 8);
		log_extended(op, (void *)(uintptr_t)((number * 2ul + (at + 15 >= length)) << 3), first, second);
	}
}

/* START END BASE BUILD_ID PATH */
static void log_module(const struct module *m, uint32_t number)
{
	char text[4096 + 160], *end = text;
	end = stpcpy(append_hex(end, m->start), " ");
	end = stpcpy(append_hex(end, m->end), " ");
	end = stpcpy(append_hex(end, m->base), " ");
	end = stpcpy(append_build_id(end, m), " ");
	size_t length = (size_t)(end - text) + put_path(end, 4000, m->name);
	log_text(OP_MODULE, number, text, length);
}

/* The same addresses are other code from here on. Under the lock. */
static void forget_code(void)
{
	forget_rules();
	module_count = 0;
	atomic_fetch_add(&loads, 1ull << LOADS_SHIFT);
	atomic_fetch_add(&generation, 1);
}

/* So that the log knows what lies at the address. The C library itself closes some libraries, which nobody sees. */
static void tell_module(const struct module *found)
{
	for (size_t i = 0; i < module_count; i++) {
		if (found->start >= modules[i].end || found->end <= modules[i].start) continue;
		if (found->start == modules[i].start && found->base == modules[i].base) return;
		forget_code();
	}
	if (module_count == sizeof modules / sizeof *modules) module_count = 0; /* they are told again */
	modules[module_count++] = *found;
	log_module(found, ++last_module);
}

/* ---- new sites */

static void acquire(void)
{
	uint32_t free = 0;
	while (!atomic_compare_exchange_weak(&lock, &free, 1)) {
		free = 0;
		syscall(SYS_sched_yield);
	}
}

static void release(void) { atomic_store(&lock, 0); }

/* 0: no room for more. */
static uint32_t add_site(uintptr_t address, uint32_t caller)
{
	struct module found;
	sigset_t all, before;
	int has_module = address != MORE_FRAMES && address < ADDRESS_LIMIT && find_module(address, &found); /* takes the loader's lock: not under ours */
	uint64_t key = address | atomic_load_explicit(&loads, memory_order_relaxed);
	sigfillset(&all);
	syscall(SYS_rt_sigprocmask, SIG_BLOCK, &all, &before, 8);
	acquire();
	uint32_t site = find(key, caller);
	int count = atomic_load(&table_count);
	if (!site && count > 0 && last_site < (1u << VALUE_BITS) - 1) {
		uint64_t room = tables[count - 1].mask + 1;
		if (2 * node_count < room || add_table(2 * room) || 4 * node_count < 3 * room) {
			if (has_module) tell_module(&found);
			site = ++last_site;
			node_count++;
			log_extended(OP_NODE, (void *)((uintptr_t)site << 3), address, caller);
			insert(&tables[atomic_load(&table_count) - 1], key, caller, site);
		}
	}
	release();
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, 8);
	return site;
}

/* Of a stack, its innermost frame first. */
static uint32_t site_of(const uintptr_t *addresses, int n)
{
	int is_own = !last.is_busy; /* otherwise this is a signal handler that came between */
	last.is_busy = 1;
	uint64_t load = atomic_load_explicit(&loads, memory_order_relaxed);
	uint32_t known = is_own ? last.depth : 0, site = 0, depth = 0;
	while (depth < known && (int)depth < n && last.addresses[depth] == addresses[n - 1 - (int)depth]) site = last.sites[depth++];
	for (int i = n - 1 - (int)depth; i >= 0; i--, depth++) {
		uint32_t caller = site;
		site = find(addresses[i] | load, caller);
		if (UNLIKELY(!site)) site = add_site(addresses[i], caller);
		if (UNLIKELY(!site)) {
			site = caller; /* no room: what is known of it */
			break;
		}
		if (is_own && depth < LAST_DEPTH) {
			last.addresses[depth] = addresses[i];
			last.sites[depth] = site;
		}
	}
	if (is_own) {
		last.depth = depth < LAST_DEPTH ? depth : LAST_DEPTH;
		last.is_busy = 0;
	}
	return site;
}

void note_site(void) { note_site_at(0); }

static void find_site(uint64_t place);

void note_site_at(uint64_t place)
{
	static THREAD_LOCAL unsigned notes;
	if (UNLIKELY(!thread_mark)) begin_thread();
	uint64_t began = notes++ % TIMED_ONE_IN ? 0 : ticks();
	find_site(place);
	if (UNLIKELY(began)) note_own(began);
}

static void find_site(uint64_t place)
{
	uintptr_t addresses[1 + FRAMES_MAX];
	uint32_t now = atomic_load_explicit(&generation, memory_order_relaxed);
	if (UNLIKELY(last.generation != now)) {
		last.generation = now;
		last.depth = 0;
		last.site = ~0u;
	}
	int n = walk_stack(addresses + 1);
	addresses[0] = place;
	uint32_t site = place ? site_of(addresses, n + 1) : site_of(addresses + 1, n);
	if (site == last.site) return;
	last.site = site;
	int saved = errno;
	log_plain(OP_SITE, NULL, site);
	errno = saved;
}

/* ---- beginnings and ends */

static void find_own(void)
{
	struct module own;
	if (own_end || !find_module((uintptr_t)&find_own, &own)) return;
	own_start = own.start;
	own_end = own.end;
}

/* In a fork's child other threads may have held the lock: they are not there. */
void begin_sites(void *table, size_t bytes)
{
	region = table;
	region_nodes = bytes / sizeof *region;
	region_used = 0;
	node_count = last_site = 0;
	module_count = 0;
	atomic_store(&table_count, 0);
	atomic_store(&lock, 0);
	atomic_fetch_add(&generation, 1);
	last.is_busy = 0;
	forget_script_places();
	find_own();
	add_table(NODES_FIRST);
}

/* ---- code that goes */

static int count_closed(struct dl_phdr_info *info, size_t size, void *closed)
{
	if (size >= offsetof(struct dl_phdr_info, dlpi_subs) + sizeof info->dlpi_subs) *(unsigned long long *)closed = info->dlpi_subs;
	return 1;
}

EXPORT int dlclose(void *handle)
{
	typedef int close_function(void *);
	static close_function *next;
	if (!next) next = (close_function *)next_function("dlclose");
	if (!with_sites || !next || !recording()) return next ? next(handle) : -1;
	unsigned long long before = 0, after = 0;
	sigset_t all, mask;
	dl_iterate_phdr(count_closed, &before);
	int error = next(handle);
	int saved = errno;
	dl_iterate_phdr(count_closed, &after);
	if (after != before) {
		sigfillset(&all);
		syscall(SYS_rt_sigprocmask, SIG_BLOCK, &all, &mask, 8);
		acquire();
		forget_code();
		release();
		syscall(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, 8);
	}
	errno = saved;
	return error;
}
