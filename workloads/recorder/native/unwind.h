/* How stacks are walked: by the call frame information of the code (.eh_frame), each address's rule found once. */
#ifndef ALLOCSIM_UNWIND_H
#define ALLOCSIM_UNWIND_H
#include <stddef.h>
#include <stdint.h>

enum { REGISTER_FRAME = 6, REGISTER_STACK = 7, REGISTER_RETURN = 16 };

/* A loaded program or library. */
struct module {
	uintptr_t start, end;         /* of its mappings */
	uintptr_t base;               /* what its own addresses are relative to */
	const unsigned char *eh_frame_header;
	const char *name;             /* "": the program itself */
};
/* Whether code lies there that was loaded by the C library. Takes no lock where the C library can do without (2.35). */
int find_module(uintptr_t address, struct module *found);

/*
 * What an address says of its frame, in one word:
 *
 *   kind : 3 | frame register : 2 | canonical address : 22 | frame register : 16 | return address : 16
 *
 * The last three are signed, in units of 8 bytes, relative to the register of `kind`, to what the word before says, and to
 * the canonical address. 0: nothing is known, or nobody called it.
 */
enum rule_kind {
	RULE_END,
	RULE_STACK,       /* canonical address = stack pointer + offset */
	RULE_FRAME,       /* frame register + offset */
	RULE_FRAME_DEREF, /* what lies there: functions that align their stack */
	RULE_SIGNAL,      /* the kernel's frame of a signal handler */
	RULE_CHAIN        /* no information: the frame register points to its caller's, and to the return address behind */
};
enum frame_rule { FRAME_SAME, FRAME_AT_CANONICAL, FRAME_AT_FRAME };

static inline uint64_t pack_rule(enum rule_kind kind, enum frame_rule how, int64_t canonical, int64_t frame, int64_t ra)
{
	return (uint64_t)kind << 61 | (uint64_t)how << 59 | ((uint64_t)canonical & 0x3fffff) << 32 | ((uint64_t)frame & 0xffff) << 16
	       | ((uint64_t)ra & 0xffff);
}
static inline enum rule_kind rule_kind(uint64_t rule) { return (enum rule_kind)(rule >> 61); }
static inline enum frame_rule rule_of_frame(uint64_t rule) { return (enum frame_rule)(rule >> 59 & 3); }
static inline int64_t rule_canonical(uint64_t rule) { return (int64_t)(rule << 10) >> 42 << 3; }
static inline int64_t rule_frame(uint64_t rule) { return (int64_t)(rule << 32) >> 48 << 3; }
static inline int64_t rule_return(uint64_t rule) { return (int64_t)(rule << 48) >> 48 << 3; }

/* cfi.c */
uint64_t rule_from_cfi(const struct module *m, uintptr_t address);

/* unwind.c: the callers of this function, innermost first, as addresses within their calls; how many. */
#define FRAMES_MAX 256
/* In place of all frames beyond FRAMES_MAX. */
#define MORE_FRAMES 1
int walk_stack(uintptr_t *addresses);
/* Code has gone, or other code may come to be where it was. */
void forget_rules(void);
extern uintptr_t own_start, own_end;

#endif
