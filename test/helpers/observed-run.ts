import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { parseAllocator } from '../../allocators/spec.ts';
import { LockstepRun } from '../../bench/run/modes/lockstep.ts';
import type { RunOptions } from '../../bench/run/run-options.ts';
import type { EventBuffer } from '../../sim/contract/event.ts';
import { createTraceParser } from '../../workloads/trace/text/parser.ts';

/** A gzipped file of `test/fixtures/FOLDER`, unpacked. */
export const unpackedFixture = (folder: string, name: string): Buffer =>
  gunzipSync(readFileSync(fileURLToPath(new URL(`../fixtures/${folder}/${name}`, import.meta.url))));

export function eventsFrom(text: Uint8Array | string): EventBuffer {
  const parser = createTraceParser({ source: 'test' });
  parser.push(typeof text === 'string' ? Buffer.from(text) : text);
  return parser.finish();
}

export interface ObservedRun {
  readonly run: LockstepRun;
  readonly placements: string[];
  readonly syscalls: string[];
}

/** A run on two processors that keeps what it writes; not yet run. */
export function observedRun(events: EventBuffer, allocator: string, options: Partial<RunOptions> = {}): ObservedRun {
  const placements: string[] = [];
  const syscalls: string[] = [];
  const sink = (lines: string[]) => ({
    write: (line: string) => void lines.push(line),
    close: () => {},
    discard: () => {},
  });
  const run = new LockstepRun({
    events,
    workload: 'test',
    spec: parseAllocator(allocator, 2),
    cpus: 2,
    placements: sink(placements),
    syscalls: sink(syscalls),
    ...options,
  });
  return { run, placements, syscalls };
}
