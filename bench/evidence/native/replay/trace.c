/* The text form of a trace, to events. The Node side validates; here a trace only has to be read without harm. */
#include "text.h"
#include <string.h>

const char *const touch_names[3] = {"full", "first", "none"};

int touch_named(const char *name) {
  for (int touch = 0; touch < 3; touch++)
    if (!strcmp(name, touch_names[touch])) return touch;
  return -1;
}

bool is_allocating(enum op op) { return op >= OP_MALLOC && op <= OP_MEMALIGN; }
bool allocates(const struct trace *trace, const struct event *e) {
  return is_allocating(e->op == OP_MARKED ? trace->marks[e->a].op : e->op);
}

/* ---------------------------------------------------------------------------------------- numbers to dense numbers */

/* Open addressing with at most half of the cells used. A cell is empty while its value is 0: values are stored + 1. */
struct map {
  uint32_t mask;
  struct cell { uint32_t key, value; } *cells;
};

static struct map new_map(uint32_t entries) {
  uint64_t cells = 64;
  while (cells < entries * 2UL) cells *= 2;
  return (struct map){.mask = cells - 1, .cells = harness_alloc(cells * sizeof(struct cell))};
}
static uint32_t *map_value(struct map *map, uint32_t key) {
  uint32_t i = (key * 2654435769u) & map->mask;
  while (map->cells[i].value && map->cells[i].key != key) i = (i + 1) & map->mask;
  map->cells[i].key = key;
  return &map->cells[i].value;
}

/* ----------------------------------------------------------------------------------------------- state of the parse */

/* An object id: dead, or the block that it names now. */
struct object {
  uint64_t size;
  uint32_t slot;
  uint32_t accesses, born; /* allocation, writes and reallocs so far; of these, up to the last (re)allocation */
  bool live, request;      /* `request`: a block of the e... events, in its thread's list */
  bool shorter;            /* a realloc that failed may have cut its block */
  uint32_t owner, previous, next;
};
/* A thread number; over all its lives it has one list of live e... blocks, in the order of their allocation. */
struct thread_number {
  uint32_t life, request_first, request_last;
};

static struct trace *out;
static bool separate_slots;
static struct map object_map, number_map;
static struct object *objects;
static struct thread_number *numbers;
static uint32_t object_count, number_count;
static uint32_t *free_slots, free_slot_count, request_slot_count, alive;

static void warn(const char *what) {
  if (out->warnings++ < 5) say("replay: line %lu: %s", line_number, what);
}

static uint32_t object_of(uint32_t id) {
  uint32_t *value = map_value(&object_map, id);
  if (!*value) *value = ++object_count;
  return *value - 1;
}
static struct thread_number *number_of(uint32_t id) {
  uint32_t *value = map_value(&number_map, id);
  if (!*value) {
    numbers[number_count] = (struct thread_number){NONE, NONE, NONE};
    *value = ++number_count;
  }
  return &numbers[*value - 1];
}
/* The life that this thread number has now; after a `te` another one begins. */
static uint32_t thread_of(uint32_t id) {
  struct thread_number *n = number_of(id);
  if (n->life == NONE || out->threads[n->life].exits || out->threads[n->life].gone) {
    if (out->thread_count >> 24) die("replay: too many threads");
    out->threads[out->thread_count] = (struct thread){.id = id, .before = n->life};
    if (n->life != NONE) out->threads[n->life].followed = true;
    n->life = out->thread_count++;
    if (++alive > out->thread_peak) out->thread_peak = alive;
  }
  return n->life;
}

static uint32_t take_slot(void) {
  return free_slot_count > 0 ? free_slots[--free_slot_count] : out->slot_count++;
}
static void give_slot(uint32_t slot) {
  if (!separate_slots) free_slots[free_slot_count++] = slot;
}

static void link_request(uint32_t index, struct thread_number *owner) {
  struct object *o = &objects[index];
  o->request = true;
  o->owner = owner - numbers;
  o->next = NONE;
  o->previous = owner->request_last;
  *(o->previous == NONE ? &owner->request_first : &objects[o->previous].next) = index;
  owner->request_last = index;
}
static void kill_object(struct object *o) {
  o->live = false;
  if (o->request) {
    struct thread_number *owner = &numbers[o->owner];
    *(o->previous == NONE ? &owner->request_first : &objects[o->previous].next) = o->next;
    *(o->next == NONE ? &owner->request_last : &objects[o->next].previous) = o->previous;
    o->request = false;
  }
}

/* ----------------------------------------------------------------------------------------------------------- events */

static uint32_t mark_count;
/* Of the event that is being read. */
static struct mark now;

/* Puts what `now` holds where it fits. */
static void settle(struct event *e) {
  if (e->op == OP_NOP || (!now.unwritten && !now.failed && !now.shorter && (now.a | now.b) <= UINT32_MAX)) {
    e->a = now.a;
    e->b = now.b;
    return;
  }
  now.op = e->op;
  out->marks[mark_count] = now;
  e->op = OP_MARKED;
  e->a = mark_count++;
}

/* A call that failed takes no object: a realloc leaves its own as it is. */
static void fail_to_allocate(struct event *e, struct object *o) {
  if (e->op == OP_REALLOC && o->live) {
    e->slot = o->slot;
    out->need[out->event_count] = o->accesses;
    now.b = o->size;
    if (now.a < o->size) o->shorter = true;
  } else {
    if (e->op == OP_REALLOC) e->op = OP_MALLOC;
    e->slot = NONE;
  }
}

/* `size`: what the program may write. A realloc that ends the block (size 0) is a kind of free with a placement. */
static void allocate(struct event *e, uint32_t object_index, uint64_t size, struct thread_number *request_owner) {
  struct object *o = &objects[object_index];
  uint32_t event = out->event_count;
  if (now.failed) {
    fail_to_allocate(e, o);
    return;
  }
  if (e->op == OP_REALLOC) {
    if (o->live) {
      e->slot = o->slot;
      now.b = o->size;
      out->need[event] = o->accesses;
      o->size = now.a;
      o->shorter = false;
      o->born = ++o->accesses;
      if (now.a == 0) {
        kill_object(o);
        give_slot(e->slot);
      }
      return;
    }
    e->op = OP_MALLOC;
  } else if (o->live) {
    warn("the object is already live; its old block leaks");
    kill_object(o);
  }
  o->slot = e->slot = take_slot();
  o->size = size;
  o->accesses = o->born = 1;
  o->live = true;
  o->shorter = false;
  if (request_owner) link_request(object_index, request_owner);
}

static void release(struct event *e, struct object *o) {
  if (!o->live) {
    warn("free of an object that is not live");
    return;
  }
  e->op = OP_FREE;
  e->slot = o->slot;
  out->need[out->event_count] = o->accesses;
  kill_object(o);
  give_slot(o->slot);
}

static void write_event(struct event *e, struct object *o, uint64_t offset, uint64_t length) {
  if (!o->live) {
    warn("write to an object that is not live");
    return;
  }
  e->op = OP_WRITE;
  e->slot = o->slot;
  if (offset < o->size) {
    now.a = offset;
    now.b = length < o->size - offset ? length : o->size - offset;
  }
  out->need[out->event_count] = o->born;
  now.shorter = o->shorter;
  o->accesses++;
}

/* The allocators here know no request: its end frees the live blocks one by one. */
static void end_request(struct event *e, struct thread_number *owner) {
  e->op = OP_REQUEST_END;
  e->a = request_slot_count;
  while (owner->request_first != NONE) {
    struct object *o = &objects[owner->request_first];
    out->request_slots[request_slot_count++] = o->slot;
    kill_object(o);
    give_slot(o->slot);
  }
  e->b = request_slot_count - e->a;
}

static void option(struct event *e) {
  static const struct { const char *name; int parameter; } names[] = {
    {"M_MXFAST", M_MXFAST},           {"M_TRIM_THRESHOLD", M_TRIM_THRESHOLD}, {"M_TOP_PAD", M_TOP_PAD},
    {"M_MMAP_THRESHOLD", M_MMAP_THRESHOLD}, {"M_MMAP_MAX", M_MMAP_MAX},       {"M_CHECK_ACTION", M_CHECK_ACTION},
    {"M_PERTURB", M_PERTURB},         {"M_ARENA_TEST", M_ARENA_TEST},         {"M_ARENA_MAX", M_ARENA_MAX},
  };
  struct word name = word();
  skip_spaces();
  bool negative = cursor < line_end && *cursor == '-';
  cursor += negative;
  uint32_t value = number32();
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    if (!is(name, names[i].name)) continue;
    e->op = OP_OPT;
    e->a = (uint32_t)names[i].parameter;
    e->b = negative ? -value : value;
    return;
  }
  if (!is(name, "memory_limit")) warn("unknown mallopt name"); /* PHP's */
}

static void mallctl_call(struct event *e) {
  static uint32_t count;
  struct word name = word();
  struct ctl_call *call = &out->calls[count];
  snprintf(call->name, sizeof call->name, "%.*s", (int)name.length, name.text);
  if (name.length > 3 && (!memcmp(name.text + name.length - 3, "_ms", 3) || memmem(name.text, name.length, "background_thread", 17))) {
    skip_spaces();
    bool negative = cursor < line_end && *cursor == '-';
    cursor += negative;
    int64_t value = number32();
    call->value = negative ? -value : value;
  }
  e->op = OP_CTL;
  e->a = count++;
}

/* Events that do nothing here but name their thread. Which thread makes and awaits which is for those that go at their own pace. */
static bool only_names(struct word what) {
  static const char *const names[] = {"tb", "eb", "exit", "gc", "es", "tc", "tj"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (is(what, names[i])) return true;
  return false;
}

/* The line `what ...`, executed by thread `e->thread`, whose number is `id`. */
static void thread_event(struct event *e, struct word what, uint32_t id) {
  bool request = what.length == 2 && what.text[0] == 'e' && memchr("mcrf", what.text[1], 4);
  if (request) what = (struct word){what.text + 1, 1};
  struct thread_number *owner = request ? number_of(id) : NULL;
  if (what.length == 1 && memchr("mcrafw", what.text[0], 6)) {
    uint32_t index = object_of(number32());
    char kind = what.text[0];
    if (kind == 'f') {
      release(e, &objects[index]);
      return;
    }
    uint64_t first = number();
    uint64_t second = kind == 'c' || kind == 'a' || kind == 'w' ? number() : 0;
    now = (struct mark){0};
    if (kind == 'w') {
      write_event(e, &objects[index], first, second);
      settle(e);
      return;
    }
    for (struct word more; (more = word()).length > 0;) {
      if (is(more, "~")) now.unwritten = true;
      if (is(more, "!")) now.failed = true;
    }
    e->op = kind == 'm' ? OP_MALLOC : kind == 'c' ? OP_CALLOC : kind == 'r' ? OP_REALLOC : OP_MEMALIGN;
    now.a = first;
    now.b = second;
    uint64_t bytes = kind == 'c' ? 0 : kind == 'a' ? second : first;
    if (kind == 'c' && __builtin_mul_overflow(first, second, &bytes)) bytes = UINT64_MAX;
    allocate(e, index, bytes, owner);
    settle(e);
  } else if (is(what, "te")) {
    if (id == 0) {
      warn("the main thread does not exit");
    } else {
      e->op = OP_EXIT;
      out->threads[e->thread].exits = true;
      alive--;
    }
  } else if (is(what, "ee")) {
    end_request(e, number_of(id));
  } else if (is(what, "trim")) {
    e->op = OP_TRIM;
    e->a = number32();
  } else if (is(what, "opt")) {
    option(e);
  } else if (is(what, "ctl")) {
    mallctl_call(e);
  } else if (is(what, "fork")) {
    e->op = OP_FORK;
    for (uint32_t i = 0; i < out->thread_count; i++)
      if (i != e->thread && !out->threads[i].exits && !out->threads[i].gone) {
        out->threads[i].gone = true;
        alive--;
      }
  } else if (!only_names(what)) {
    die("replay: line %lu: unknown event", line_number);
  }
}

static void reserve(uint32_t lines, bool free_running) {
  separate_slots = free_running;
  object_map = new_map(lines);
  number_map = new_map(lines);
  objects = harness_alloc(sizeof *objects * (size_t)lines);
  numbers = harness_alloc(sizeof *numbers * (size_t)lines);
  free_slots = harness_alloc(sizeof *free_slots * (size_t)lines);
  out->events = harness_alloc(sizeof *out->events * (size_t)lines);
  out->need = harness_alloc(sizeof *out->need * (size_t)lines);
  out->request_slots = harness_alloc(sizeof *out->request_slots * (size_t)lines);
  out->marks = harness_alloc(sizeof *out->marks * (size_t)lines);
  out->calls = harness_alloc(sizeof *out->calls * (size_t)lines);
  out->labels = harness_alloc(sizeof *out->labels * (size_t)lines);
  out->threads = harness_alloc(sizeof *out->threads * (size_t)lines);
}

void read_trace(const char *path, bool free_running, struct trace *trace) {
  size_t length;
  const char *text = read_all(path, &length), *end = text + length;
  uint32_t lines = 2, label_count = 0;
  for (const char *at = text; (at = memchr(at, '\n', end - at)); at++) lines++;
  out = trace;
  reserve(lines, free_running);
  uint32_t last = thread_of(0); /* `+` belongs to the thread of the event before, in free-running `=` too */
  bool header = false;
  for (const char *line = text; line < end; line = line_end + 1) {
    line_end = memchr(line, '\n', end - line);
    if (!line_end) line_end = end;
    cursor = line;
    line_number++;
    struct word what = word();
    if (what.length == 0 || what.text[0] == '#' || is(what, "!")) continue;
    if (what.text[0] == '%') {
      if (is(what, "%htrace")) header = true;
      if (is(what, "%touch")) {
        struct word touch = word();
        trace->touch = is(touch, "none") ? TOUCH_NONE : is(touch, "first") ? TOUCH_FIRST : TOUCH_FULL;
      }
      continue;
    }
    if (!header) break;
    struct event *e = &trace->events[trace->event_count];
    if (is(what, "+")) {
      uint64_t ns = number();
      *e = (struct event){.op = OP_CLOCK, .thread = last, .a = ns, .b = ns >> 32};
    } else if (is(what, "=")) {
      skip_spaces();
      trace->labels[label_count] = (struct label){cursor, line_end - cursor, trace->event_count};
      *e = (struct event){.op = OP_SAMPLE, .thread = free_running ? last : 0, .a = label_count++};
    } else {
      uint32_t id = number32();
      *e = (struct event){.op = OP_NOP, .thread = last = thread_of(id)};
      thread_event(e, what, id);
      if (e->op == OP_EXIT) last = 0;
    }
    trace->event_count++;
  }
  if (!header) die("replay: %s does not start with %%htrace", path);
  if (trace->warnings > 5) say("replay: %u warnings", trace->warnings);
}
