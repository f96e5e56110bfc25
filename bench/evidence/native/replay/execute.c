/* The events that come seldom: those with marks, forks, ends of requests, and what is said to the allocator itself. */
#include "execute.h"
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct trace trace;
void **blocks;
_Atomic uint32_t *done;
struct result *results;
bool measuring;
bool has_forked;

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

/*
 * As far as the block goes, where a realloc that failed may have made it shorter than the program knew. Only there: the
 * allocator's malloc_usable_size is a call that the program has not made, and jemalloc binds the thread to an arena in it.
 */
static void write_marked(const struct mark *m, char *block) {
  size_t end = m->a + m->b;
  if (block && m->shorter && real.usable_size(block) < end) end = real.usable_size(block);
  if (block && m->a < end) memset(block + m->a, 0x5a, end - m->a);
}

/* An event with a mark: what is written into it is known, it failed, or its numbers are large. */
static void execute_marked(uint32_t index, bool ordered) {
  const struct event *e = &trace.events[index];
  const struct mark *m = &trace.marks[e->a];
  void *old = e->slot == NONE ? NULL : blocks[e->slot];
  if (!ordered && (m->op == OP_WRITE || m->op == OP_REALLOC)) wait_for(e->slot, trace.need[index]);
  if (m->op == OP_WRITE) {
    write_marked(m, old);
  } else if (m->failed) {
    refuse_memory(true);
    void *block = allocate_marked(m, m->op == OP_REALLOC ? old : NULL);
    refuse_memory(false);
    bool stays = block && m->op == OP_REALLOC && old;
    if (results) results[index] = stays ? (struct result){block, real.usable_size(block)} : (struct result){0};
    if (stays) blocks[e->slot] = block;
    else if (block) real.free(block); /* the program never had it */
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

void execute_rare(const struct event *e, bool ordered) {
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
