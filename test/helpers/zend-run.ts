import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { parseAllocator } from '../../allocators/spec.ts';
import { LockstepRun } from '../../bench/run/modes/lockstep.ts';
import type { RunOptions } from '../../bench/run/run-options.ts';
import type { AllocatorStats } from '../../sim/contract/allocator.ts';
import type { EventBuffer } from '../../sim/contract/event.ts';
import { MAP_FIXED, PROT_NONE } from '../../sim/kernel/kernel.ts';
import { FENCE_PAGE } from '../../sim/kernel/layout.ts';
import type { Sample } from '../../sim/metrics/sample.ts';
import { createTraceParser } from '../../workloads/trace/text/parser.ts';

export const fixture = (name: string): string => fileURLToPath(new URL(`../fixtures/zend/${name}`, import.meta.url));

export function readBytes(path: string): Uint8Array {
  const bytes = readFileSync(path);
  return path.endsWith('.gz') ? gunzipSync(bytes) : bytes;
}

export function readEvents(path: string): EventBuffer {
  const parser = createTraceParser({ source: path });
  parser.push(readBytes(path));
  return parser.finish();
}

export interface ZendRunOptions extends Partial<RunOptions> {
  /** Ranges of the mmap area that others hold before the heap begins: pages below the fence, [from, to) each. */
  readonly plugs?: readonly (readonly [from: number, to: number])[];
  /** Samples alone: no placements, no system calls, no checks. For millions of events. */
  readonly samplesOnly?: boolean;
}

export interface ZendRun {
  readonly run: LockstepRun;
  readonly samples: readonly Sample[];
  readonly placements: Uint8Array;
  readonly syscalls: readonly string[];
  readonly stats: AllocatorStats;
}

/** Runs a whole trace in lockstep, with every invariant checked at each sample. */
export function runZend(allocator: string, events: EventBuffer, options: ZendRunOptions = {}): ZendRun {
  const placements: string[] = [];
  const syscalls: string[] = [];
  const { plugs = [], samplesOnly = false, ...rest } = options;
  const recorded = { check: 'samples' as const, placements: sink(placements), syscalls: sink(syscalls) };
  const run = new LockstepRun({
    events,
    workload: 'test',
    spec: parseAllocator(allocator, 2),
    cpus: 2,
    ...(samplesOnly ? {} : recorded),
    ...rest,
    kernel: { thp: 'madvise', ...rest.kernel },
  });
  const { machine } = run.assembled;
  for (const [from, to] of plugs) machine.kernel.mmap(0, FENCE_PAGE - to, to - from, PROT_NONE, MAP_FIXED);
  syscalls.length = 0;
  run.advance(events.length);
  const text = placements.map((line) => `${line}\n`).join('');
  return {
    run,
    samples: run.samples,
    placements: new TextEncoder().encode(text),
    syscalls: syscalls.map((line) => line.split(' ').slice(2).join(' ')),
    stats: run.assembled.top.stats(),
  };
}

function sink(lines: string[]) {
  return { write: (line: string) => void lines.push(line), close: () => {}, discard: () => {} };
}

/** The numbers of a heap that the real allocator's samples have too. */
const FIGURES = [
  'usage',
  'real_usage',
  'peak',
  'real_peak',
  'chunks',
  'peak_chunks',
  'cached_chunks',
  'avg_chunks',
  'huge_blocks',
  'huge_bytes',
  'segments',
  'mapped',
  'rss',
] as const;

interface RealSample {
  readonly event: number;
  readonly label: string;
  readonly heaps?: readonly Record<string, number>[];
  readonly error?: string;
}

/** Each real sample's figures beside the model's: two lists that should be equal. */
export function sampleFigures(run: ZendRun, jsonl: string): { model: string[]; real: string[] } {
  const model: string[] = [];
  const real: string[] = [];
  for (const line of jsonl.trim().split('\n')) {
    const sample = JSON.parse(line) as RealSample;
    const ours = run.samples.find((s) => s.event === sample.event)!;
    for (const heap of sample.heaps ?? []) {
      const own = (ours.stats['heaps'] as AllocatorStats[]).find((h) => h['thread'] === heap['thread']);
      for (const figure of FIGURES) {
        if (heap[figure] === undefined) continue;
        const at = `event ${sample.event}, ${sample.label}: ${figure} `;
        real.push(at + Number(heap[figure].toPrecision(9)));
        model.push(at + Number((own?.[figure] as number)?.toPrecision(9)));
      }
    }
  }
  return { model, real };
}

/** The messages of refused allocations that the real one gave, in order. */
export function realErrors(jsonl: string): string[] {
  const rows = jsonl
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as RealSample);
  return rows.flatMap((row) => (row.error === undefined ? [] : [row.error]));
}

export function refusals(run: ZendRun): string[] {
  return (run.stats['errors'] as AllocatorStats[]).map((e) => e['message'] as string);
}

/** Our list with addresses relative to the first mapping, in the words of the recorded lists. */
export function relativeSyscalls(lines: readonly string[]): string[] {
  const fence = (text: string) => -Number(/^fence-(\d+)$/.exec(text)![1]);
  const base = fence(/= (fence-\d+)$/.exec(lines.find((l) => l.startsWith('mmap'))!)![1]!);
  const relative = (text: string) => {
    if (text === '-1') return text;
    const offset = fence(text) - base;
    return `H${offset < 0 ? '' : '+'}${offset}`;
  };
  return lines.map((line) => {
    const part = line.split(' ');
    const result = part.at(-1)!;
    if (part[0] === 'mmap') return `mmap ${part[2]} = ${relative(result)}`;
    if (part[0] === 'mremap') return `mremap ${relative(part[1]!)} ${part[2]} ${part[3]} = ${relative(result)}`;
    return `${part[0]} ${relative(part[1]!)} ${part[2]}${part[0] === 'madvise' ? ` ${part[3]}` : ''}`;
  });
}
