import type { EventBuffer } from '../../sim/contract/event.ts';
import { median } from '../evidence/median.ts';
import type { ModelMeasure } from './model-worker.ts';
import { openModel, openReal } from './sources.ts';
import type { BenchTraceName } from './traces.ts';

export interface ReplayRowOptions {
  readonly trace: BenchTraceName;
  readonly events: EventBuffer;
  /** As in --allocator, or 'empty'. */
  readonly allocator: string;
  /** What is measured beside it: the real allocator's library ('' for glibc), or undefined for none. */
  readonly preload: string | undefined;
  readonly rounds: number;
  /** Repetitions before the first that counts: the compiler has then seen and optimised every path. */
  readonly warmUp: number;
  readonly signal: AbortSignal;
}

/** Medians over the rounds; millions of events a second, ratios above 1 where the model is faster. */
export interface ReplayRow {
  readonly trace: BenchTraceName;
  readonly allocator: string;
  readonly model: { readonly none: number; readonly full: number; readonly first: number };
  readonly real: { readonly none: number; readonly full: number } | undefined;
  readonly ratio: { readonly none: number; readonly full: number } | undefined;
  /** What resident pages cost: time with every byte written, or a byte a page, over time with nothing written, minus 1. */
  readonly residency: { readonly full: number; readonly first: number };
  readonly hostBytesPerLiveBlock: number;
}

/** Measures in turns (real, model, real, model …), so that what the machine does meanwhile meets all alike. */
export async function measureReplay(options: ReplayRowOptions): Promise<ReplayRow> {
  const { events, allocator, rounds, warmUp, signal } = options;
  // The signal may end what is waited for here: no thread has started yet, which nobody would end.
  const real = options.preload === undefined ? undefined : await openReal(events, options.preload || undefined, signal);
  const none = openModel({ allocator, events, touch: 'none' }, signal);
  const full = openModel({ allocator, events, touch: 'full' }, signal);
  const first = openModel({ allocator, events, touch: 'first' }, signal);
  const times: Record<'none' | 'full' | 'first' | 'realNone' | 'realFull', number[]> = {
    none: [],
    full: [],
    first: [],
    realNone: [],
    realFull: [],
  };
  let last: ModelMeasure | undefined;
  try {
    for (let round = -warmUp; round < rounds; round++) {
      const warm = round >= 0;
      const realNone = warm ? await real?.measure('none') : undefined;
      last = await none.measure();
      const realFull = warm ? await real?.measure('full') : undefined;
      const modelFull = await full.measure();
      const modelFirst = await first.measure();
      if (!warm) continue;
      times.none.push(last.ns);
      times.full.push(modelFull.ns);
      times.first.push(modelFirst.ns);
      if (realNone && realFull) {
        times.realNone.push(realNone.ns);
        times.realFull.push(realFull.ns);
      }
    }
  } finally {
    await Promise.all([none.close(), full.close(), first.close(), real?.close()]);
  }
  const rate = (ns: readonly number[]) => (events.length / median(ns)) * 1e3;
  const over = (a: readonly number[], b: readonly number[]) => median(a.map((ns, i) => ns / b[i]!));
  return {
    trace: options.trace,
    allocator,
    model: { none: rate(times.none), full: rate(times.full), first: rate(times.first) },
    real: real && { none: rate(times.realNone), full: rate(times.realFull) },
    ratio: real && { none: over(times.realNone, times.none), full: over(times.realFull, times.full) },
    residency: { full: over(times.full, times.none) - 1, first: over(times.first, times.none) - 1 },
    hostBytesPerLiveBlock: last!.hostBytesPerLiveBlock,
  };
}
