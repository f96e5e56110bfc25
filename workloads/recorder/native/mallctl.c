/*
 * jemalloc's mallctl, where the program has a jemalloc: the calls that change what stays resident, by the names in its manual.
 * A jump is put before jemalloc's own functions (patch.c).
 */
#include "patch.h"
#include "recorder.h"
#include <string.h>
#include <sys/types.h>

enum kind { DOES, SETS_MS, SETS_FLAG, SETS_COUNT, OTHER_DOES, OTHER_SETS };

/*
 * As sim/contract/mallctl.ts has them; `<i>` is the number of an arena. The OTHER_… change which arena or cache serves whom, or
 * release what lies in one: a replay does not make them, they are told by name (image-trace.ts has these names too).
 */
static const struct { const char *name; enum kind kind; } names[] = {
	{ "arena.<i>.purge", DOES },
	{ "arena.<i>.decay", DOES },
	{ "arena.<i>.dirty_decay_ms", SETS_MS },
	{ "arena.<i>.muzzy_decay_ms", SETS_MS },
	{ "arenas.dirty_decay_ms", SETS_MS },
	{ "arenas.muzzy_decay_ms", SETS_MS },
	{ "background_thread", SETS_FLAG },
	{ "max_background_threads", SETS_COUNT },
	{ "thread.tcache.flush", DOES },
	{ "arenas.create", OTHER_DOES },
	{ "arena.<i>.reset", OTHER_DOES },
	{ "arena.<i>.destroy", OTHER_DOES },
	{ "thread.idle", OTHER_DOES },
	{ "tcache.create", OTHER_DOES },
	{ "tcache.flush", OTHER_DOES },
	{ "tcache.destroy", OTHER_DOES },
	{ "thread.arena", OTHER_SETS },
	{ "thread.tcache.enabled", OTHER_SETS },
	{ "arena.<i>.dss", OTHER_SETS },
	{ "arena.<i>.extent_hooks", OTHER_SETS },
	{ "arena.<i>.retain_grow_limit", OTHER_SETS },
};
#define NAMES (sizeof names / sizeof *names)
#define REPLAYED 9
/* The first of the others is this one in a record. */
#define OTHERS_FROM 128
#define ARENA_SHIFT 8
#define ARENAS_ALL 4096
#define MIB_MAX 4

static struct {
	int (*mallctl)(const char *, void *, size_t *, void *, size_t);
	int (*mallctlbymib)(const size_t *, size_t, void *, size_t *, void *, size_t);
} original;

/* The number of an arena at `*at`, which moves behind it; -1: there is none. */
static long arena_number(const char **at)
{
	long number = 0;
	const char *p = *at;
	for (; *p >= '0' && *p <= '9' && number < 1 << 20; p++) number = 10 * number + *p - '0';
	if (p == *at) return -1;
	*at = p;
	return number;
}

/* Whether it is the name; then the arena is that of its `<i>`, 0 without. */
static int is_name(const char *name, const char *pattern, long *arena)
{
	*arena = 0;
	const char *hole = strstr(pattern, "<i>");
	if (!hole) return !strcmp(name, pattern);
	size_t before = (size_t)(hole - pattern);
	if (strncmp(name, pattern, before)) return 0;
	const char *rest = name + before;
	*arena = arena_number(&rest);
	return *arena >= 0 && !strcmp(rest, hole + 3);
}

/* `arenas.narenas` stands for all arenas too, however many a replay has. */
static long named_arena(long arena)
{
	unsigned total = 0;
	size_t length = sizeof total;
	if (original.mallctl("arenas.narenas", &total, &length, NULL, 0) == 0 && arena == (long)total) return ARENAS_ALL;
	return arena;
}

static int32_t value_of(enum kind kind, const void *given)
{
	if (kind == DOES) return 0;
	if (kind == SETS_FLAG) return *(const _Bool *)given;
	ssize_t value = *(const ssize_t *)given;
	return value > INT32_MAX ? INT32_MAX : (int32_t)value;
}

static void log_call(size_t name, long arena, const void *given)
{
	enum kind kind = names[name].kind;
	if (kind != DOES && kind != OTHER_DOES && !given) return; /* it only asks */
	if (name >= REPLAYED) {
		log_extended(OP_MALLCTL, NULL, OTHERS_FROM + name - REPLAYED, 0);
		return;
	}
	if (strstr(names[name].name, "<i>") && kind == DOES) arena = named_arena(arena);
	if (arena > ARENAS_ALL) return;
	log_extended(OP_MALLCTL, NULL, (uint64_t)arena << ARENA_SHIFT | name, (uint32_t)value_of(kind, given));
}

static int my_mallctl(const char *name, void *old, size_t *old_length, void *given, size_t length)
{
	int error = original.mallctl(name, old, old_length, given, length);
	if (error || !recording()) return error;
	int saved = errno;
	long arena;
	size_t i = 0;
	while (i < NAMES && !is_name(name, names[i].name, &arena)) i++;
	if (i < NAMES) log_call(i, arena, given);
	errno = saved;
	return error;
}

/* Bound when this library is: to jemalloc's. */
#define WEAK __attribute__((weak))
extern int mallctl(const char *, void *, size_t *, void *, size_t) WEAK;
extern int mallctlbymib(const size_t *, size_t, void *, size_t *, void *, size_t) WEAK;
extern int mallctlnametomib(const char *, size_t *, size_t *) WEAK;

/* The numbers of a name; those of arena 0 where it has an arena. */
struct mib {
	size_t length, numbers[MIB_MAX];
};

static const struct mib *mib_of(size_t name)
{
	static struct mib known[NAMES];
	static _Atomic int is_known;
	if (!atomic_load(&is_known)) { /* whoever comes first, or several: they find the same */
		for (size_t i = 0; i < NAMES; i++) {
			char spelled[48];
			const char *hole = strstr(names[i].name, "<i>");
			strcpy(spelled, names[i].name);
			if (hole) {
				spelled[hole - names[i].name] = '0';
				strcpy(spelled + (hole - names[i].name) + 1, hole + 3);
			}
			size_t length = MIB_MAX;
			known[i].length = mallctlnametomib(spelled, known[i].numbers, &length) ? 0 : length;
		}
		atomic_store(&is_known, 1);
	}
	return &known[name];
}

static int my_mallctlbymib(const size_t *mib, size_t count, void *old, size_t *old_length, void *given, size_t length)
{
	int error = original.mallctlbymib(mib, count, old, old_length, given, length);
	if (error || !recording()) return error;
	int saved = errno;
	for (size_t i = 0; i < NAMES; i++) {
		const struct mib *known = mib_of(i);
		int has_arena = strstr(names[i].name, "<i>") != NULL, is_it = known->length > 0 && known->length == count;
		for (size_t k = 0; k < count && is_it; k++) is_it = (has_arena && k == 1) || mib[k] == known->numbers[k];
		if (!is_it) continue;
		log_call(i, has_arena ? (long)mib[1] : 0, given);
		break;
	}
	errno = saved;
	return error;
}

void watch_mallctl(void)
{
	if (!mallctl || !mallctlbymib || !mallctlnametomib) return;
	struct patch patches[] = {
		{ (void *)mallctl, (void *)my_mallctl, (void **)&original.mallctl },
		{ (void *)mallctlbymib, (void *)my_mallctlbymib, (void **)&original.mallctlbymib },
	};
	put_in_front(patches, sizeof patches / sizeof *patches);
}
