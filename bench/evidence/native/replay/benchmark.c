/* Lockstep, again and again, each time in a fork of the process that has never allocated. */
#include "execute.h"
#include <sys/wait.h>
#include <unistd.h>

/*
 * What the events took, hand-overs between threads left out: processor time, which a busy machine disturbs less than
 * the time on the wall; and the minor faults meanwhile.
 */
struct measure { uint64_t ns; long faults; };

static void measure_in_child(int to, enum touch touch) {
  populate(blocks, sizeof *blocks * (size_t)trace.slot_count); /* the fork has made them copy-on-write */
  populate_stacks(trace.thread_peak + 1);
  trace.threads[0].handle = pthread_self();
  long faults = minor_faults();
  uint64_t ns = measure_lockstep(touch);
  struct measure measure = {ns, minor_faults() - faults};
  if (write(to, &measure, sizeof measure) != sizeof measure) _exit(1);
  _exit(0);
}

void serve_benchmark(void) {
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
