/*
 * What the recorded processes and the keeper (keeper.c) share: a ring of records for each program image, in a file.
 *
 *   file PID.N in the session's folder       N counts the images that one process becomes by exec, and its forks
 *   +0                header
 *   +RING_HEADER      RING_SLOTS slots of 16 bytes, used again and again
 *   +RING_BYTES       with call sites: the process's own table of them
 *
 * A slot's number is taken by one addition to a counter in the process's own memory (so that a fork copies it at the very
 * moment at which it copies the heap). It is complete when the lap bit in `low` is that of its lap: odd laps write 1.
 *
 *   high   address / 8 : 44 | thread : 20        (bit 63 … bit 0)
 *   low    lap : 1 | extended : 1 | op : 6 | value : 24 | ticks : 32
 *
 * An extended record has a second slot directly behind it: high is a 64-bit argument, low has its lap bit and 63 more bits.
 */
#ifndef ALLOCSIM_RING_H
#define ALLOCSIM_RING_H
#include <stdatomic.h>
#include <stdint.h>

#define RING_MAGIC "ASRING08"
/* Files of the folder: a page of the keeper's for all, and the socket that is told whose a ring is. */
#define KEEPER_PAGE "keeper"
#define KEEPER_SOCKET "numbers"
#define RING_HEADER 4096
#define RING_SLOTS (1u << 18)
#define RING_BYTES (RING_HEADER + RING_SLOTS * 16ul)

#define SITE_BYTES (1ul << 26)

#define LOW_LAP (1ull << 63)
#define LOW_EXTENDED (1ull << 62)
#define LOW_OP_SHIFT 56
#define LOW_VALUE_SHIFT 32
#define VALUE_BITS 24
#define THREAD_BITS 20
#define ADDRESS_LIMIT (1ull << 47)

/* Addresses are those that the call returned (0: it failed), or the block that it was given. log.ts has the same table. */
enum op {
	OP_NONE,
	OP_MALLOC,        /* value: size */
	OP_CALLOC,        /* value: count << 16 | size; extended: count, size */
	OP_MEMALIGN,      /* value: log2 of the alignment << 18 | size; extended: alignment, size */
	OP_REALLOC_BEGIN, /* gives the block up */
	OP_REALLOC_END,   /* value: size */
	OP_FREE,
	OP_TRIM,          /* value: pad */
	OP_MALLOPT,       /* extended: parameter, value */
	OP_THREAD,        /* the first record of a thread; address: its pthread_self(); extended: its id in the kernel */
	OP_THREAD_EXIT,   /* address: its pthread_self(); extended: 15 bytes of its name */
	OP_EXIT,          /* the process begins to exit; extended: status, since_large_freed() */
	OP_EPOCH,         /* extended: all 64 bits of the ticks */
	OP_RESIDENT,      /* pages of the block at `address` that were there when it was allocated, and have no pattern (fill.h), or are huge; extended:
	                     first, count; before them once with count 0: the block is watched; first is 1 where a page has the pattern */
	OP_WRITTEN,       /* likewise, when it is freed (and, from the keeper, at samples) */
	OP_SITE,          /* the call site of this thread's allocations from here on; value: its number */
	OP_EMALLOC,       /* the Zend memory manager's, as MALLOC … FREE */
	OP_ECALLOC,
	OP_EREALLOC_BEGIN,
	OP_EREALLOC_END,
	OP_EFREE,
	OP_REQUEST_BEGIN,
	OP_REQUEST_END,   /* all blocks of EMALLOC … EREALLOC_END that are live go; value: 1 where the heap ends, too */
	OP_GC,            /* gc_mem_caches() */
	/* Written by the keeper alone, into the log that it keeps: */
	OP_SAMPLE,        /* followed by a text */
	OP_CUT,           /* a record that was never completed */
	OP_SEEN,          /* as WRITTEN, at a sample */
	OP_NODE = 32,     /* a new call site: its number for the address; extended: an address in the code, the site it was called from */
	OP_MODULE,        /* a program or library, in pieces: 15 bytes of its text (sites.c) */
	OP_WATCHED,       /* of a fork's child: a block that it has inherited, whose pages are looked at; extended: size, 1 where a page has the pattern */
	OP_PLACE,         /* a line of a script, in pieces as a module (script.c) */
	/* What PHP says of its heap: address 8: before the request's end; extended: memory_get_usage(), memory_get_usage(true) */
	OP_ZEND_USAGE = 40,
	OP_ZEND_PEAK,     /* directly behind it, extended: memory_get_peak_usage(), memory_get_peak_usage(true) */
	OP_ZEND_LIMIT,    /* zend_set_memory_limit(); extended: bytes */
	OP_MALLCTL,       /* jemalloc's mallctl; extended: arena << 8 | place in mallctl.c's table, from 128 on of what is not replayed, value as an int32 */
	OP_MAPPED,        /* the program has mapped memory for itself; extended: length */
	OP_UNMAPPED,      /* … and unmaps it */
	OP_CREATES,       /* pthread_create is called */
	OP_CREATED,       /* … and has come back; address: the new thread's pthread_t */
	OP_JOINED,        /* pthread_join has come back; address: of the thread that had it; extended: ticks that it took */
	OP_ADVISED        /* the program asks for huge pages itself; extended: length */
};

struct slot {
	uint64_t high;
	_Atomic uint64_t low;
};

enum { IMAGE_STARTED = 1, IMAGE_FORKED = 2 };
/*
 * The program has a malloc of its own, which is not seen. PID is that of a namespace: the keeper has been told the ring's name by
 * the process itself, and the number by the kernel; or it could not be told.
 */
enum { ALLOCATOR_OF_PROGRAM = 1, NUMBER_OF_NAMESPACE = 2, NUMBER_NOT_TOLD = 4 };

struct keeper_page {
	_Atomic uint32_t life;       /* a robust futex, which the keeper holds: the kernel marks it when the keeper dies */
	uint64_t pid_namespace;      /* the keeper's, as /proc/PID/ns/pid has it; 0: not known */
};

/* When PHP was asked for its numbers: by its script; before the heap is emptied; when the script is done, its variables still there. */
enum usage { USAGE_ASKED, USAGE_END, USAGE_DONE };

/* What a process is at that has the keeper look at it. */
enum asked { ASKED_START, ASKED_EXIT, ASKED_PYTHON_ENDS, ASKED_SCRIPT_ENDS, ASKED_PHP_ENDS };

struct ring_header {
	char magic[8];
	uint32_t slots;
	uint32_t kind;               /* IMAGE_… */
	int32_t pid, ppid;           /* as the process itself has them */
	uint64_t parent_image;       /* a fork's child: file PID.N of the image that it copies … */
	uint64_t parent_slot;        /* … and how many slots that one had taken */
	uint32_t thread;             /* the thread that lives on */
	uint32_t flags;              /* ALLOCATOR_OF_PROGRAM … */
	uint64_t start_ticks;
	uint64_t own_start, own_end; /* where the recorder's library lies in the process */
	uint64_t fill_key;           /* of the pattern on pages that were there before (fill.h); 0: there is none */
	char allocator[256];         /* the library that serves malloc */
	char malloc_conf[1024];      /* what jemalloc was told beside its environment (conf.c) */
	char zend[128];              /* the version of a Zend engine; "!…": why its heap is not seen */

	_Alignas(64) _Atomic uint64_t tail;  /* slots that the keeper is done with */
	_Atomic uint32_t asked_for;  /* an ASKED_… */
	_Atomic uint32_t asked;      /* the process waits for the keeper to look at it, as often as … */
	_Atomic uint32_t answered;   /* … it has looked */
	_Atomic uint32_t closed;     /* the keeper takes no more */
	_Atomic uint32_t is_lone;    /* forked, and has forked nobody since: a page that it shares it has not written */
	_Atomic uint32_t giving_back; /* threads in a call that gives much memory back, of which the log knows all or nothing */
	_Atomic uint64_t own_ticks;  /* what records and call sites took of the program's time, and … */
	_Atomic uint64_t looked_ns;  /* … looks at large blocks (budget.c) */
};

/*
 * In the second slot of RESIDENT and WRITTEN: high is the first page, low the count of pages and these: they are huge, and could not be read; the call
 * itself has written them; parts of huge pages have the pattern; parts of huge pages have zeros.
 */
#define PAGES_HUGE (1ull << 44)
#define PAGES_KNOWN (1ull << 45)
#define PAGES_FILLED (1ull << 46)
#define PAGES_ZEROS (1ull << 47)
/* Blocks from here on are looked at. */
#define BIG_BYTES 16384

#endif
