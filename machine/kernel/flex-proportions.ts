/** lib/percpu_counter.c and lib/flex_proportions.c: which part of what was done lately somebody did. */

/** A counter that the processor adds to once `batch` have come together. */
export class PercpuCounter {
  private readonly batch: number;
  private count: number;
  private own = 0;

  constructor(batch: number, count = 0) {
    this.batch = batch;
    this.count = count;
  }

  add(by: number): void {
    this.own += by;
    if (Math.abs(this.own) < this.batch) return;
    this.count += this.own;
    this.own = 0;
  }

  /** percpu_counter_read_positive: without what the processor has not added yet. */
  read(): number {
    return Math.max(0, this.count);
  }

  sum(): number {
    return this.count + this.own;
  }
}

/** fprop_global: events of all, halved with each period. */
export interface FpropGlobal {
  readonly events: PercpuCounter;
  period: number;
}

/** fprop_local_percpu: the events of one of them. */
export interface FpropLocal {
  readonly events: PercpuCounter;
  period: number;
}

/** PROP_BATCH and WB_STAT_BATCH. */
export const propBatch = (processors: number): number => 8 * (1 + Math.floor(Math.log2(processors)));

export const newFpropGlobal = (processors: number): FpropGlobal => ({
  // It begins with 1, so that there are always some.
  events: new PercpuCounter(Math.max(32, 2 * processors), 1),
  period: 0,
});

export const newFpropLocal = (processors: number): FpropLocal => ({
  events: new PercpuCounter(propBatch(processors)),
  period: 0,
});

const half = (events: number, periods: number): number => (periods < 64 ? Math.floor(events / 2 ** periods) : 0);

/** fprop_new_period. @returns false where nothing is left to age. */
export function fpropNewPeriod(all: FpropGlobal, periods: number): boolean {
  const events = all.events.sum();
  if (events <= 1) return false;
  all.events.add(half(events, periods) - events);
  all.period += periods;
  return true;
}

/** fprop_reflect_period_percpu. */
function reflectPeriod(all: FpropGlobal, own: FpropLocal): void {
  const periods = all.period - own.period;
  if (periods === 0) return;
  const events = own.events.sum();
  own.events.add(half(events, periods) - events);
  own.period = all.period;
}

/** fprop_add_percpu. */
export function fpropAdd(all: FpropGlobal, own: FpropLocal, by: number): void {
  reflectPeriod(all, own);
  own.events.add(by);
  all.events.add(by);
}

/** fprop_fraction_percpu: at most 1. */
export function fpropFraction(all: FpropGlobal, own: FpropLocal): { numerator: number; denominator: number } {
  reflectPeriod(all, own);
  const numerator = own.events.read();
  const denominator = all.events.read();
  return { numerator, denominator: denominator > numerator ? denominator : Math.max(1, numerator) };
}
