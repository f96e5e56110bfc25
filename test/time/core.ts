import { OPERATIONS } from '../../sim/contract/operations.ts';
import { COST_PROFILES, type Costs } from '../../sim/time/costs.ts';
import { checkVirtualTime } from '../../sim/time/invariants.ts';
import { createPlayer } from '../../sim/time/player.ts';
import { createScheduler } from '../../sim/time/scheduler.ts';
import {
  ACQUIRE,
  DOWN_READ,
  DOWNGRADE,
  KERNEL,
  KIND_BITS,
  MARK,
  RELEASE,
  UP_READ,
  USER,
} from '../../sim/time/segments.ts';
import { createTopology } from '../../sim/time/topology.ts';
import { createVirtualLocks } from '../../sim/time/virtual-locks.ts';
import { createVirtualTime } from '../../sim/time/virtual-time.ts';

/** What a scripted thread does: time in the program or the kernel, a lock (of the kernel's mmap_lock and a spin lock), or a note of when it came there. */
export type Step =
  | readonly ['user' | 'kernel', number]
  | readonly ['lock' | 'unlock', string]
  | readonly ['read' | 'unread' | 'write' | 'unwrite' | 'downgrade' | 'spin' | 'unspin']
  | readonly ['note', string];

export interface CoreOptions {
  readonly cpus: number;
  readonly costs?: Partial<Costs>;
  readonly topology?: string;
  readonly version?: '6.1' | '6.18';
  readonly hz?: number;
  readonly locks?: Readonly<Record<string, 'futex' | 'spin-then-futex'>>;
}

/** Prices of zero but for what a test is about: what comes out can be reckoned by hand. */
export const FREE: Partial<Costs> = {
  lockNs: 0,
  lineTransferNs: 0,
  guardedTransferNs: 0,
  lineKeepNs: 0,
  contextSwitchNs: 0,
  wakeThreadNs: 0,
  wakeIdleNs: 0,
  wakeLatencyNs: 0,
  syscallNs: 0,
  futexWaitNs: 0,
  futexWakeNs: 0,
  futexWakeWorkNs: 0,
  priceSpread: 0,
};

/**
 * The event core alone, without a model or a trace: scripted threads, all of them ready at 0, thread 0 first. Returns when each note was reached, the locks'
 * figures and the scheduler.
 */
export function playCore(scripts: readonly (readonly Step[])[], options: CoreOptions) {
  const { cpus, locks: kinds = { lock: 'futex' }, topology = 'pair', version = '6.18', hz = 250 } = options;
  const threads = scripts.length;
  const costs: Costs = { ...COST_PROFILES['vm']!, ...FREE, ...options.costs };
  const time = createVirtualTime({
    threads,
    cpus,
    costs,
    seed: 1,
    topology: createTopology(topology, cpus, costs.lineTransferNs),
    version,
    hz,
  });
  const locks = createVirtualLocks({ time, operations: new Float64Array(OPERATIONS.length), perVmaLocks: true });
  const { futexes, rwsem, spinLocks, table } = locks;
  const scheduler = createScheduler(time, (t, at) => {
    if (futexes.stage[t] !== 0) futexes.resumed(t, at);
    else if (rwsem.stage[t] !== 0) rwsem.resumed(t);
  });
  locks.runOn(scheduler);
  const mmapLock = locks.create('mmap_lock', 'kernel');
  const spinLock = locks.create('spin lock', 'kernel-spin');
  const ids = new Map(Object.entries(kinds).map(([name, kind]) => [name, locks.create(name, kind)]));
  const names: string[] = [];
  const notes: { readonly note: string; readonly thread: number; readonly atNs: number }[] = [];
  const player = createPlayer({
    time,
    table,
    futexes,
    rwsem,
    spinLocks,
    scheduler,
    onMark: (t, about) => notes.push({ note: names[about]!, thread: t, atNs: time.clocks[t]! }),
  });
  const order = scheduler.start('serial', scripts.length);
  for (const t of order) scheduler.begin(t, 0);
  scripts.forEach((steps, t) => {
    for (const [kind, what] of steps) {
      if (kind === 'user') time.log.appendTime(t, USER, what);
      else if (kind === 'kernel') time.log.appendTime(t, KERNEL, what);
      else if (kind === 'lock') time.log.append(t, ACQUIRE | (ids.get(what)! << KIND_BITS), 0);
      else if (kind === 'unlock') time.log.append(t, RELEASE | (ids.get(what)! << KIND_BITS), 0);
      else if (kind === 'write') time.log.append(t, ACQUIRE | (mmapLock << KIND_BITS), 0);
      else if (kind === 'unwrite') time.log.append(t, RELEASE | (mmapLock << KIND_BITS), 0);
      else if (kind === 'downgrade') time.log.append(t, DOWNGRADE | (mmapLock << KIND_BITS), 0);
      else if (kind === 'spin') time.log.append(t, ACQUIRE | (spinLock << KIND_BITS), 0);
      else if (kind === 'unspin') time.log.append(t, RELEASE | (spinLock << KIND_BITS), 0);
      else if (kind === 'read') time.log.append(t, DOWN_READ | (mmapLock << KIND_BITS), 0);
      else if (kind === 'unread') time.log.append(t, UP_READ | (mmapLock << KIND_BITS), 0);
      else time.log.append(t, MARK | ((names.push(String(what ?? '')) - 1) << KIND_BITS), 0);
    }
  });
  for (let p = scheduler.turn(); p >= 0; p = scheduler.turn()) {
    const t = time.running[p]!;
    player.play(t);
    if (time.running[p] === t && !player.isBusy(t)) scheduler.done(t);
  }
  const endNs = scheduler.endNs();
  scheduler.closeAccounts(endNs);
  checkVirtualTime({ scheduler, threads, locks: locks.measured, kernelNs: time.kernelNs, endNs });
  return {
    notes,
    at: (note: string) => notes.find((n) => n.note === note)!.atNs,
    lock: (name: string) => locks.measured.find((l) => l.name === name)!,
    scheduler,
    endNs,
    unfinished: scheduler.unfinished(),
  };
}
