/* session.c: the session's folder, and the keeper, as a recorded process sees them. */
#ifndef ALLOCSIM_SESSION_H
#define ALLOCSIM_SESSION_H
#include <stdint.h>

/* Reads it from the environment. 0: there is none, or its folder cannot be reached. */
int read_session(void);
int is_in_session(void);
int keeper_is_gone(void);
/* Makes the file KIND PID.N with the first free number from *n on. A descriptor, or -1. */
int open_in_session(const char *kind, unsigned long pid, unsigned long *n, int flags);
/* Has the keeper look into the folder. */
void wake_keeper(unsigned long pid);
/* Has the keeper give the ring PID.N its size, where this process may not. */
void ask_for_room(unsigned long pid, unsigned long n);
void remove_ring(unsigned long pid, unsigned long n);
/* Tells the keeper whose the ring PID.N is, where PID may be a number that the keeper does not know it by; flags of its header. */
uint32_t announce(unsigned long pid, unsigned long n);
/* A word about a program. `why` NULL: nothing is to be said after all. */
int begin_note(void);
void end_note(int fd, const char *why, const char *path);
int is_session_reachable(void);
/* As lend() of held.h: the folder, for what is started behind another root. */
int lend_session(char *path);

#endif
