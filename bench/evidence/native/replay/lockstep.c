/*
 * One event after another in file order, each on its own thread; a futex hands the turn on. Threads are created at their
 * first event and joined, after a `te`, before the next event.
 */
#include "execute.h"
#include <time.h>

static bool marks;                    /* each event is told to strace */
static uint32_t next_event;           /* the turn's owner moves it */
static struct thread *leaving;        /* has executed its `te`, is not joined yet */
static uint64_t executing_ns;         /* --bench: processor time of the threads while they had the turn */
static uint32_t (*execute_turn)(uint32_t index, uint32_t thread);

static void mark_event(uint32_t index) {
  char text[32];
  snprintf(text, sizeof text, "htrace:%u", index);
  mark(text);
}

/* Executes the events from `index` on that belong to the thread; stops after its exit. Returns the next index. */
#define TURN(NAME, TOUCH, RECORDED, BEFORE_EVENT)                                       \
  static uint32_t NAME(uint32_t index, uint32_t thread) {                               \
    const uint32_t count = trace.event_count;                                           \
    while (index < count && trace.events[index].thread == thread) {                     \
      BEFORE_EVENT;                                                                     \
      execute(index, TOUCH, true, RECORDED);                                            \
      if (trace.events[index++].op == OP_EXIT) break;                                   \
    }                                                                                   \
    return index;                                                                       \
  }
TURN(turn, trace.touch, results != NULL, if (marks) mark_event(index))
TURN(turn_full, TOUCH_FULL, false, )
TURN(turn_first, TOUCH_FIRST, false, )
TURN(turn_none, TOUCH_NONE, false, )

static void *lockstep_thread(void *thread);

static void give_turn(struct thread *t) {
  atomic_store(&t->turn, 1);
  if (t->created) futex_wake(&t->turn, 1);
  else start_thread(t, lockstep_thread);
}
static void wait_turn(struct thread *t) {
  while (!atomic_load(&t->turn)) futex_wait(&t->turn, 0);
  atomic_store(&t->turn, 0);
}

static struct thread *owner_of_next(void) {
  return &trace.threads[next_event < trace.event_count ? trace.events[next_event].thread : 0];
}

/* One thread's part: it runs between wait_turn and give_turn, and ends with its `te` (the main thread with the trace). */
static void lockstep(struct thread *t) {
  for (bool exits = false; !exits; give_turn(owner_of_next())) {
    wait_turn(t);
    if (leaving) {
      pthread_join(leaving->handle, NULL);
      give_stack(leaving->stack);
      leaving = NULL;
    }
    const uint32_t first = next_event;
    const uint64_t start = measuring ? clock_ns(CLOCK_THREAD_CPUTIME_ID) : 0;
    next_event = execute_turn(first, t - trace.threads);
    if (measuring) executing_ns += clock_ns(CLOCK_THREAD_CPUTIME_ID) - start;
    if (has_forked && next_event == trace.event_count) finish(); /* the main thread may be gone */
    exits = next_event > first && trace.events[next_event - 1].op == OP_EXIT;
    if (exits) leaving = t;
    else if (next_event == trace.event_count && t == trace.threads) return;
  }
}
static void *lockstep_thread(void *thread) {
  lockstep(thread);
  return NULL;
}

static void run(void) {
  struct thread *main_thread = &trace.threads[0], *first = owner_of_next();
  if (first == main_thread) main_thread->turn = 1;
  else give_turn(first);
  lockstep(main_thread);
}

void run_lockstep(bool with_marks) {
  marks = with_marks;
  execute_turn = turn;
  run();
}

uint64_t measure_lockstep(enum touch touch) {
  execute_turn = touch == TOUCH_FULL ? turn_full : touch == TOUCH_FIRST ? turn_first : turn_none;
  measuring = true;
  run();
  return executing_ns;
}
