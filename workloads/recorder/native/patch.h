/*
 * Puts own functions in front of functions that a program calls without the dynamic linker:
 *
 *   function:   jmp near                          near (within 2 GiB):   jmp *own
 *               … what stood behind it                                   what stood at the function's start, relocated
 *                                                                        jmp function + its length
 *                                                                        ^ `original`: calls the function as it was
 */
#ifndef ALLOCSIM_PATCH_H
#define ALLOCSIM_PATCH_H
#include <stddef.h>

struct patch {
	void *function, *own;
	void **original;
};

/* All or none; NULL, or why none, behind an exclamation mark. No thread may be in one of the functions. */
const char *put_in_front(const struct patch *patches, size_t count);

#endif
