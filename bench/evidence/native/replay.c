/*
 * Executes the events on the real allocator.
 *
 *   lockstep       one event after another in file order, each on its own thread; a futex hands the turn on
 *   free-running   every thread at its own pace; what touches a block waits for what made it
 *   --bench        lockstep, again and again, each time in a fork of the process that has never allocated
 *
 * Thread 0 is the process's main thread, and it initialises the allocator before event 0. Other threads are created at
 * their first event and joined, after a `te`, before the next event. At a `fork` the thread really forks: the child goes
 * on, and the parent ends as it does.
 */
#include "replay.h"
#include <fcntl.h>
#include <gnu/libc-version.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <immintrin.h>

struct result { void *block; size_t usable; };

static struct trace trace;
static void **blocks;            /* by slot */
static _Atomic uint32_t *done;   /* free-running, by slot: accesses that have happened */
static struct result *results;   /* by event, if placements are wanted */
static bool marks;
static bool measuring;           /* --bench */

static uint64_t clock_ns(clockid_t clock) {
  struct timespec now;
  syscall(SYS_clock_gettime, clock, &now); /* clock_gettime() shows the trace's time */
  return now.tv_sec * 1000000000UL + now.tv_nsec;
}

/* -------------------------------------------------------------------------------------------------------- one event */

static inline void write_fresh(char *block, size_t from, size_t to, const enum touch touch) {
  if (touch == TOUCH_NONE || from >= to || !block) return;
  if (touch == TOUCH_FULL) {
    memset(block + from, 0x5a, to - from);
    return;
  }
  *(volatile char *)(block + from) = 0x5a;
  for (uintptr_t p = ((uintptr_t)block + from + PAGE) & -PAGE; p < (uintptr_t)block + to; p += PAGE)
    *(volatile char *)p = 0x5a;
}

static inline void wait_for(uint32_t slot, uint32_t accesses) {
  for (unsigned spins = 0; atomic_load_explicit(&done[slot], memory_order_acquire) < accesses; spins++) {
    if (spins < 200) _mm_pause();
    else sched_yield();
  }
}

/* While it refuses, the kernel gives the process no address space and no writable pages. */
static void refuse_memory(bool refuse) {
  static struct { uint64_t now, most; } usual[2], nothing;
  static const int limits[2] = {RLIMIT_AS, RLIMIT_DATA};
  for (int i = 0; i < 2; i++) {
    if (refuse) {
      syscall(SYS_prlimit64, 0, limits[i], NULL, &usual[i]);
      nothing.now = 0;
      nothing.most = usual[i].most;
    }
    syscall(SYS_prlimit64, 0, limits[i], refuse ? &nothing : &usual[i], NULL);
  }
}

static void *allocate_marked(const struct mark *m, void *old) {
  void *block = NULL;
  switch (m->op) {
  case OP_MALLOC: return real.malloc(m->a);
  case OP_CALLOC: return real.calloc(m->a, m->b);
  case OP_REALLOC: return real.realloc(old, m->a);
  default: return real.posix_memalign(&block, m->a < sizeof(void *) ? sizeof(void *) : m->a, m->b) ? NULL : block;
  }
}

/* An event with a mark: what is written into it is known, it failed, or its numbers are large. */
static void execute_marked(uint32_t index, bool ordered) {
  const struct event *e = &trace.events[index];
  const struct mark *m = &trace.marks[e->a];
  void *old = e->slot == NONE ? NULL : blocks[e->slot];
  if (!ordered && (m->op == OP_WRITE || m->op == OP_REALLOC)) wait_for(e->slot, trace.need[index]);
  if (m->op == OP_WRITE) {
    if (old) memset((char *)old + m->a, 0x5a, m->b);
  } else if (m->failed) {
    refuse_memory(true);
    void *block = allocate_marked(m, m->op == OP_REALLOC ? old : NULL);
    refuse_memory(false);
    if (results) results[index] = (struct result){block, block ? real.usable_size(block) : 0};
    if (block && (m->op != OP_REALLOC || !old)) real.free(block);
    else if (block) blocks[e->slot] = block;
    if (e->slot == NONE) return;
  } else {
    void *block = allocate_marked(m, m->op == OP_REALLOC ? old : NULL);
    size_t size = m->op == OP_CALLOC ? m->a * m->b : m->op == OP_MEMALIGN ? m->b : m->a;
    if (!m->unwritten) write_fresh(block, m->op == OP_REALLOC && old ? m->b : 0, size, trace.touch);
    if (m->op != OP_REALLOC || block) blocks[e->slot] = block;
    if (results) results[index] = (struct result){block, block ? real.usable_size(block) : 0};
  }
  if (!ordered) atomic_fetch_add_explicit(&done[e->slot], 1, memory_order_release);
}

static bool has_forked;

/* The allocator does in the child what it does in any. Not where processor time is measured, which begins anew there. */
static void fork_really(bool ordered) {
  if (!ordered || measuring) return;
  pid_t child = fork();
  if (child < 0) die("replay: cannot fork");
  has_forked = true;
  if (child == 0) return;
  int status = 0;
  waitpid(child, &status, 0);
  _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128);
}

/* With the type that the name has (jemalloc's manual). What it refuses, it refuses in the recorded program too. */
static void call_mallctl(struct ctl_call *call) {
  if (!real.mallctl) return;
  bool flag = call->value != 0;
  ssize_t ms = call->value;
  size_t count = call->value;
  if (strstr(call->name, "_ms")) real.mallctl(call->name, NULL, NULL, &ms, sizeof ms);
  else if (!strcmp(call->name, "background_thread")) real.mallctl(call->name, NULL, NULL, &flag, sizeof flag);
  else if (!strcmp(call->name, "max_background_threads")) real.mallctl(call->name, NULL, NULL, &count, sizeof count);
  else real.mallctl(call->name, NULL, NULL, NULL, 0);
}

/* What seldom comes, out of the way of the loop that is measured. */
__attribute__((noinline)) static void execute_rare(const struct event *e, bool ordered) {
  switch (e->op) {
  case OP_FORK:
    fork_really(ordered);
    break;
  case OP_MARKED:
    execute_marked(e - trace.events, ordered);
    break;
  case OP_REQUEST_END:
    for (uint32_t i = e->a; i < e->a + e->b; i++) {
      uint32_t slot = trace.request_slots[i];
      if (!ordered) wait_for(slot, 1);
      if (blocks[slot]) real.free(blocks[slot]);
    }
    break;
  case OP_TRIM:
    if (real.trim) real.trim(e->a);
    break;
  case OP_OPT:
    if (real.mallopt) real.mallopt((int)e->a, (int)e->b);
    break;
  case OP_CTL:
    call_mallctl(&trace.calls[e->a]);
    break;
  case OP_CLOCK:
    atomic_fetch_add_explicit(&trace_ns, (uint64_t)e->b << 32 | e->a, memory_order_relaxed);
    break;
  case OP_SAMPLE:
    sample(&trace.labels[e->a]);
    break;
  default:
    break;
  }
}

/* Inlined with constants where it is measured. */
__attribute__((always_inline)) static inline void execute(uint32_t index, const enum touch touch, const bool ordered,
                                                          const bool recorded) {
  const struct event *e = &trace.events[index];
  void **slot = &blocks[e->slot];
  void *block = NULL;
  bool accessed = true;
  if (!ordered && (e->op == OP_FREE || e->op == OP_WRITE || e->op == OP_REALLOC)) wait_for(e->slot, trace.need[index]);
  switch (e->op) {
  case OP_MALLOC:
    block = *slot = real.malloc(e->a);
    write_fresh(block, 0, e->a, touch);
    break;
  case OP_FREE:
    if (*slot) real.free(*slot);
    accessed = false;
    break;
  case OP_CALLOC:
    block = *slot = real.calloc(e->a, e->b);
    write_fresh(block, 0, (size_t)e->a * e->b, touch);
    break;
  case OP_MEMALIGN:
    if (real.posix_memalign(&block, e->a < sizeof(void *) ? sizeof(void *) : e->a, e->b)) block = NULL;
    *slot = block;
    write_fresh(block, 0, e->b, touch);
    break;
  case OP_REALLOC:
    if (e->a == 0) { /* a free, whatever this allocator's realloc makes of it */
      if (*slot) real.free(*slot);
      *slot = NULL;
      break;
    }
    block = real.realloc(*slot, e->a);
    write_fresh(block, *slot ? e->b : 0, e->a, touch);
    if (block) *slot = block; /* else the old block lives on */
    break;
  case OP_WRITE:
    if (*slot) memset((char *)*slot + e->a, 0x5a, e->b);
    break;
  default:
    execute_rare(e, ordered);
    accessed = false;
  }
  if (recorded && is_allocating(e->op)) results[index] = (struct result){block, block ? real.usable_size(block) : 0};
  if (!ordered && accessed) atomic_fetch_add_explicit(&done[e->slot], 1, memory_order_release);
}

/* ---------------------------------------------------------------------------------------------------------- threads */

static void futex_wait(_Atomic uint32_t *word, uint32_t value) {
  syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}
static void futex_wake(_Atomic uint32_t *word, int count) {
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
}

static void *unused_stacks; /* of joined threads, linked through their first word: used again last in, first out */
static uint32_t stack_count;

static void *take_stack(void) {
  void *stack = unused_stacks;
  if (!stack) return (char *)(STACKS_END - ++stack_count * STACK_BYTES);
  unused_stacks = *(void **)stack;
  return stack;
}
static void give_stack(void *stack) {
  *(void **)stack = unused_stacks;
  unused_stacks = stack;
}
/* So that the start of a thread faults on nothing of the harness. */
static void populate_stacks(uint32_t count) {
  for (uint32_t i = 1; i <= count; i++) {
    char *stack = (char *)(STACKS_END - i * STACK_BYTES);
    populate(stack, 1);
    populate(stack + STACK_BYTES - (64 << 10), 64 << 10);
  }
}

static void start_thread(struct thread *t, void *(*body)(void *)) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  t->stack = take_stack();
  pthread_attr_setstack(&attributes, t->stack, STACK_BYTES);
  t->created = true;
  int error = pthread_create(&t->handle, &attributes, body, t);
  if (error) die("replay: cannot create a thread: %s", strerror(error));
  pthread_attr_destroy(&attributes);
}

/* --------------------------------------------------------------------------------------------------------- lockstep */

static uint32_t next_event;           /* the turn's owner moves it */
static struct thread *leaving;        /* has executed its `te`, is not joined yet */
static uint64_t executing_ns;         /* --bench: processor time of the threads while they had the turn */
static uint32_t (*execute_turn)(uint32_t index, uint32_t thread);

static void mark(const char *text) { /* fails on purpose: seen by strace alone */
  if (write(-1, text, strlen(text))) {}
}
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
_Noreturn static void finish(void);

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

static void run_lockstep(void) {
  struct thread *main_thread = &trace.threads[0], *first = owner_of_next();
  if (first == main_thread) main_thread->turn = 1;
  else give_turn(first);
  lockstep(main_thread);
}

/* ----------------------------------------------------------------------------------------------------- free-running */

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
static void create_free_running_threads(void) {
  for (uint32_t i = 1; i < trace.thread_count; i++) start_thread(&trace.threads[i], free_running_thread);
  while (atomic_load(&arrived) < trace.thread_count - 1) sched_yield();
}
static void run_free(void) {
  atomic_store(&gate, 1);
  futex_wake(&gate, INT_MAX);
  run_own_events(&trace.threads[0]);
  for (uint32_t i = 1; i < trace.thread_count; i++)
    if (!trace.threads[i].followed) pthread_join(trace.threads[i].handle, NULL);
}

/* -------------------------------------------------------------------------------------------------------- benchmark */

/*
 * What the events took, hand-overs between threads left out: processor time, which a busy machine disturbs less than
 * the time on the wall; and the minor faults meanwhile.
 */
struct measure { uint64_t ns; long faults; };

static void measure_in_child(int to, enum touch touch) {
  populate(blocks, sizeof *blocks * (size_t)trace.slot_count); /* the fork has made them copy-on-write */
  populate_stacks(trace.thread_peak + 1);
  trace.threads[0].handle = pthread_self();
  execute_turn = touch == TOUCH_FULL ? turn_full : touch == TOUCH_FIRST ? turn_first : turn_none;
  measuring = true;
  long faults = minor_faults();
  run_lockstep();
  struct measure measure = {executing_ns, minor_faults() - faults};
  if (write(to, &measure, sizeof measure) != sizeof measure) _exit(1);
  _exit(0);
}

/* For each line on standard input (full, first, none) a repetition; its measure is a line on standard output. */
static void serve_benchmark(void) {
  char request[16];
  printf("ready %u %s\n", trace.event_count, real.library);
  fflush(stdout);
  while (fgets(request, sizeof request, stdin)) {
    request[strcspn(request, "\n")] = 0;
    int touch = touch_named(request), ends[2];
    if (touch < 0 || pipe(ends)) die("replay: cannot measure '%s'", request);
    pid_t child = fork();
    if (child == 0) measure_in_child(ends[1], touch);
    close(ends[1]);
    struct measure measure;
    if (child < 0 || read(ends[0], &measure, sizeof measure) != sizeof measure) die("replay: a repetition failed");
    close(ends[0]);
    waitpid(child, NULL, 0);
    printf("%lu %ld\n", measure.ns, measure.faults);
    fflush(stdout);
  }
}

/* ------------------------------------------------------------------------------------------------------------- main */

static const char *allocator_version(void) {
  const char *version = "";
  size_t length = sizeof version;
  if (real.mallctl) real.mallctl("version", &version, &length, NULL, 0);
  else if (real.malloc_info) version = gnu_get_libc_version();
  return version;
}

static void write_placements(const char *path) {
  int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  FILE *stream = file < 0 ? NULL : fdopen(file, "w");
  if (!stream) die("replay: cannot write %s", path);
  for (uint32_t i = 0; i < trace.event_count; i++)
    if (allocates(&trace, &trace.events[i]))
      fprintf(stream, "%u %lx %zu\n", i, (unsigned long)results[i].block, results[i].usable);
  if (fclose(stream)) die("replay: cannot write %s", path);
}

/* One thread runs at a time: handing over on one processor is the cheapest. */
static void pin_to_one_cpu(void) {
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  CPU_SET(sched_getcpu(), &cpus);
  sched_setaffinity(0, sizeof cpus, &cpus);
}

static const char usage[] =
  "usage: replay [--mode lockstep|free] [--placements FILE] [--samples FILE] [--info] [--touch full|first|none]\n"
  "              [--no-touch] [--marks] [--no-pin] [--thp] [--aslr] [--timing] [--bench] TRACE\n"
  "                                                          TRACE: .htrace, or - for a pipe\n"
  "       replay --identify                                  which allocator, which version, how many processors";

static struct {
  const char *placements;
  bool is_free, timing;
  uint64_t start_ns;
  long faults;
} run;

_Noreturn static void finish(void) {
  mark("htrace:end");
  uint64_t ns = clock_ns(CLOCK_MONOTONIC) - run.start_ns;
  long faults = minor_faults() - run.faults;
  finish_samples();
  if (run.placements) write_placements(run.placements);
  if (run.timing) {
    printf("{\"allocator\":\"%s\",\"mode\":\"%s\",\"touch\":\"%s\",\"events\":%u,\"threads\":%u,\"ns\":%lu,\"faults\":%ld}\n",
           real.library, run.is_free ? "free" : "lockstep", touch_names[trace.touch], trace.event_count,
           trace.thread_count, ns, faults);
    fflush(stdout);
  }
  _exit(trace.warnings ? 3 : 0);
}

int main(int argc, char **argv) {
  const char *placements = NULL, *samples = NULL, *path = NULL;
  bool free_running = false, info = false, pin = true, timing = false, bench = false, identify = false;
  int touch = -1; /* as the trace says */
  for (int i = 1; i < argc; i++) {
    const char *option = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;
    if (!strcmp(option, "--info")) info = true;
    else if (!strcmp(option, "--no-touch")) touch = TOUCH_NONE;
    else if (!strcmp(option, "--marks")) marks = true;
    else if (!strcmp(option, "--no-pin")) pin = false;
    else if (!strcmp(option, "--timing")) timing = true;
    else if (!strcmp(option, "--bench")) bench = true;
    else if (!strcmp(option, "--identify")) identify = true;
    else if (!strcmp(option, "--thp") || !strcmp(option, "--aslr")) continue; /* isolate() has read them */
    else if (value && !strcmp(option, "--placements")) placements = argv[++i];
    else if (value && !strcmp(option, "--samples")) samples = argv[++i];
    else if (value && !strcmp(option, "--touch") && touch_named(value) >= 0) touch = touch_named(argv[++i]);
    else if (value && !strcmp(option, "--mode") && (!strcmp(value, "lockstep") || !strcmp(value, "free")))
      free_running = *argv[++i] == 'f';
    else if ((option[0] == '-' && option[1]) || path) die("%s", usage);
    else path = option;
  }
  if (!path == !identify || (bench && (free_running || placements || samples))) die("%s", usage);

  find_allocator();
  if (identify) { /* and the processors, as glibc and as jemalloc count them */
    cpu_set_t usable;
    sched_getaffinity(0, sizeof usable, &usable);
    printf("%s %s %d %d\n", real.library, allocator_version(), get_nprocs(), CPU_COUNT(&usable));
    fflush(stdout);
    _exit(0);
  }
  /* glibc binds its main arena to the thread that initialises it; mallinfo2 does so and allocates nothing. */
  if (real.mallinfo2) real.mallinfo2();
  read_trace(path, free_running, &trace);
  if (touch >= 0) trace.touch = touch;
  populate(trace.events, sizeof *trace.events * (size_t)trace.event_count);
  blocks = harness_alloc(sizeof *blocks * (size_t)trace.slot_count);
  populate(blocks, sizeof *blocks * (size_t)trace.slot_count);
  trace.threads[0].created = true;
  trace.threads[0].handle = pthread_self();
  if (pin && !free_running && trace.thread_count > 1) pin_to_one_cpu();
  if (bench) {
    serve_benchmark();
    _exit(0);
  }
  if (placements) {
    results = harness_alloc(sizeof *results * (size_t)trace.event_count);
    populate(results, sizeof *results * (size_t)trace.event_count);
  }
  if (samples) open_samples(samples, info, &trace);
  if (free_running) {
    done = harness_alloc(sizeof *done * (size_t)trace.slot_count);
    populate((void *)done, sizeof *done * (size_t)trace.slot_count);
    sort_by_thread();
    populate_stacks(trace.thread_count - 1);
    create_free_running_threads();
  } else {
    execute_turn = turn;
    populate_stacks(trace.thread_peak + 1); /* a thread is created before the one that exits is joined */
  }

  run.placements = placements;
  run.is_free = free_running;
  run.timing = timing;
  start_counting_samples();
  run.faults = minor_faults();
  run.start_ns = clock_ns(CLOCK_MONOTONIC);
  mark("htrace:begin");
  if (run.is_free) run_free();
  else run_lockstep();
  finish();
}
