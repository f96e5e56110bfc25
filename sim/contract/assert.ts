/** The user's mistake: bad input, an unknown option. Shown as one line without a stack trace; exit code 2. */
export class UserError extends Error {
  override readonly name = 'UserError';
}

/** Ctrl-C before there was a result, or a part of one, to tell. Exit code 130. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
}

/** Our mistake: an invariant of the engine or of a model does not hold. Never caught on the way up. */
export class InvariantError extends Error {
  override readonly name = 'InvariantError';
}

/**
 * What the real allocator does with a broken program: it writes `message` and aborts. A result of the simulation, not
 * a failure of the engine; thrown by models, caught by the replay.
 */
export class AllocatorAbort extends Error {
  override readonly name = 'AllocatorAbort';
  /** The event in which it happened, once the replay has said so. */
  event: number | undefined;
}

/** The machine has ended the process in the middle of what it did: a result, caught where the process is stepped. */
export class ProcessKilled extends Error {
  override readonly name = 'ProcessKilled';
  /** As of AllocatorAbort. */
  event: number | undefined;
}

export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new InvariantError(message);
}
