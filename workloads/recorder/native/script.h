/* Where the interpreter of this process is in its script. */
#ifndef ALLOCSIM_SCRIPT_H
#define ALLOCSIM_SCRIPT_H
#include <stdint.h>

/* In place of an address in the code: beyond all that a process can have. */
#define SCRIPT_PLACES (1ull << 47)
void find_script_functions(void *library);
/* The file and line that PHP executes now; 0: none. Called by PHP's own thread, within its heap's functions. */
uint64_t script_place(void);
/* File names lie elsewhere from here on. */
void begin_script(void);
/* The log has none of the places yet. */
void forget_script_places(void);

#endif
