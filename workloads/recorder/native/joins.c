/*
 * Threads that make others, and wait for them to exit: what a thread did before it makes another one comes before all that one does, and what it
 * does behind a join after it, in whatever order a replay takes the rest. Waits for anything else (conditions, semaphores, counters in memory)
 * are not seen.
 */
#include "recorder.h"
#include <pthread.h>
#include <threads.h>

static int joined(pthread_t thread, int result, uint64_t begun)
{
	int saved = errno;
	if (result == 0 && recording()) log_extended(OP_JOINED, (const void *)thread, ticks() - begun, 0);
	errno = saved;
	return result;
}

/* The function behind the recorder; where there is none the program has no threads. */
#define NEXT(type, name) \
	static type *_Atomic next_; \
	if (!next_) next_ = (type *)next_function(#name); \
	if (!next_) return EINVAL; \
	uint64_t begun = recording() ? ticks() : 0

typedef int join(pthread_t, void **);
typedef int join_until(pthread_t, void **, const struct timespec *);
typedef int join_by_clock(pthread_t, void **, clockid_t, const struct timespec *);
typedef int join_c11(thrd_t, int *);
typedef int create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
typedef int create_c11(thrd_t *, thrd_start_t, void *);

static void creates(void)
{
	int saved = errno;
	if (recording()) log_plain(OP_CREATES, NULL, 0);
	errno = saved;
}

static int created(const pthread_t *thread, int result)
{
	int saved = errno;
	if (result == 0 && recording()) log_plain(OP_CREATED, (const void *)*thread, 0);
	errno = saved;
	return result;
}

EXPORT int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument)
{
	NEXT(create, pthread_create);
	(void)begun;
	creates();
	return created(thread, next_(thread, attributes, start, argument));
}

EXPORT int thrd_create(thrd_t *thread, thrd_start_t start, void *argument)
{
	NEXT(create_c11, thrd_create);
	(void)begun;
	creates();
	return created(thread, next_(thread, start, argument));
}

EXPORT int pthread_join(pthread_t thread, void **value)
{
	NEXT(join, pthread_join);
	return joined(thread, next_(thread, value), begun);
}

EXPORT int pthread_tryjoin_np(pthread_t thread, void **value)
{
	NEXT(join, pthread_tryjoin_np);
	return joined(thread, next_(thread, value), begun);
}

EXPORT int pthread_timedjoin_np(pthread_t thread, void **value, const struct timespec *until)
{
	NEXT(join_until, pthread_timedjoin_np);
	return joined(thread, next_(thread, value, until), begun);
}

EXPORT int pthread_clockjoin_np(pthread_t thread, void **value, clockid_t clock, const struct timespec *until)
{
	NEXT(join_by_clock, pthread_clockjoin_np);
	return joined(thread, next_(thread, value, clock, until), begun);
}

EXPORT int thrd_join(thrd_t thread, int *value)
{
	NEXT(join_c11, thrd_join);
	return joined(thread, next_(thread, value), begun);
}
