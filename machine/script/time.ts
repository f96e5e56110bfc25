/** What passes while the script waits: timers of the kernel, background commands, averages of pressure. */
import { flusherWakeUs, runFlushers, wakeFlushers } from '../kernel/flusher.ts';
import type { Kernel, Task } from '../kernel/kernel.ts';
import { khugepagedWakeUs } from '../kernel/khugepaged-slots.ts';
import { type MemCgroup, PSI_PERIOD_US, type Psi } from '../kernel/mem-cgroup.ts';
import { recordStalls } from '../kernel/psi.ts';
import { rcuDoBatch } from '../kernel/rcu.ts';
import { JIFFY_US } from '../kernel/timer.ts';

import { type Answer, type BackgroundCommand, type MachineRun, type ScriptProcess, wakes } from './machine-run.ts';
import { schedSlice } from './new-threads.ts';
import type { Breathing, Sleep } from './pause.ts';

/** Decay of an average over 10, 60 and 300 seconds in one period. */
const DECAY_10 = Math.exp(-PSI_PERIOD_US / 10_000_000);
const DECAY_60 = Math.exp(-PSI_PERIOD_US / 60_000_000);
const DECAY_300 = Math.exp(-PSI_PERIOD_US / 300_000_000);

/** Of what was longer ago, the average over 300 seconds has nothing left: exp(-66). */
const PERIODS_REMEMBERED = 10_000;

/** update_averages: what was lost in each whole period since the last. */
function updateAverages(psi: Psi, nowUs: number): void {
  if (nowUs < psi.nextUpdateUs) return;
  const periods = Math.floor((nowUs - psi.nextUpdateUs) / PSI_PERIOD_US);
  const length = (periods + 1) * PSI_PERIOD_US;
  const part = (now: number, before: number) => Math.min(100, ((now - before) / length) * 100);
  const some = part(psi.someUs, psi.lastSome);
  const full = part(psi.fullUs, psi.lastFull);
  for (let i = Math.max(0, periods - PERIODS_REMEMBERED); i <= periods; i++) {
    psi.avg10 = [psi.avg10[0] * DECAY_10 + some * (1 - DECAY_10), psi.avg10[1] * DECAY_10 + full * (1 - DECAY_10)];
    psi.avg60 = [psi.avg60[0] * DECAY_60 + some * (1 - DECAY_60), psi.avg60[1] * DECAY_60 + full * (1 - DECAY_60)];
    psi.avg300 = [
      psi.avg300[0] * DECAY_300 + some * (1 - DECAY_300),
      psi.avg300[1] * DECAY_300 + full * (1 - DECAY_300),
    ];
  }
  psi.lastSome = psi.someUs;
  psi.lastFull = psi.fullUs;
  psi.nextUpdateUs += length;
}

export function updatePressure(k: Kernel, groups: Iterable<MemCgroup>): void {
  recordStalls(k, k.root);
  updateAverages(k.psi, k.nowUs);
  for (const group of groups) updateAverages(group.psi, k.nowUs);
}

/** Nobody has the processor until then. */
function idleUntil(run: MachineRun, untilUs: number): void {
  const { k } = run;
  if (untilUs <= k.nowUs) return;
  recordStalls(k, k.root);
  run.idleUs += untilUs - k.nowUs;
  k.nowUs = untilUs;
  recordStalls(k, null);
}

/** Some milliseconds of the host: a year has millions. */
const WAKINGS_A_BREATH = 8192;

/** Nobody else wants the processor until `untilUs`. */
function* idle(run: MachineRun, untilUs: number): Breathing {
  const { k, turns } = run;
  run.queue.idle(untilUs);
  const sinceUs = k.nowUs;
  wakeFlushers(k);
  for (let wakings = 1; k.nowUs < untilUs; wakings++) {
    if (wakings % WAKINGS_A_BREATH === 0) yield 'breath';
    runFlushers(k, untilUs);
    turns.idle(untilUs);
    idleUntil(run, Math.min(untilUs, khugepagedWakeUs(k), flusherWakeUs(k), run.files.commitDueUs));
    if (k.nowUs >= run.files.commitDueUs) run.files.commit();
    wakeFlushers(k);
  }
  if (k.nowUs > sinceUs) run.queue.wasIdle(sinceUs);
  rcuDoBatch(k);
}

/** Goes on with the command until the process sleeps or has answered. */
function* toPause(
  k: Kernel,
  task: Task,
  { steps }: BackgroundCommand,
): Generator<'breath', IteratorResult<Sleep, Answer>, void> {
  for (;;) {
    k.current = task;
    const step = steps.next();
    k.current = null;
    if (step.done || step.value !== 'breath') return step as IteratorResult<Sleep, Answer>;
    yield step.value;
  }
}

/** The tick that finds the slice over of who has the processor from now on, where somebody waits (check_preempt_tick). */
export const turnUs = ({ nowUs }: Kernel): number => Math.floor((nowUs + schedSlice(2)) / JIFFY_US + 1) * JIFFY_US;

/** When who goes on now loses the processor: to who wakes, or at a tick to who waits. */
function othersTurnUs({ k, busyOthers }: MachineRun, process: ScriptProcess, untilUs: number): number {
  let endUs = untilUs > k.nowUs ? untilUs : Number.POSITIVE_INFINITY;
  const tickUs = turnUs(k);
  for (const { wakeUs } of busyOthers(process)) endUs = Math.min(endUs, wakeUs > k.nowUs ? wakeUs : tickUs);
  return endUs;
}

/** Lets time pass until `untilUs`, with everything that happens meanwhile. */
export function* passTime(run: MachineRun, untilUs: number): Breathing {
  const { k } = run;
  for (;;) {
    const next = run.nextToGoOn(untilUs);
    if (!next) break;
    const busy = next.busy!;
    yield* idle(run, busy.wakeUs);
    wakes(k, busy);
    k.othersTurnUs = othersTurnUs(run, next, untilUs);
    const step = yield* toPause(k, next.task, busy);
    k.othersTurnUs = Number.POSITIVE_INFINITY;
    if (step.done) busy.answer = step.value;
    else busy.wakeUs = Math.max(k.nowUs, step.value.untilUs);
    updatePressure(k, run.groups.values());
  }
  yield* idle(run, untilUs);
  updatePressure(k, run.groups.values());
}
