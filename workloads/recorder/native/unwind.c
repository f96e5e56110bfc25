/*
 * Walks the stack of this thread. The rule of each address is kept in a table that needs no lock: a place holds the rule
 * and its exclusive or with the address, so that two writers at once leave a place that fits neither of them. Nothing here
 * allocates, and a stack that makes no sense ends the walk: nothing is read that is not known to be readable.
 */
#include "recorder.h"
#include "unwind.h"
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PLACES 32768

static struct place {
	_Atomic uint64_t mixed, rule;
} places[PLACES];

uintptr_t own_start, own_end;

/* Where this thread's stack was found readable. */
static THREAD_LOCAL uintptr_t good_start, good_bytes;

/* ---- modules */

static int from_header(uintptr_t address, struct dl_phdr_info *info, struct module *found)
{
	const unsigned char *header = NULL;
	uintptr_t start = ~(uintptr_t)0, end = 0;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		uintptr_t at = info->dlpi_addr + p->p_vaddr;
		if (p->p_type == PT_GNU_EH_FRAME) header = (const unsigned char *)at;
		if (p->p_type != PT_LOAD) continue;
		if (at < start) start = at;
		if (at + p->p_memsz > end) end = at + p->p_memsz;
	}
	if (address < start || address >= end) return 0;
	*found = (struct module){ start & ~(uintptr_t)4095, end, info->dlpi_addr, header, info->dlpi_name };
	return 1;
}

struct search {
	uintptr_t address;
	struct module *found;
};

static int visit(struct dl_phdr_info *info, size_t size, void *data)
{
	struct search *s = data;
	(void)size;
	return from_header(s->address, info, s->found);
}

#ifdef DLFO_STRUCT_HAS_EH_DBASE
extern int _dl_find_object(void *, struct dl_find_object *) __attribute__((weak));
#endif

int find_module(uintptr_t address, struct module *found)
{
#ifdef DLFO_STRUCT_HAS_EH_DBASE
	struct dl_find_object object;
	if (&_dl_find_object) {
		if (_dl_find_object((void *)address, &object) != 0) return 0;
		const struct link_map *map = object.dlfo_link_map;
		*found = (struct module){ (uintptr_t)object.dlfo_map_start, (uintptr_t)object.dlfo_map_end, map ? map->l_addr : 0,
		                          object.dlfo_eh_frame, map && map->l_name ? map->l_name : "" };
		return 1;
	}
#endif
	struct search s = { address, found };
	return dl_iterate_phdr(visit, &s);
}

/* ---- code without a file, that an engine has made at run time */

static struct { _Atomic uintptr_t start, end; } generated[16];
static _Atomic uint32_t generated_count;

static int is_known_generated(uintptr_t address)
{
	for (int i = 0; i < 16; i++)
		if (address >= atomic_load_explicit(&generated[i].start, memory_order_relaxed)
		    && address < atomic_load_explicit(&generated[i].end, memory_order_relaxed)) return 1;
	return 0;
}

/* Lines of /proc/self/maps are START-END rwxp …; what is behind the rights does not matter. */
static int is_generated(uintptr_t address)
{
	if (is_known_generated(address)) return 1;
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC), found = 0, field = 0;
	uintptr_t numbers[2] = { 0, 0 };
	char buffer[2048];
	for (ssize_t n; fd >= 0 && !found && (n = read(fd, buffer, sizeof buffer)) > 0;) {
		for (ssize_t i = 0; i < n && !found; i++) {
			char c = buffer[i];
			if (c == '\n') {
				field = 0;
				numbers[0] = numbers[1] = 0;
			} else if (field < 2) {
				if (c == '-' || c == ' ') field++;
				else numbers[field] = numbers[field] << 4 | (uintptr_t)(c <= '9' ? c - '0' : c - 'a' + 10);
			} else if (field < 6) {
				found = ++field == 5 && c == 'x' && address >= numbers[0] && address < numbers[1];
			}
		}
	}
	if (fd >= 0) close(fd);
	if (found) {
		uint32_t i = atomic_fetch_add(&generated_count, 1) % 16;
		atomic_store(&generated[i].end, 0);
		atomic_store(&generated[i].start, numbers[0]);
		atomic_store(&generated[i].end, numbers[1]);
	}
	return found;
}

static int is_code(uintptr_t address)
{
	struct module m;
	int saved = errno, found = find_module(address, &m) || is_generated(address);
	errno = saved;
	return found;
}

/* ---- rules */

static __attribute__((noinline)) uint64_t find_rule(uintptr_t address, struct place *place)
{
	struct module m;
	int saved = errno;
	const uint64_t chain = pack_rule(RULE_CHAIN, FRAME_SAME, 0, 0, 0);
	uint64_t rule = find_module(address, &m) ? rule_from_cfi(&m, address) : is_generated(address) ? chain : 0;
	atomic_store_explicit(&place->rule, rule, memory_order_relaxed);
	atomic_store_explicit(&place->mixed, rule ^ address, memory_order_relaxed);
	errno = saved;
	return rule;
}

static inline uint64_t rule_of(uintptr_t address)
{
	struct place *place = &places[address * 0x9e3779b97f4a7c15ull >> 49];
	uint64_t rule = atomic_load_explicit(&place->rule, memory_order_relaxed);
	uint64_t mixed = atomic_load_explicit(&place->mixed, memory_order_relaxed);
	return LIKELY((mixed ^ rule) == address) ? rule : find_rule(address, place);
}

void forget_rules(void)
{
	for (size_t i = 0; i < PLACES; i++) atomic_store_explicit(&places[i].mixed, 0, memory_order_relaxed);
	for (size_t i = 0; i < PLACES; i++) atomic_store_explicit(&places[i].rule, 0, memory_order_relaxed);
}

/* ---- the stack */

/* The kernel reads the new mask before it looks at what is to be done with it, and that does not exist. */
static int is_readable_page(uintptr_t page)
{
	return syscall(SYS_rt_sigprocmask, ~0, page, NULL, 8) == -1 && errno == EINVAL;
}

static __attribute__((noinline)) int look_at(uintptr_t at)
{
	const uintptr_t page = 4096, first = at & ~(page - 1), last = (at + 7) & ~(page - 1);
	int saved = errno;
	int is_good = is_readable_page(first) && (first == last || is_readable_page(last));
	errno = saved;
	if (!is_good) return 0;
	uintptr_t end = last + page, good_end = good_start + good_bytes;
	if (first <= good_end && end >= good_start && good_bytes) {
		if (first < good_start) good_start = first;
		good_bytes = (end > good_end ? end : good_end) - good_start;
	} else {
		good_start = first;
		good_bytes = end - first;
	}
	return 1;
}

static inline int is_readable(uintptr_t at)
{
	return LIKELY(at - good_start < good_bytes && at + 8 - good_start <= good_bytes) || look_at(at);
}

static inline uintptr_t word_at(uintptr_t at) { return *(const uintptr_t *)at; }

struct registers {
	uintptr_t pc, stack, frame; /* pc: an address within the call, or the one that was interrupted */
};

/* The kernel's frame: a ucontext behind the return address. */
static int leave_signal(struct registers *r)
{
	/* gregs of struct ucontext begin at 40; RBP, RSP and RIP are numbers 10, 15 and 16 of them */
	uintptr_t gregs = r->stack + 40;
	if (!is_readable(gregs + 8 * 10) || !is_readable(gregs + 8 * 16)) return 0;
	r->frame = word_at(gregs + 8 * 10);
	r->stack = word_at(gregs + 8 * 15);
	r->pc = word_at(gregs + 8 * 16);
	return r->pc != 0;
}

static int leave_by_chain(struct registers *r)
{
	if ((r->frame & 7) || r->frame < r->stack || !is_readable(r->frame) || !is_readable(r->frame + 8)) return 0;
	uintptr_t ra = word_at(r->frame + 8);
	if (ra < 4096 || ra >= ADDRESS_LIMIT || (!rule_of(ra - 1) && !is_code(ra - 1))) return 0; /* an outermost function has no rule */
	r->stack = r->frame + 16;
	r->frame = word_at(r->frame);
	r->pc = ra - 1;
	return 1;
}

/* To the caller's frame. 0: there is none, or nothing is known of it. */
static inline int leave_frame(struct registers *r)
{
	uint64_t rule = rule_of(r->pc);
	uintptr_t canonical;
	switch (rule_kind(rule)) {
	case RULE_STACK:
		canonical = r->stack + (uintptr_t)rule_canonical(rule);
		break;
	case RULE_FRAME:
		canonical = r->frame + (uintptr_t)rule_canonical(rule);
		break;
	case RULE_FRAME_DEREF:
		canonical = r->frame + (uintptr_t)rule_canonical(rule);
		if ((canonical & 7) || !is_readable(canonical)) return 0;
		canonical = word_at(canonical);
		break;
	case RULE_SIGNAL:
		return leave_signal(r);
	case RULE_CHAIN:
		return leave_by_chain(r);
	default:
		return 0;
	}
	uintptr_t at_return = canonical + (uintptr_t)rule_return(rule);
	if (UNLIKELY(canonical <= r->stack || (canonical & 7) || !is_readable(at_return))) return 0;
	if (rule_of_frame(rule) != FRAME_SAME) {
		uintptr_t at = (rule_of_frame(rule) == FRAME_AT_CANONICAL ? canonical : r->frame) + (uintptr_t)rule_frame(rule);
		if (UNLIKELY((at & 7) || !is_readable(at))) return 0;
		r->frame = word_at(at);
	}
	uintptr_t ra = word_at(at_return);
	r->stack = canonical;
	r->pc = ra - 1;
	return ra >= 4096;
}

int walk_stack(uintptr_t *addresses)
{
	struct registers r;
	__asm__ volatile("leaq 0(%%rip), %0\n\tmovq %%rsp, %1\n\tmovq %%rbp, %2" : "=&r"(r.pc), "=&r"(r.stack), "=&r"(r.frame));
	int n = 0;
	while (leave_frame(&r)) {
		if (r.pc - own_start < own_end - own_start) continue; /* the recorder's own */
		if (n == FRAMES_MAX) {
			addresses[n - 1] = MORE_FRAMES;
			break;
		}
		addresses[n++] = r.pc;
	}
	return n;
}
