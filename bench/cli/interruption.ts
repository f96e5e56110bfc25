import { Interrupted } from '../../sim/contract/assert.ts';
import { isHangupIgnored } from '../../workloads/files/hangup.ts';

/** As a shell reports a program that Ctrl-C ended. */
export const INTERRUPTED = 130;

/** What is left of the second in which Ctrl-C must be answered, when everything that listens has had its time. */
const GRACE_MS = 900;

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
type Signal = (typeof SIGNALS)[number];

/** Those who listen beside `endOnInterrupt`: it leaves the signal to them. */
let listening = 0;
const end = (name: Signal) => {
  if (isHeard(name) && listening === 0) process.exit(INTERRUPTED);
};

let isHungUp = false;

/** Whether the signal is to end this process; then one that tells of a terminal that goes away is what it ends by. */
function isHeard(name: Signal): boolean {
  if (name !== 'SIGHUP' || isHungUp) return true;
  if (isHangupIgnored()) return false;
  isHungUp = true;
  process.on('exit', endByHangup); // behind those who remove files that have no name yet
  return true;
}

/** A terminal has gone: on its way to an ordinary end Node would give it its modes back, and crash. */
export function endByHangup(): void {
  process.removeAllListeners('SIGHUP');
  process.kill(process.pid, 'SIGHUP');
}

/** From the start on, a signal ends the process with 130 (SIGHUP: with itself), and files without a name yet with it. */
export function endOnInterrupt(): void {
  for (const name of SIGNALS) process.on(name, end);
}

/** When the command has answered, a signal that came meanwhile is too late. */
export function ignoreInterrupt(): void {
  for (const name of SIGNALS) process.off(name, end);
}

/** Work that does not breathe: here a signal does what it does to any program, for a listener would not be called. */
export async function unheard<T>(work: () => T | Promise<T>): Promise<T> {
  await new Promise((resolve) => setImmediate(resolve)); // a signal that has come already is heard
  ignoreInterrupt();
  try {
    return await work();
  } finally {
    endOnInterrupt();
  }
}

/** Listens as long as the work lasts. */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const { signal, release } = listenForInterrupt();
  try {
    return await work(signal);
  } finally {
    release();
  }
}

/** Of work that the signal ended: undefined. */
export const unlessInterrupted = <T>(work: Promise<T>): Promise<T | undefined> =>
  work.catch((error: unknown) => {
    if (error instanceof Interrupted) return undefined;
    throw error;
  });

export interface Interruption {
  /** Aborted by the first Ctrl-C (SIGINT), SIGTERM or SIGHUP. */
  readonly signal: AbortSignal;
  /** Hears no more. */
  release(): void;
}

/**
 * Listens to Ctrl-C, SIGTERM and SIGHUP, which are the same. To be held only while the event loop breathes. The exit code is
 * 130 from then on; a second signal, or GRACE_MS without an end, ends the process at once.
 */
export function listenForInterrupt(): Interruption {
  const controller = new AbortController();
  let grace: NodeJS.Timeout | undefined;
  const interrupt = (name: Signal) => {
    if (!isHeard(name)) return;
    if (controller.signal.aborted) process.exit(INTERRUPTED);
    process.exitCode = INTERRUPTED;
    controller.abort();
    grace = setTimeout(() => process.exit(INTERRUPTED), GRACE_MS);
  };
  listening++;
  for (const name of SIGNALS) process.on(name, interrupt);
  return {
    signal: controller.signal,
    release() {
      clearTimeout(grace);
      listening--;
      for (const name of SIGNALS) process.off(name, interrupt);
    },
  };
}
