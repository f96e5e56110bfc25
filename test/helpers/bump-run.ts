import type { AllocatorSpec } from '../../allocators/spec.ts';
import type { RunOptions } from '../../bench/run/run-options.ts';
import { bump } from '../../docs/examples/bump.ts';
import type { EventBuffer } from '../../sim/contract/event.ts';
import { createTraceParser } from '../../workloads/trace/text/parser.ts';

export const BUMP: AllocatorSpec = { model: bump, version: '1', options: {}, given: {}, below: undefined };

/** Event lines, without headers. */
export function eventsOf(lines: readonly string[]): EventBuffer {
  const parser = createTraceParser({ source: 'test' });
  parser.push(new TextEncoder().encode(`%htrace 2\n${lines.join('\n')}\n`));
  return parser.finish();
}

export function bumpOptions(lines: readonly string[]): RunOptions {
  return { events: eventsOf(lines), workload: 'test', spec: BUMP, cpus: 1 };
}

/** Two functions below main allocate: `big` 400,000 and 40 bytes, `small` 40,000 and 100,000; the first and the third block are freed. */
export function eventsWithSites(): EventBuffer {
  const lines = ['m 0 1 400000', 'm 0 2 40000', 'm 0 3 100000', 'm 0 4 40', 'f 0 1', 'f 0 3'];
  return {
    ...eventsOf(lines),
    sites: Int32Array.of(2, 3, 3, 2, 0, 0),
    frames: ['', 'main', 'big', 'small'].map((functionName) => ({ functionName, file: '', line: 0, module: '' })),
    siteParent: Int32Array.of(0, 0, 1, 1),
    siteFrame: Int32Array.of(0, 1, 2, 3),
  };
}
