/*
 * The options, and what comes before and after the events.
 *
 * Thread 0 is the process's main thread, and it initialises the allocator before event 0. At a `fork` the thread really
 * forks: the child goes on, and the parent ends as it does.
 */
#include "execute.h"
#include <fcntl.h>
#include <gnu/libc-version.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

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

void mark(const char *text) {
  if (write(-1, text, strlen(text))) {}
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
  "       replay --identify                                  which allocator, which version, how many processors, whether the kernel has a zero page";

static struct {
  const char *placements;
  bool is_free, timing;
  uint64_t start_ns;
  long faults;
} run;

/* Whether a page that is read before it was ever written is the shared one, which no resident set counts. Some kernels have none. */
static bool has_zero_page(void) {
  const size_t page = 4096;
  /* Between two others, so that it is a mapping of its own. */
  char *around = mmap(NULL, 3 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (around == MAP_FAILED || mprotect(around + page, page, PROT_READ | PROT_WRITE)) return true;
  (void)*(volatile char *)(around + page);
  FILE *smaps = fopen("/proc/self/smaps", "r");
  char text[512];
  bool inside = false;
  long rss = 0;
  while (smaps && fgets(text, sizeof text, smaps)) {
    unsigned long start, end;
    if (sscanf(text, "%lx-%lx ", &start, &end) == 2) inside = start == (unsigned long)(around + page);
    else if (inside && sscanf(text, "Rss: %ld kB", &rss) == 1) break;
  }
  return rss == 0;
}

_Noreturn void finish(void) {
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
  bool free_running = false, marks = false, info = false, pin = true, timing = false, bench = false, identify = false;
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
  if (identify) { /* and the processors, as glibc and as jemalloc count them, and the kernel's zero page */
    cpu_set_t usable;
    sched_getaffinity(0, sizeof usable, &usable);
    printf("%s %s %d %d %s\n", real.library, allocator_version(), get_nprocs(), CPU_COUNT(&usable),
           has_zero_page() ? "zero-page" : "no-zero-page");
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
    populate_stacks(trace.thread_count - 1);
    prepare_free_running();
  } else {
    populate_stacks(trace.thread_peak + 1); /* a thread is created before the one that exits is joined */
  }

  run.placements = placements;
  run.is_free = free_running;
  run.timing = timing;
  start_counting_samples();
  run.faults = minor_faults();
  run.start_ns = clock_ns(CLOCK_MONOTONIC);
  mark("htrace:begin");
  if (run.is_free) run_free_running();
  else run_lockstep(marks);
  finish();
}
