/** As a shell reports a program that Ctrl-C ended. */
export const INTERRUPTED = 130;

/** What is left of the second in which Ctrl-C must be answered, when everything that listens has had its time. */
const GRACE_MS = 900;

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** Those who listen beside `endOnInterrupt`: it leaves the signal to them. */
let listening = 0;
const end = () => {
  if (listening === 0) process.exit(INTERRUPTED);
};

/** From the start on, a signal ends the process with 130, and files without a name yet with it. */
export function endOnInterrupt(): void {
  for (const name of SIGNALS) process.on(name, end);
}

/** Work that does not breathe: here a signal does what it does to any program, for a listener would not be called. */
export async function unheard<T>(work: () => T | Promise<T>): Promise<T> {
  await new Promise((resolve) => setImmediate(resolve)); // a signal that has come already is heard
  for (const name of SIGNALS) process.off(name, end);
  try {
    return await work();
  } finally {
    endOnInterrupt();
  }
}

export interface Interruption {
  /** Aborted by the first Ctrl-C (SIGINT) or SIGTERM. */
  readonly signal: AbortSignal;
  /** Hears no more. */
  release(): void;
}

/**
 * Listens to Ctrl-C and SIGTERM, which are the same. To be held only while the event loop breathes. The exit code is
 * 130 from then on; a second signal, or GRACE_MS without an end, ends the process at once.
 */
export function listenForInterrupt(): Interruption {
  const controller = new AbortController();
  let grace: NodeJS.Timeout | undefined;
  const interrupt = () => {
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
