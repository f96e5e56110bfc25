import { createHash } from 'node:crypto';
import { UserError } from '../../../sim/contract/assert.ts';
import { openPassingTrace, type PassingFile, type PassingOrder } from '../../../workloads/trace/passing.ts';
import { mostThreads } from '../../run/machine-shape.ts';

/** A trace in binary form that each run of a batch reads while it executes it, in place of columns that all of them share. */
export interface TraceFile {
  readonly path: string;
  readonly order: PassingOrder;
  readonly rows: number;
  /** Most that there can be at a time. */
  readonly threads: number;
  /** Of its header, which has the checksums of all its columns. */
  readonly sha256: string;
}

export function describeTraceFile(path: string, order: PassingOrder, trace: PassingFile): TraceFile {
  return { path, order, rows: trace.length, threads: mostThreads(trace), sha256: headerHash(trace) };
}

/** Throws a UserError where it is no longer the file that was described. `before`: the same file, opened before. */
export function openTraceFile({ path, order, sha256 }: TraceFile, before?: PassingFile): PassingFile {
  const trace = openPassingTrace(path, order, before?.tables);
  if (trace && headerHash(trace) === sha256) return trace;
  void trace?.close();
  throw new UserError(`${path}: found a file that changes, expected one that stays as it is`);
}

const headerHash = ({ header }: PassingFile): string =>
  createHash('sha256').update(JSON.stringify(header)).digest('hex');
