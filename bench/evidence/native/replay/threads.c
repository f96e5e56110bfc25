/* Threads on stacks of the harness. */
#include "replay.h"
#include <linux/futex.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static void *unused_stacks; /* of joined threads, linked through their first word: used again last in, first out */
static uint32_t stack_count;

static void *take_stack(void) {
  void *stack = unused_stacks;
  if (!stack) return (char *)(STACKS_END - ++stack_count * STACK_BYTES);
  unused_stacks = *(void **)stack;
  return stack;
}
void give_stack(void *stack) {
  *(void **)stack = unused_stacks;
  unused_stacks = stack;
}
void populate_stacks(uint32_t count) {
  for (uint32_t i = 1; i <= count; i++) {
    char *stack = (char *)(STACKS_END - i * STACK_BYTES);
    populate(stack, 1);
    populate(stack + STACK_BYTES - (64 << 10), 64 << 10);
  }
}

void start_thread(struct thread *t, void *(*body)(void *)) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  t->stack = take_stack();
  pthread_attr_setstack(&attributes, t->stack, STACK_BYTES);
  t->created = true;
  int error = pthread_create(&t->handle, &attributes, body, t);
  if (error) die("replay: cannot create a thread: %s", strerror(error));
  pthread_attr_destroy(&attributes);
}

void futex_wait(_Atomic uint32_t *word, uint32_t value) {
  syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}
void futex_wake(_Atomic uint32_t *word, int count) {
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
}
