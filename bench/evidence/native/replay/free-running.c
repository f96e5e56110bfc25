/* Every thread at its own pace; what touches a block waits for what made it. */
#include "execute.h"
#include <limits.h>

static uint32_t *order; /* event numbers by thread, in file order within each */
static _Atomic uint32_t gate, arrived;

static void run_own_events(const struct thread *t) {
  for (uint32_t i = t->first; i < t->first + t->count; i++) execute(order[i], trace.touch, false, results != NULL);
}
static void *free_running_thread(void *argument) {
  struct thread *t = argument;
  atomic_fetch_add(&arrived, 1);
  while (!atomic_load(&gate)) futex_wait(&gate, 0);
  if (t->before != NONE) pthread_join(trace.threads[t->before].handle, NULL); /* one life after the other */
  run_own_events(t);
  return NULL;
}

static void sort_by_thread(void) {
  order = harness_alloc(sizeof *order * (size_t)trace.event_count);
  for (uint32_t i = 0; i < trace.event_count; i++) trace.threads[trace.events[i].thread].count++;
  for (uint32_t i = 1; i < trace.thread_count; i++)
    trace.threads[i].first = trace.threads[i - 1].first + trace.threads[i - 1].count;
  for (uint32_t i = 0; i < trace.thread_count; i++) trace.threads[i].count = 0;
  for (uint32_t i = 0; i < trace.event_count; i++) {
    struct thread *t = &trace.threads[trace.events[i].thread];
    order[t->first + t->count++] = i;
  }
}
void prepare_free_running(void) {
  sort_by_thread();
  for (uint32_t i = 1; i < trace.thread_count; i++) start_thread(&trace.threads[i], free_running_thread);
  while (atomic_load(&arrived) < trace.thread_count - 1) sched_yield();
}
void run_free_running(void) {
  atomic_store(&gate, 1);
  futex_wake(&gate, INT_MAX);
  run_own_events(&trace.threads[0]);
  for (uint32_t i = 1; i < trace.thread_count; i++)
    if (!trace.threads[i].followed) pthread_join(trace.threads[i].handle, NULL);
}
