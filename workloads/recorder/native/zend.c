/*
 * PHP's own heap (Zend/zend_alloc.c): emalloc and its family, requests and their ends. PHP calls them within its own
 * program, past the dynamic linker, so a jump is put at the beginning of each (patch.c). PHP's heap serves every call, and
 * its numbers stay what they are.
 *
 * A call that fails never comes back: PHP leaves by longjmp, and what it needs to say so it allocates itself. A call
 * that begins while another one of the thread is under way therefore says that this one has failed.
 */
#include "recorder.h"
#include "patch.h"
#include "script.h"
#include "sites.h"
#include <dlfcn.h>
#include <stdbool.h>
#include <string.h>

/* MAX_SMALL_SIZE and below: ZEND_MM_BINS_INFO of Zend/zend_alloc_sizes.h. */
#define EACH_BIN(_) \
	_(8) _(16) _(24) _(32) _(40) _(48) _(56) _(64) _(80) _(96) _(112) _(128) _(160) _(192) _(224) _(256) _(320) _(384) \
	_(448) _(512) _(640) _(768) _(896) _(1024) _(1280) _(1536) _(1792) _(2048) _(2560) _(3072)

static struct {
	void *(*emalloc)(size_t), *(*emalloc_large)(size_t), *(*emalloc_huge)(size_t);
	void *(*ecalloc)(size_t, size_t);
	void *(*erealloc)(void *, size_t), *(*erealloc2)(void *, size_t, size_t);
	void (*efree)(void *), (*efree_large)(void *, size_t), (*efree_huge)(void *, size_t);
	size_t (*gc)(void *);
	int (*request_startup)(void);
	void (*request_shutdown)(void *);
	void (*shutdown)(bool, bool);
	int (*set_limit)(size_t);
	size_t (*usage)(bool), (*peak_usage)(bool);
#define ORIGINALS(n) void *(*emalloc_##n)(void); void (*efree_##n)(void *);
	EACH_BIN(ORIGINALS)
} zend;
static void *(*get_heap)(void);
static const char *(*get_version)(void);
/* Of sapi_module, whose struct begins with it (main/SAPI.h). */
static const char *const *interface_name;

/* The call of this thread that has not come back yet. */
static THREAD_LOCAL struct {
	enum op op; /* OP_NONE: there is none */
	size_t count, size;
	size_t kept; /* of an erealloc: so much of what it gets has a content, for big_allocated() */
} under_way;

static void say(const char *word)
{
	strncpy(zend_word, word, sizeof zend_word - 1);
	if (ring) strcpy(ring->zend, zend_word);
}

/* Whether zend_mm itself serves the heap; not with USE_ZEND_ALLOC=0, or where an extension has put its own handlers in. */
static int is_plain(const void *heap)
{
	if (LIKELY(*(const int *)heap == 0)) return 1; /* use_custom_heap */
	if (zend_word[0] != '!') say("!an extension (or USE_ZEND_ALLOC=0) serves its heap by other means");
	return 0;
}

static void note_failure(void)
{
	enum op op = under_way.op;
	under_way.op = OP_NONE;
	if (op == OP_ECALLOC) log_extended(op, NULL, under_way.count, under_way.size);
	else log_sized(op, NULL, under_way.size);
}

/* Whether the call that begins now is to be logged when it returns. */
static int begins(enum op op, size_t count, size_t size)
{
	if (!recording()) return 0;
	if (UNLIKELY(under_way.op != OP_NONE)) note_failure();
	if (UNLIKELY(!is_plain(get_heap()))) return 0;
	under_way.op = op;
	under_way.count = count;
	under_way.size = size;
	return 1;
}

static void *ends(void *p)
{
	enum op op = under_way.op;
	size_t count = under_way.count, size = under_way.size, kept = op == OP_EREALLOC_END ? under_way.kept : 0;
	int saved = errno;
	under_way.op = OP_NONE;
	if (UNLIKELY(with_sites)) note_site_at(script_place());
	if (op == OP_ECALLOC) {
		if (LIKELY(count < 1u << 8 && size < 1u << 16)) log_plain(op, p, count << 16 | size);
		else log_extended(op, p, count, size);
		size *= count;
		kept = size;
	} else {
		log_sized(op, p, size);
	}
	if (UNLIKELY(size >= BIG_BYTES)) big_allocated_by_zend(p, size, kept);
	errno = saved;
	return p;
}

/* Returns the size of a block that is watched. */
static size_t goes(enum op op, void *p)
{
	size_t was = 0;
	if (!p || !recording()) return 0;
	if (UNLIKELY(under_way.op != OP_NONE)) note_failure();
	if (UNLIKELY(!is_plain(get_heap()))) return 0;
	int saved = errno;
	if (may_be_big(p)) was = big_freed(p);
	log_plain(op, p, 0);
	errno = saved;
	return was;
}

char zend_word[128];

/* ---- in place of PHP's functions */

static void *my_emalloc(size_t size)
{
	int is_seen = begins(OP_EMALLOC, 0, size);
	void *p = zend.emalloc(size);
	return is_seen ? ends(p) : p;
}

static void *my_emalloc_large(size_t size)
{
	int is_seen = begins(OP_EMALLOC, 0, size);
	void *p = zend.emalloc_large(size);
	return is_seen ? ends(p) : p;
}

static void *my_emalloc_huge(size_t size)
{
	int is_seen = begins(OP_EMALLOC, 0, size);
	void *p = zend.emalloc_huge(size);
	return is_seen ? ends(p) : p;
}

/* As _ecalloc does it; where the product is too large that one has the last word. */
static void *my_ecalloc(size_t count, size_t size)
{
	size_t bytes;
	if (__builtin_mul_overflow(count, size, &bytes)) return zend.ecalloc(count, size);
	int is_seen = begins(OP_ECALLOC, count, size);
	void *p = zend.emalloc(bytes);
	if (is_seen) ends(p);
	return memset(p, 0, bytes);
}

/* Large blocks are whole pages: ZEND_MM_PAGE_SIZE. */
#define HEAP_PAGE ((size_t)4096)

static void *resized(void *old, size_t size, size_t copied, int copies)
{
	if (!old) return my_emalloc(size);
	size_t was = goes(OP_EREALLOC_BEGIN, old);
	/* Unlike realloc it keeps a block of size 0, in the smallest bin. */
	int is_seen = begins(OP_EREALLOC_END, 0, size ? size : 1);
	under_way.kept = was ? (was + HEAP_PAGE - 1) & ~(HEAP_PAGE - 1) : KEPT_UNKNOWN;
	void *p = copies ? zend.erealloc2(old, size, copied) : zend.erealloc(old, size);
	return is_seen ? ends(p) : p;
}

static void *my_erealloc(void *old, size_t size) { return resized(old, size, 0, 0); }
static void *my_erealloc2(void *old, size_t size, size_t copied) { return resized(old, size, copied, 1); }

static void my_efree(void *p)
{
	goes(OP_EFREE, p);
	zend.efree(p);
}

static void my_efree_large(void *p, size_t size)
{
	goes(OP_EFREE, p);
	zend.efree_large(p, size);
}

static void my_efree_huge(void *p, size_t size)
{
	goes(OP_EFREE, p);
	zend.efree_huge(p, size);
}

#define OF_BIN(n) \
	static void *my_emalloc_##n(void) \
	{ \
		int is_seen = begins(OP_EMALLOC, 0, n); \
		void *p = zend.emalloc_##n(); \
		return is_seen ? ends(p) : p; \
	} \
	static void my_efree_##n(void *p) \
	{ \
		goes(OP_EFREE, p); \
		zend.efree_##n(p); \
	}
EACH_BIN(OF_BIN)

static size_t my_gc(void *heap)
{
	/* Within an allocation it is that one's last resort, and the model's too. */
	int is_seen = recording() && under_way.op == OP_NONE && is_plain(heap);
	if (is_seen) begin_giving_back();
	size_t bytes = zend.gc(heap);
	/* Behind the call: it looks through the whole heap before it gives anything back. */
	if (!is_seen) return bytes;
	log_plain(OP_GC, NULL, 0);
	end_giving_back();
	return bytes;
}

/* The engine has started, and its first line is "Zend Engine v4.2.36, Copyright …". */
static void say_version(void)
{
	static int is_said;
	const char *line = is_said || !get_version ? NULL : get_version(), *from = line ? strchr(line, 'v') : NULL;
	is_said = 1;
	if (!from || zend_word[0] == '!') return;
	char version[32] = "";
	size_t length = strcspn(from + 1, ",\n");
	memcpy(version, from + 1, length < sizeof version ? length : sizeof version - 1);
	say(version);
}

static int my_request_startup(void)
{
	say_version();
	begin_script();
	if (recording() && is_plain(get_heap())) log_plain(OP_REQUEST_BEGIN, NULL, 0);
	return zend.request_startup();
}

static void log_usage(enum usage when)
{
	log_extended(OP_ZEND_USAGE, (const void *)((uintptr_t)when * 8), zend.usage(false), zend.usage(true));
	log_extended(OP_ZEND_PEAK, NULL, zend.peak_usage(false), zend.peak_usage(true));
}

/* One script, whose end is PHP's. */
static int is_command_line(void) { return interface_name && *interface_name && !strcmp(*interface_name, "cli"); }

static void my_request_shutdown(void *unused)
{
	if (recording() && is_plain(get_heap())) {
		if (under_way.op != OP_NONE) note_failure();
		log_usage(USAGE_DONE);
	} else if (is_command_line()) {
		teardown_begins(ASKED_SCRIPT_ENDS);
	}
	zend.request_shutdown(unused);
}

static void my_shutdown(bool silent, bool full)
{
	int is_seen = recording() && is_plain(get_heap());
	if (is_seen) {
		if (under_way.op != OP_NONE) note_failure();
		if (!full) log_usage(USAGE_END);
		big_freed_by_request();
		begin_giving_back();
		log_plain(OP_REQUEST_END, NULL, full);
	}
	zend.shutdown(silent, full);
	if (is_seen) end_giving_back();
}

static int my_set_limit(size_t bytes)
{
	if (recording() && is_plain(get_heap())) log_extended(OP_ZEND_LIMIT, NULL, bytes, 0);
	return zend.set_limit(bytes);
}

static size_t my_usage(bool real)
{
	if (recording() && is_plain(get_heap())) log_usage(USAGE_ASKED);
	return zend.usage(real);
}

/* ---- finding them */

struct wanted {
	const char *name;
	void *own, *original;
};

static const struct wanted wanted[] = {
#define WANTED(name, function) { #name, (void *)my_##function, &zend.function },
	WANTED(_emalloc, emalloc)
	WANTED(_emalloc_large, emalloc_large)
	WANTED(_emalloc_huge, emalloc_huge)
	WANTED(_ecalloc, ecalloc)
	WANTED(_erealloc, erealloc)
	WANTED(_erealloc2, erealloc2)
	WANTED(_efree, efree)
	WANTED(_efree_large, efree_large)
	WANTED(_efree_huge, efree_huge)
	WANTED(zend_mm_gc, gc)
	WANTED(php_request_startup, request_startup)
	WANTED(php_request_shutdown, request_shutdown)
	WANTED(shutdown_memory_manager, shutdown)
	WANTED(zend_memory_usage, usage)
	WANTED(zend_set_memory_limit, set_limit)
#define WANTED_OF_BIN(n) WANTED(_emalloc_##n, emalloc_##n) WANTED(_efree_##n, efree_##n)
	EACH_BIN(WANTED_OF_BIN)
};
#define WANTED_COUNT (sizeof wanted / sizeof *wanted)

static const char *put_before(void *library)
{
	struct patch patches[WANTED_COUNT];
	for (size_t i = 0; i < WANTED_COUNT; i++) {
		void *function = dlsym(library, wanted[i].name);
		if (!function) return "!it does not export all functions of its heap (a debug build, or PHP 5)";
		patches[i] = (struct patch){ function, wanted[i].own, wanted[i].original };
	}
	get_heap = (void *(*)(void))dlsym(library, "zend_mm_get_heap");
	zend.peak_usage = (size_t(*)(bool))dlsym(library, "zend_memory_peak_usage");
	if (!get_heap || !zend.peak_usage) return "!it does not say where its heap is";
	return put_in_front(patches, WANTED_COUNT);
}

void watch_zend(void *library)
{
	if (get_heap || without_zend || !recording()) return;
	get_version = (const char *(*)(void))dlsym(library, "get_zend_version");
	if (with_sites) find_script_functions(library);
	interface_name = (const char *const *)dlsym(library, "sapi_module");
	const char *why = put_before(library);
	if (!why) watch_teardown_of_php(library);
	dlerror();
	say(why ? why : "of a version that it does not tell");
}

/* Bound when this library is: to the program's, or that of a library that it is linked with. */
extern void *_emalloc(size_t) __attribute__((weak));

void watch_zend_of_program(void)
{
	if (&_emalloc) watch_zend(RTLD_DEFAULT);
}
