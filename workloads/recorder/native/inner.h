/* How calls that end in other recorded calls are logged once: operators.c above calls.c. */
#ifndef ALLOCSIM_INNER_H
#define ALLOCSIM_INNER_H
#include "recorder.h"

/* What this thread's last allocation returned; FAILED_ALLOCATION: nothing. */
extern THREAD_LOCAL const void *inner_allocated;
#define FAILED_ALLOCATION ((const void *)1)
/* The block that an outer call of this thread has logged as freed. */
extern THREAD_LOCAL const void *freeing;

/* `kept` is big_allocated()'s. */
void log_allocated(enum op op, const void *p, uint64_t size, size_t kept);
void log_aligned(const void *p, size_t alignment, size_t size, size_t kept);
/* What a realloc of the block may keep: all that the program can have used. */
size_t content_of(void *p);
/* Whether the block is large: whoever called says when its free has come back. */
int note_free(const void *p);
void note_large_freed(void);

#endif
