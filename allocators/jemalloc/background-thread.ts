import type { ThreadSlot } from '../../sim/contract/allocator.ts';
import type { Ns } from '../../sim/contract/units.ts';
import type { Decay } from './decay.ts';
import { type PageAllocator, PURGE_ALWAYS, PURGE_NEVER, PURGE_ON_EPOCH_ADVANCE } from './page-allocator.ts';
import {
  A_INITIALIZED,
  ARENA_WORDS,
  G_BACKGROUND,
  G_BACKGROUND_ENABLED,
  G_MAX_BACKGROUND,
  G_NARENAS_TOTAL,
  STATE_DIRTY,
  STATE_MUZZY,
  type State,
} from './state.ts';

/** Of each background thread: when it wakes up, pages to purge that appeared since it fell asleep, its runs. */
const WAKE_AT = 0;
const NEW_PAGES = 1;
const RUNS = 2;
const SLEPT_NS = 3;
const BACKGROUND_WORDS = 4;

const INDEFINITE: Ns = Number.POSITIVE_INFINITY;
/** BACKGROUND_THREAD_MIN_INTERVAL_NS */
const MIN_INTERVAL_NS: Ns = 1e8;
/** ARENA_DEFERRED_PURGE_NPAGES_THRESHOLD */
const DEFERRED_PAGES = 1024;

export type BackgroundThreads = ReturnType<typeof createBackgroundThreads>;

/**
 * Purging by threads of its own (background_thread.c): thread i looks after the arenas i, i + n, i + 2 n, …, sleeps until
 * about a thousand of their pages are due, and is woken earlier when many more become dirty. Here such a thread takes no
 * time; what it does happens when the clock has passed its waking time, or when it is woken. Without the option a look at
 * decay purges what is due itself.
 */
export function createBackgroundThreads(state: State, pa: PageAllocator, decay: Decay) {
  const { arenas, backgroundWakeups: words, config, globals, kernel } = state;
  const isEnabled = () => globals[G_BACKGROUND_ENABLED] !== 0;
  const threadCount = () => globals[G_MAX_BACKGROUND]!;

  const isStarted = (i: number) => (globals[G_BACKGROUND]! & (1 << i)) !== 0;
  const exists = (a: number) => arenas[a * ARENA_WORDS + A_INITIALIZED] !== 0;

  /** background_thread_init */
  function start(i: number): void {
    globals[G_BACKGROUND]! |= 1 << i;
    const w = i * BACKGROUND_WORDS;
    words.fill(0, w, w + BACKGROUND_WORDS);
    words[w + WAKE_AT] = INDEFINITE;
  }

  /** background_threads_enable: the threads of all arenas that there are, which decide how long to sleep. */
  function enable(t: ThreadSlot): void {
    globals[G_BACKGROUND_ENABLED] = 1;
    const count = threadCount();
    let wanted = 1; // thread 0 in any case
    for (let a = 1; a < globals[G_NARENAS_TOTAL]!; a++) if (exists(a)) wanted |= 1 << (a % count);
    for (let i = 0; i < count; i++) if ((wanted & (1 << i)) !== 0) start(i);
    for (let i = 0; i < count; i++) if (isStarted(i)) run(t, i);
  }

  /** background_threads_disable */
  function disable(): void {
    globals[G_BACKGROUND_ENABLED] = 0;
    globals[G_BACKGROUND] = 0;
  }

  /** background_thread_ctl */
  function setEnabled(t: ThreadSlot, value: boolean): void {
    if (value === isEnabled()) return;
    if (value) enable(t);
    else disable();
  }

  /** max_background_threads_ctl */
  function setMaximum(t: ThreadSlot, value: number): void {
    if (value === threadCount() || value > config.maxBackgroundThreads) return;
    const was = isEnabled();
    if (was) disable();
    globals[G_MAX_BACKGROUND] = value;
    if (was) enable(t);
  }

  /** arena_decide_unforced_purge_eagerness of a thread of the program's. */
  const eagerness = () => (isEnabled() ? PURGE_NEVER : PURGE_ON_EPOCH_ADVANCE);

  /** background_thread_create: the thread of an arena that has just been made; it finds nothing to do and sleeps. */
  function createFor(_t: ThreadSlot, a: number): void {
    const i = a % threadCount();
    if (!isEnabled() || isStarted(i)) return;
    start(i);
    words[i * BACKGROUND_WORDS + RUNS] = 1;
  }

  /** arena_decay_impl without `all`: true where another thread is at it. */
  function maybeDecay(t: ThreadSlot, a: number, which: number, isBackground: boolean): boolean {
    if (!pa.tryLockDecay(t, a, which)) return true;
    const hasAdvanced = pa.maybeDecayPurge(t, a, which, isBackground ? PURGE_ALWAYS : eagerness());
    const added = hasAdvanced ? decay.lastAdded(pa.decayOf(a, which)) : 0;
    pa.unlockDecay(t, a, which);
    if (isEnabled() && hasAdvanced && !isBackground) maybeDeferredWork(t, a, which, added);
    return false;
  }

  /** arena_maybe_do_deferred_work: wakes the arena's thread where it sleeps for ever, or would sleep for too long. */
  function maybeDeferredWork(t: ThreadSlot, a: number, which: number, added: number): void {
    const i = a % threadCount();
    if (!isStarted(i)) return;
    const w = i * BACKGROUND_WORDS;
    if (words[w + WAKE_AT] === INDEFINITE) {
      run(t, i);
      return;
    }
    // arena_should_decay_early
    const d = pa.decayOf(a, which);
    if (decay.timeMs(d) <= 0) return;
    const remaining = words[w + WAKE_AT]! - decay.epoch(d);
    if (remaining <= 0) return;
    if (added > 0) words[w + NEW_PAGES]! += decay.purgeIn(d, remaining, added);
    if (words[w + NEW_PAGES]! <= DEFERRED_PAGES) return;
    words[w + NEW_PAGES] = 0;
    if (remaining >= MIN_INTERVAL_NS) run(t, i);
  }

  /** arena_background_thread_inactivity_check */
  function inactivityCheck(t: ThreadSlot, a: number): void {
    if (!isEnabled() || words[(a % threadCount()) * BACKGROUND_WORDS + WAKE_AT] !== INDEFINITE) return;
    maybeDeferredWork(t, a, STATE_DIRTY, 0);
  }

  /** background_work_sleep_once: does what is due in the thread's arenas, and decides how long to sleep. */
  function run(t: ThreadSlot, i: number): void {
    const w = i * BACKGROUND_WORDS;
    const sleptIndefinitely = words[w + WAKE_AT] === INDEFINITE;
    let soonest = INDEFINITE;
    const step = threadCount();
    for (let a = i; a < globals[G_NARENAS_TOTAL]!; a += step) {
      if (!exists(a)) continue;
      if (!sleptIndefinitely) {
        if (!maybeDecay(t, a, STATE_DIRTY, true) && !pa.dontDecayMuzzy(a)) maybeDecay(t, a, STATE_MUZZY, true);
      }
      if (soonest <= MIN_INTERVAL_NS) continue;
      for (const which of [STATE_DIRTY, STATE_MUZZY]) {
        soonest = Math.min(soonest, decay.nsUntilPurge(pa.decayOf(a, which), pa.npages(a, which), DEFERRED_PAGES));
      }
    }
    words[w + RUNS]! += 1;
    words[w + NEW_PAGES] = 0;
    const sleep = soonest === INDEFINITE ? INDEFINITE : Math.max(soonest, MIN_INTERVAL_NS);
    words[w + WAKE_AT] = state.nowNs() + sleep;
    if (sleep !== INDEFINITE) words[w + SLEPT_NS]! += sleep;
  }

  /** The clock has moved: threads whose sleep is over work, in the order of their waking and at that time. */
  function advance(t: ThreadSlot): void {
    if (!isEnabled()) return;
    const threads = threadCount();
    for (;;) {
      let next = -1;
      let time = kernel.nowNs();
      for (let i = 0; i < threads; i++) {
        const wakeAt = words[i * BACKGROUND_WORDS + WAKE_AT]!;
        if (isStarted(i) && (wakeAt < time || (next < 0 && wakeAt === time))) {
          next = i;
          time = wakeAt;
        }
      }
      if (next < 0) break;
      state.pretendNow(time);
      run(t, next);
    }
    state.pretendNow(0);
  }

  return {
    createFor,
    setEnabled,
    setMaximum,
    isEnabled,
    eagerness,
    /** background_thread_postfork_child: the child has none, and does not want any. */
    postforkChild: disable,
    maybeDecay,
    inactivityCheck,
    advance,
    /** background_thread_stats_read */
    stats: () => {
      let count = 0;
      let runs = 0;
      let slept = 0;
      for (let i = 0; i < threadCount(); i++) {
        if (!isStarted(i)) continue;
        count++;
        runs += words[i * BACKGROUND_WORDS + RUNS]!;
        slept += words[i * BACKGROUND_WORDS + SLEPT_NS]!;
      }
      return { num_threads: count, num_runs: runs, run_interval: runs === 0 ? 0 : Math.floor(slept / runs) };
    },
  };
}
