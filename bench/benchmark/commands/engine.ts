import { join } from 'node:path';
import { breathing } from '../../../workloads/breathing.ts';
import { writeTrace } from '../../../workloads/trace/output.ts';
import { findRealAllocator } from '../../evidence/native/native.ts';
import { openRealOn } from '../sources.ts';
import { BENCH_TRACES, type BenchTraceName, drawBenchTrace } from '../traces.ts';
import { runWithEngine } from './fresh-process.ts';
import type { CommandRow } from './rows.ts';

/** Goals hold from so many events on: shorter runs are over before they are warm. */
const JUDGED_EVENTS = 5e6;
const GOALS = { none: 1, full: 1.4 } as const;
const MODELS = [
  { allocator: 'glibc', preload: '' },
  { allocator: 'jemalloc', preload: 'libjemalloc.so.2' },
] as const;

export interface EngineOptions {
  readonly folder: string;
  readonly lengths: readonly number[];
  readonly rounds: number;
  readonly hasReal: boolean;
  readonly signal: AbortSignal;
  readonly onStep: (about: string) => void;
  readonly onRow: (row: CommandRow) => void;
}

const millions = (events: number): string => `${+(events / 1e6).toPrecision(2)} M`;

/** What `sim run --mode lockstep` says of its loop, in a fresh process each time, in turns with the real allocator in a tight loop. */
export async function measureEngine(options: EngineOptions): Promise<void> {
  for (const length of options.lengths) {
    for (const trace of BENCH_TRACES) {
      const events = await breathing(drawBenchTrace(trace, length, false), options.signal);
      const binary = join(options.folder, 'engine.htb');
      const text = join(options.folder, 'engine.htrace');
      await writeTrace(binary, events, options.signal);
      if (options.hasReal) await writeTrace(text, events, options.signal);
      for (const { allocator, preload } of MODELS) {
        options.onStep(`${allocator}, ${trace}, ${millions(length)} events`);
        const subject = { trace, length: events.length, binary, text, allocator, preload };
        for (const row of await measureModel(options, subject)) options.onRow(row);
      }
    }
  }
}

interface Subject {
  readonly trace: BenchTraceName;
  readonly length: number;
  readonly binary: string;
  readonly text: string;
  readonly allocator: string;
  readonly preload: string;
}

async function measureModel({ rounds, hasReal, signal }: EngineOptions, subject: Subject): Promise<CommandRow[]> {
  const { trace, length, binary, text, allocator, preload } = subject;
  const isThere = hasReal && findRealAllocator(preload || undefined) !== undefined;
  const real = isThere ? await openRealOn(text, preload || undefined, signal) : undefined;
  const rates = { none: { model: [], real: [] }, full: { model: [], real: [] } } as Record<
    'none' | 'full',
    Record<'model' | 'real', number[]>
  >;
  try {
    for (let round = 0; round < rounds; round++) {
      for (const touch of ['none', 'full'] as const) {
        if (real) rates[touch].real.push((length / (await real.measure(touch)).ns) * 1e3);
        const run = ['run', binary, '-a', allocator, '--mode', 'lockstep', '--touch', touch];
        const { engine } = await runWithEngine(run, signal);
        rates[touch].model.push((engine.events / engine.replayNs) * 1e3);
      }
    }
  } finally {
    await real?.close();
  }
  return (['none', 'full'] as const).map((touch): CommandRow => {
    const { model, real: beside } = rates[touch];
    const name = `${allocator}, ${trace}, ${millions(length)} events, ${touch === 'none' ? 'untouched' : 'written'}`;
    const about = (values: readonly number[]) => values.map((rate) => rate.toFixed(0)).join(' ');
    if (beside.length === 0) {
      return {
        group: 'engine : real allocator',
        name,
        found: model,
        unit: 'M events/s',
        goal: undefined,
        below: false,
      };
    }
    return {
      group: 'engine : real allocator',
      name,
      found: model.map((rate, i) => rate / beside[i]!),
      unit: 'times',
      goal: length >= JUDGED_EVENTS ? GOALS[touch] : undefined,
      below: false,
      about: `${about(model)} : ${about(beside)} M events/s`,
    };
  });
}
