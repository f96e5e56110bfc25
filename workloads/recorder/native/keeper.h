/* What the parts of the keeper share: the process that starts the program, and writes down what its rings receive. */
#ifndef ALLOCSIM_KEEPER_H
#define ALLOCSIM_KEEPER_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "ring.h"

#define LOG_BUFFER 65536

struct block {
	uint64_t address, size; /* size 0: its allocation has been seen, not its watch; address 0: an empty place */
	int is_inherited;       /* from before the fork */
	int is_filled;          /* a page may have the pattern (fill.h) */
};
/* Of a block; `pages` with PAGES_…; 0: it was looked at. */
struct seen_run {
	uint64_t address, first, pages;
};

/* mapped.c */
struct stretch {
	uint64_t start, end;
};
struct stretches {
	struct stretch *of;
	size_t count, room;
};
struct mapping_change {
	uint64_t slot, start, length;
	int is_unmapped;
};
/* As it is now, and as it was: a fork's child that is found later has what its parent had when it forked. */
struct mapped {
	struct stretches now, before; /* before the first of the changes */
	struct mapping_change *changes;
	size_t count, room;
};
/* The record of the slot says that the program has mapped, or unmapped, the addresses. */
void change_mapped(struct mapped *m, struct mapping_change change);
/* Makes it what `parent` was before the slot. */
void inherit_mapped(struct mapped *m, const struct mapped *parent, uint64_t slot);
/* How many reach into the addresses, and the first of them. */
size_t stretches_in(const struct stretches *s, uint64_t start, uint64_t end, const struct stretch **first);

#define RING_NAME 40

/* One program image: from its start, or its fork, to its exec or end. */
struct image {
	char name[RING_NAME];        /* of its ring's file */
	int32_t pid, ppid;           /* the host's */
	uint32_t number;             /* of this pid's images; the log is PID.NUMBER */
	int32_t own_pid, own_ppid;   /* as the process has them: in a namespace others */
	int is_nameless;             /* nobody knows its pid on the host: `pid` is its own */
	int pidfd, log;
	struct ring_header *ring;
	struct slot *slots;
	uint64_t next;               /* the slot to be read next */
	uint64_t events;
	int64_t stuck_ns;            /* since when `next` is taken but not complete; 0: it is not */
	int is_over, is_answered_once;
	int is_broken;               /* the rest of the log could not be written */
	int exit_status;             /* as wait() gives it; -1: not known */
	uint64_t last_ticks, last_address;
	uint32_t last_thread;
	char postponed[100];         /* the label of a sample that waits until the process has given back what it gives back; "" */
	uint64_t last_size;
	struct block *watched;       /* blocks whose pages are looked at: a hash with open addressing */
	size_t watched_room, watched_count;
	struct seen_run *seen;       /* by the last look */
	size_t seen_count, seen_room;
	struct mapped mapped;        /* by the program for itself */
	unsigned char *buffer;
	size_t filled;
};

/* image.c */
struct image *open_image(const char *folder, const char *name);
/* Once it is known whose it is. */
void begin_log(struct image *m, const char *logs);
/* Takes what is complete; `finally`: the process is gone, and nothing becomes complete any more. How many slots. */
uint64_t drain(struct image *m, int64_t now_ns, int finally);
/* Whether there is something to take. */
int has_news(const struct image *m);
void finish_image(struct image *m);
void put_byte(struct image *m, unsigned char byte);
void put_number(struct image *m, uint64_t number);
void put_bytes(struct image *m, const void *bytes, size_t length);
void put_pages(struct image *m, uint64_t address, uint64_t first, uint64_t count);
extern uint64_t written_bytes;
/* Of the log that could not be written; 0: all could. */
extern int log_error;

/* images.c */
extern struct image **images;
extern size_t image_count, live_count;
extern int has_ended;       /* nothing is written down any more */
extern int is_one_unready;  /* a file is there that is not a ring yet */
void look_in(const char *rings, const char *logs, int with_sites);
void look_for_images(void);
/* What is written is all. */
void close_image(struct image *m);
/* Its process is gone, or another program. */
void end_image(struct image *m);
int is_gone(const struct image *m);
/* Where no descendant is left: those that are gone, and those of which nobody could say; or all. */
void end_lost_images(int all);

/* numbers.c */
/* Makes what is shared with all processes of the session. An errno, or 0. */
int open_session(const char *folder);
/* Readable where there is something for hear_numbers(); -1: none. */
int session_socket(void);
void hear_numbers(void);
/* The pid of the process that has the ring, by its own word; 0: it has not told. */
pid_t number_of(const char *name);
/* The number of a thread, of the name that /proc has for it, in the innermost namespace that it is in; 0: it is gone. */
unsigned own_number(int pid, const char *thread);

/* tell.c */
enum { TO_RECORDER = 4 };
__attribute__((format(printf, 1, 2))) void tell(const char *format, ...);
int64_t now_ns(void);
/* As realloc() and calloc(); where there is no memory the recording ends with a word. */
void *resized(void *old, size_t bytes);
void *zeroed(size_t count, size_t bytes);
void tell_clock(int is_counter);

/* seen.c: looks at the pages of the watched blocks; writes down what the last look has seen. */
void see_blocks(struct image *m);
void put_seen(struct image *m);

/* observe.c: writes a sample with what the kernel says of the process now; with_start: its environment as well. */
void observe(struct image *m, const char *label, int with_start);
/* The same, later where the process is giving memory back. */
void observe_settled(struct image *m, const char *label);
void observe_postponed(struct image *m);

/* descendants.c */
/* -1: it is gone. */
pid_t parent_of(pid_t pid);
/* The signal that ends the programs; 0: they go on. */
extern int ending;
/* Sends it: to the program, which tells its own children, or, where it is over (0), to the orphans, which have nobody else. SIGKILL is for all. */
void end_programs(int number, pid_t program);
/* What is there in spite of it. */
void tell_survivors(void);
/* To orphans that have not been told yet, where the program is over. */
void tell_orphans(int64_t now_ns);

/* start.c */
/* Why the program cannot be recorded, NULL if it can; leaves a word about it in the session's folder. */
const char *note_obstacle(const char *name, const char *folder);
void preload(const char *library, const char *flags, const char *folder);
/* An errno, or 0. */
int start_program(char **argv, const sigset_t *mask, int ignores_hangup, pid_t *program);
void remove_folder(const char *folder);

/* built-conf.c: to the standard output. */
int print_built_conf(void);

#endif
