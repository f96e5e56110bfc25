/*
 * A sample is a line of JSON: the allocator's mappings from smaps (everything below the fence but this executable),
 * page faults, and the statistics that the allocator itself gives. Taking one changes no placement.
 */
#include "replay.h"
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define LINE_BYTES (64UL << 20)
#define PROC_BYTES (64UL << 20)

static int file = -1;
static bool info;
static const struct trace *trace;
static char *line; /* the line being built */
static size_t length;
static char *proc; /* text of a file of /proc */
static long first_rss_kb, first_faults;

static void put(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void put(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  length += vsnprintf(line + length, LINE_BYTES - length, format, arguments);
  va_end(arguments);
  if (length >= LINE_BYTES) die("replay: a sample is too large");
}
static void put_string(const char *text, size_t count) {
  put("\"");
  for (size_t i = 0; i < count; i++) {
    unsigned char c = text[i];
    if (c < 32) put("\\u%04x", c);
    else if (c == '"' || c == '\\') put("\\%c", c);
    else put("%c", c);
  }
  put("\"");
}

/* ------------------------------------------------------------------------------------------------ what the OS knows */

static void read_proc(const char *path) {
  size_t used = 0;
  int from = open(path, O_RDONLY | O_CLOEXEC);
  if (from < 0) die("replay: cannot read %s", path);
  for (ssize_t n; (n = read(from, proc + used, PROC_BYTES - 1 - used)) > 0;) used += n;
  close(from);
  proc[used] = 0;
}
static long resident_kb(void) {
  read_proc("/proc/self/status");
  const char *at = strstr(proc, "VmRSS:");
  return at ? strtol(at + 6, NULL, 10) : -1;
}
long minor_faults(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt;
}

static void put_mappings(void) {
  uint64_t rss = 0, size = 0, writable = 0, huge = 0, heap_rss = 0, heap_size = 0, count = 0;
  bool mine = false, heap = false;
  read_proc("/proc/self/smaps");
  for (char *next, *at = proc; *at; at = next) {
    char *newline = strchr(at, '\n');
    next = newline ? newline + 1 : strchr(at, 0);
    if (newline) *newline = 0;
    uint64_t start, end;
    char protection[8];
    if (sscanf(at, "%lx-%lx %7s", &start, &end, protection) == 3) {
      mine = start >= initial_break ? start < FENCE : end > initial_break;
      if (!mine) continue;
      if (start < initial_break) {
        say("replay: the executable and the heap share a mapping");
        start = initial_break;
      }
      heap = strstr(at, "[heap]") != NULL;
      count++;
      size += end - start;
      if (protection[1] == 'w') writable += end - start;
      if (heap) heap_size += end - start;
    } else if (mine && !strncmp(at, "Rss:", 4)) {
      uint64_t kb = strtoul(at + 4, NULL, 10);
      rss += kb;
      if (heap) heap_rss += kb;
    } else if (mine && !strncmp(at, "AnonHugePages:", 14)) {
      huge += strtoul(at + 14, NULL, 10);
    }
  }
  put(",\"rss_kb\":%lu,\"size_kb\":%lu,\"writable_kb\":%lu,\"huge_kb\":%lu,\"heap_rss_kb\":%lu,\"heap_size_kb\":%lu,"
      "\"mappings\":%lu", rss, size >> 10, writable >> 10, huge, heap_rss, heap_size >> 10, count);
}

/* ------------------------------------------------------------------------------------------- what the allocator says */

static void put_glibc(void) {
  struct mallinfo2 m = real.mallinfo2();
  put(",\"glibc\":{\"arena\":%zu,\"ordblks\":%zu,\"smblks\":%zu,\"hblks\":%zu,\"hblkhd\":%zu,\"usmblks\":%zu,"
      "\"fsmblks\":%zu,\"uordblks\":%zu,\"fordblks\":%zu,\"keepcost\":%zu", m.arena, m.ordblks, m.smblks, m.hblks,
      m.hblkhd, m.usmblks, m.fsmblks, m.uordblks, m.fordblks, m.keepcost);
  if (info && real.malloc_info) {
    char *xml = NULL;
    size_t bytes = 0;
    FILE *stream = open_memstream(&xml, &bytes); /* private memory: the allocator does not see it */
    if (!stream) die("replay: no stream for malloc_info");
    real.malloc_info(0, stream);
    fclose(stream);
    put(",\"malloc_info\":");
    put_string(xml, bytes);
    free(xml);
  }
  put("}");
}

/* A counter of any width: mallctl insists on the exact one. */
static uint64_t control(const char *name) {
  for (size_t width = 8; width >= 1; width = width == 8 ? 4 : width == 4 ? 1 : 0) {
    uint64_t value = 0;
    size_t bytes = width;
    if (real.mallctl(name, &value, &bytes, NULL, 0) == 0) return value;
  }
  return 0;
}
static uint64_t control_of(const char *prefix, unsigned index, const char *suffix) {
  char name[128];
  snprintf(name, sizeof name, "%s.%u.%s", prefix, index, suffix);
  return control(name);
}
static void put_controls(const char *prefix, const char *const *names, bool first) {
  for (; *names; names++, first = false) {
    char name[128];
    snprintf(name, sizeof name, "%s.%s", prefix, *names);
    put("%s\"%s\":%lu", first ? "" : ",", *names, control(name));
  }
}
static void refresh_statistics(void) {
  uint64_t epoch = 1;
  real.mallctl("epoch", NULL, NULL, &epoch, sizeof epoch);
}

#define ARENAS_ALL 4096 /* MALLCTL_ARENAS_ALL: the sum over all arenas */
static const char *const totals[] = {"allocated", "active", "metadata", "resident", "mapped", "retained", NULL};
static const char *const of_arena[] = {
  "nthreads", "pactive", "pdirty", "pmuzzy", "mapped", "retained", "base", "internal", "resident", "tcache_bytes",
  "tcache_stashed_bytes", "abandoned_vm", "dirty_npurge", "dirty_nmadvise", "dirty_purged", "muzzy_npurge",
  "muzzy_nmadvise", "muzzy_purged", "small.allocated", "small.nmalloc", "small.ndalloc", "large.allocated",
  "large.nmalloc", "large.ndalloc", NULL};
static const char *const of_bin[] = {"nmalloc", "ndalloc", "nrequests", "curregs", "nfills", "nflushes", "nslabs",
                                     "nreslabs", "curslabs", "nonfull_slabs", NULL};

static void put_arenas(void) {
  char prefix[64];
  bool first = true;
  put(",\"arena\":[");
  for (unsigned i = 0; i < control("arenas.narenas"); i++) {
    if (!control_of("arena", i, "initialized")) continue;
    put("%s{\"arena\":%u", first ? "" : ",", i);
    snprintf(prefix, sizeof prefix, "stats.arenas.%u", i);
    put_controls(prefix, of_arena, false);
    put("}");
    first = false;
  }
  put("],\"bins\":[");
  for (unsigned i = 0; i < control("arenas.nbins"); i++) {
    put("%s{\"size\":%lu", i ? "," : "", control_of("arenas.bin", i, "size"));
    snprintf(prefix, sizeof prefix, "stats.arenas.%u.bins.%u", ARENAS_ALL, i);
    put_controls(prefix, of_bin, false);
    put("}");
  }
  put("],\"lextents\":[");
  first = true;
  snprintf(prefix, sizeof prefix, "stats.arenas.%u.lextents", ARENAS_ALL);
  for (unsigned i = 0; i < control("arenas.nlextents"); i++) {
    uint64_t allocations = control_of(prefix, i, "nmalloc"), frees = control_of(prefix, i, "ndalloc");
    if (!allocations && !frees) continue;
    put("%s{\"size\":%lu,\"nmalloc\":%lu,\"ndalloc\":%lu,\"curlextents\":%lu}", first ? "" : ",",
        control_of("arenas.lextent", i, "size"), allocations, frees, control_of(prefix, i, "curlextents"));
    first = false;
  }
  put("]");
}

static void put_jemalloc(void) {
  char prefix[64];
  refresh_statistics();
  put(",\"jemalloc\":{");
  put_controls("stats", totals, true);
  put(",\"narenas\":%lu,\"arenas\":{", control("arenas.narenas"));
  snprintf(prefix, sizeof prefix, "stats.arenas.%u", ARENAS_ALL);
  put_controls(prefix, of_arena, true);
  put("}");
  if (info) put_arenas();
  put("}");
}

/* jemalloc seeds a thread's random numbers with the address of its thread-local data. */
static void put_thread_pointers(void) {
  bool first = true;
  put(",\"tp\":[");
  for (uint32_t i = 0; i < trace->thread_count; i++) {
    const struct thread *t = &trace->threads[i];
    if (!t->created) continue;
    put("%s[%u,\"%lx\"]", first ? "" : ",", t->id, (unsigned long)t->handle);
    first = false;
  }
  put("]");
}

/* ------------------------------------------------------------------------------------------------------ sample points */

void open_samples(const char *path, bool with_info, const struct trace *of) {
  file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (file < 0) die("replay: cannot write %s", path);
  info = with_info;
  trace = of;
  line = harness_alloc(LINE_BYTES);
  proc = harness_alloc(PROC_BYTES);
  populate(line, 1 << 20);
  populate(proc, 4 << 20);
  if (real.mallctl) refresh_statistics(); /* the first mallctl builds tables: not after event 0 */
}

void sample(const struct label *label) {
  static _Atomic bool busy; /* free-running threads come as they like */
  if (file < 0) return;
  while (atomic_exchange(&busy, true)) sched_yield();
  length = 0;
  long faults = minor_faults() - first_faults, rss = resident_kb();
  put("{\"label\":");
  put_string(label->text, label->length);
  put(",\"event\":%d,\"ns\":%lu,\"vmrss_kb\":%ld,\"vmrss_grown_kb\":%ld,\"minflt\":%ld", (int)label->event,
      (uint64_t)trace_ns, rss, rss - first_rss_kb, faults);
  put_mappings();
  if (real.mallctl) put_jemalloc();
  if (real.mallinfo2) put_glibc();
  if (info) put_thread_pointers();
  put("}\n");
  for (size_t at = 0; at < length;) {
    ssize_t n = write(file, line + at, length - at);
    if (n <= 0) die("replay: cannot write a sample");
    at += n;
  }
  atomic_store(&busy, false);
}

void start_counting_samples(void) {
  if (file < 0) return;
  first_rss_kb = resident_kb();
  first_faults = minor_faults();
  if (info) sample(&(struct label){"(begin)", 7, NONE});
  first_faults = minor_faults();
}

void finish_samples(void) {
  if (info) sample(&(struct label){"(end)", 5, trace->event_count});
}
