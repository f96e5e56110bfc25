/* How calls that end in other recorded calls are logged once: operators.c above calls.c. */
#ifndef ALLOCSIM_INNER_H
#define ALLOCSIM_INNER_H
#include "recorder.h"

/* What this thread's last allocation returned; FAILED_ALLOCATION: nothing. */
extern THREAD_LOCAL const void *inner_allocated;
#define FAILED_ALLOCATION ((const void *)1)
/* The block that an outer call of this thread has logged as freed. */
extern THREAD_LOCAL const void *freeing;

void log_allocated(enum op op, const void *p, uint64_t size);
void note_aligned(const void *p, size_t alignment, size_t size);
void note_free(const void *p);

#endif
