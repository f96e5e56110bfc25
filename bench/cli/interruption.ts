/** As a shell reports a program that Ctrl-C ended. */
export const INTERRUPTED = 130;

/** What is left of the second in which Ctrl-C must be answered, when everything that listens has had its time. */
const GRACE_MS = 900;

export interface Interruption {
  /** Aborted by the first Ctrl-C (SIGINT) or SIGTERM. */
  readonly signal: AbortSignal;
  /** Hears no more; before and after, the signals do what they do to any program. */
  release(): void;
}

/**
 * Listens to Ctrl-C and SIGTERM, which are the same. To be held only while the event loop breathes: nobody hears a
 * signal that comes to a loop that does not, and the program could not be ended. The exit code is 130 from then on; a
 * second signal, or GRACE_MS without an end, ends the process at once, and files without a name yet with it.
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
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  return {
    signal: controller.signal,
    release() {
      clearTimeout(grace);
      process.off('SIGINT', interrupt);
      process.off('SIGTERM', interrupt);
    },
  };
}

/** Work that breathes and leaves nothing to tell when it is interrupted: the process ends at once. */
export async function untilInterrupt<T>(work: () => Promise<T>): Promise<T> {
  const interruption = listenForInterrupt();
  interruption.signal.addEventListener('abort', () => process.exit(INTERRUPTED));
  try {
    return await work();
  } finally {
    interruption.release();
  }
}
