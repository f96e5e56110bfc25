import { buildIdentity } from '../parallel/build-identity.ts';

/**
 * The keys on the server, all behind the prefix:
 *
 *     PREFIX:runs-BUILD:…        BullMQ's queue of one build of the product; another build has another queue
 *     PREFIX:result:KEY          outcome of the run with this key (gzip of JSON)
 *     PREFIX:trace:HASH          a trace by its content: upload, pieces, bytes (JSON)
 *     PREFIX:trace:HASH:UPLOAD:N its pieces
 *     PREFIX:builds              set of the builds that ever had a worker here
 */
export const queueName = (build = buildIdentity()): string => `runs-${build}`;
export const resultKey = (prefix: string, key: string): string => `${prefix}:result:${key}`;
export const traceKey = (prefix: string, hash: string): string => `${prefix}:trace:${hash}`;
export const pieceKey = (prefix: string, hash: string, upload: string, piece: number): string =>
  `${traceKey(prefix, hash)}:${upload}:${piece}`;
export const buildsKey = (prefix: string): string => `${prefix}:builds`;

/** Results, failures and traces that nobody asked for in a week go by themselves. */
export const KEPT_SECONDS = 7 * 24 * 3600;

/** A run that takes its worker along so often is given up. */
export const ATTEMPTS = 3;
const RETRY_MS = 500;

/** Of every job. What became of the run lies under its result key, so a finished job is not needed any more. */
export const JOB_OPTIONS = {
  attempts: ATTEMPTS,
  backoff: { type: 'fixed', delay: RETRY_MS },
  removeOnComplete: true,
  removeOnFail: { age: KEPT_SECONDS },
  stackTraceLimit: 1,
} as const;
