/* Call sites: before an allocation is logged, who asked for it. */
#ifndef ALLOCSIM_SITES_H
#define ALLOCSIM_SITES_H
#include <stddef.h>
#include <stdint.h>

/* Where the tree of this image lies, behind its ring. NULL: there is none (any more). */
void begin_sites(void *table, size_t bytes);
void note_site(void);
/* The same, within a line of a script (script.h); 0: none. */
void note_site_at(uint64_t place);
/* Whether call sites are wanted. */
extern int with_sites;
/* Of the tree's table: 2^22 places of 16 bytes, in all its sizes. */

#endif
