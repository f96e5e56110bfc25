import type { AllocatorSpec } from '../../allocators/spec.ts';
import type { RunOptions } from '../../bench/run/run-options.ts';
import { bump } from '../../docs/examples/bump.ts';
import type { EventBuffer } from '../../sim/contract/event.ts';
import { createTraceParser } from '../../workloads/trace/parser.ts';

export const BUMP: AllocatorSpec = { model: bump, version: '1', options: {}, given: {}, below: undefined };

/** Event lines, without headers. */
export function eventsOf(lines: readonly string[]): EventBuffer {
  const parser = createTraceParser({ source: 'test' });
  parser.push(new TextEncoder().encode(`%htrace 1\n${lines.join('\n')}\n`));
  return parser.finish();
}

export function bumpOptions(lines: readonly string[]): RunOptions {
  return { events: eventsOf(lines), workload: 'test', spec: BUMP, cpus: 1 };
}
