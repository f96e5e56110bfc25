/* The words and numbers of the line that is being read. */
#pragma once
#include "replay.h"

#pragma GCC visibility push(hidden)

extern const char *cursor, *line_end;
extern uint64_t line_number;

/* Zeroed memory of the harness that holds the file, or standard input for `-`. */
const char *read_all(const char *path, size_t *length);
void skip_spaces(void);
uint64_t number(void);
uint32_t number32(void);
struct word { const char *text; size_t length; };
struct word word(void);
bool is(struct word word, const char *text);

#pragma GCC visibility pop
