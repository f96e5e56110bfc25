import { flushersTurn } from '../kernel/flusher.ts';
import type { Faulting } from '../kernel/gup.ts';
import type { Kernel, Rlimits, Task } from '../kernel/kernel.ts';
import type { MemCgroup } from '../kernel/mem-cgroup.ts';
import { sleepsForMemory } from '../kernel/psi.ts';
import { threadgroupLockUs } from '../kernel/rcu.ts';
import { CALL_US, COMMAND_US } from '../kernel/recorded-prices.ts';
import { handleOverHigh, isOverHigh } from '../kernel/throttle.ts';
import { OUT_OF_MEMORY, PAUSED, type TouchMode, touchRange } from '../kernel/touch.ts';
import { type Call, has, option, type Result } from './command-words.ts';
import { errorReturn } from './errno.ts';
import { FILE_CALLS, fileRw, pausesForDisk } from './file-commands.ts';
import { givesBack, givingBackUs, heldBy } from './giving-back.ts';
import { moveInto } from './group-commands.ts';
import type { Answer, MachineRun, ScriptProcess } from './machine-run.ts';
import { MEMORY_CALLS } from './memory-commands.ts';
import { objectsCommand } from './object-commands.ts';
import { type Command, sizeOf } from './parse.ts';
import type { Breathing, Pause, Sleep } from './pause.ts';
import { heapFigures, runCommand } from './run-command.ts';
import { passTime } from './time.ts';
import { beginCommand, failCommand, finish, receive, STACK_TOP_BYTES, startForked } from './worker-image.ts';

/** The coordinator of a script waits so long for an answer. */
const PATIENCE_US = 120_000_000;

/** Some milliseconds of the host. */
const FAULTS_A_BREATH = 8192;

/** A command of a process: `p1 touch A 0 4M`, at once or in the background. */
export function* runProcessCommand(run: MachineRun, command: Command): Breathing {
  const { k } = run;
  const process = run.process(command.process!);
  if (!process) {
    run.emitStep(command.text, run.refusedForks.has(command.process!) ? 'dead' : 'unknown', undefined);
    return;
  }
  if (!process.alive) {
    run.emitStep(command.text, 'dead', undefined);
    return;
  }
  if (process.busy) {
    run.emitStep(command.text, 'busy', undefined);
    return;
  }
  if (process.task.fatalSignal) {
    // Killed a moment ago: it will not read the command.
    run.queue.finish(process.task);
    run.emitStep(command.text, 'died', undefined);
    return;
  }
  const [name, ...words] = command.words as [string, ...string[]];
  run.turns.readerRan(COMMAND_US);
  if (name === 'into' || name === 'oom_score_adj' || name === 'clear_refs') {
    if (name === 'into') yield* passTime(run, threadgroupLockUs(k));
    outside(run, process, command, name, words[0]!);
    return;
  }
  const steps = perform(run, process, name, words);
  const busy = {
    text: command.background ? command.text.slice(6) : command.text,
    steps,
    wakeUs: k.nowUs,
    sleepsIn: undefined as MemCgroup | undefined,
    startedUs: k.nowUs,
    answer: undefined as Answer | undefined,
  };
  run.setBusy(process, busy);
  if (command.background) {
    run.readerGoesOnUs = run.turns.goesOnUs(process.task);
    run.emitStep(command.text, 'started', undefined);
    return;
  }
  yield* passUntilAnswered(run, process, k.nowUs + PATIENCE_US);
  run.queue.finish(process.task);
  if (!process.alive) {
    run.emitStep(command.text, name === 'exit' ? undefined : 'died', undefined);
    return;
  }
  if (!busy.answer) {
    run.emitStep(command.text, 'still-running', undefined);
    return;
  }
  run.setBusy(process, undefined);
  run.emitStep(command.text, undefined, busy.answer);
}

/** Lets time pass until the process has answered, died, or `untilUs`. */
export function* passUntilAnswered(run: MachineRun, process: ScriptProcess, untilUs: number): Breathing {
  const { k } = run;
  while (process.alive && process.busy && !process.busy.answer && k.nowUs <= untilUs) {
    if (process.busy.wakeUs > untilUs || process.cgroup.isFrozen) {
      yield* passTime(run, untilUs);
      return;
    }
    yield* passTime(run, Math.max(k.nowUs, process.busy.wakeUs));
  }
}

/** Commands that the coordinator carries out on a process from outside. */
function outside(run: MachineRun, process: ScriptProcess, command: Command, name: string, value: string): void {
  const { task } = process;
  let error: string | undefined;
  if (name === 'into') {
    error = moveInto(run, process, value);
  } else if (name === 'oom_score_adj') {
    const adj = Number(value);
    if (adj < -1000 || adj > 1000) error = 'EINVAL';
    else task.oomScoreAdj = adj;
  } else if (!(Number(value) >= 1 && Number(value) < CLEAR_REFS_LAST)) error = 'EINVAL';
  else clearRefs(run.k, task);
  run.emitStep(command.text, undefined, error ? { ret: errorReturn(error), err: error } : { ret: 0, us: CALL_US });
}

/** What /proc/PID/clear_refs takes is below it. */
const CLEAR_REFS_LAST = 6;

/** clear_refs 1: nothing was used any more. */
function clearRefs(k: Kernel, task: Task): void {
  for (const pmd of task.mm.pmds.values()) {
    if (pmd.huge !== 0) pmd.huge &= ~8;
    else if (pmd.first !== 0) pmd.first &= ~8;
    else if (pmd.entries) for (let i = 0; i < 512; i++) pmd.entries[i]! &= ~8;
    for (let i = 0; i < 512 && pmd.huge === 0; i++) {
      const pte = pmd.get(i);
      if (pte & 1 && !(pte & 16)) k.frames.flags[pte >>> 6]! &= ~8;
    }
  }
}

/** The process's part: takes the command, carries it out, and answers with what it cost. */
function* perform(
  run: MachineRun,
  process: ScriptProcess,
  name: string,
  words: readonly string[],
): Generator<Pause, Answer> {
  const { k } = run;
  const { task } = process;
  run.turns.takes(task);
  run.queue.workerWakes(task);
  const before = receive(k, task);
  const startUs = k.nowUs;
  k.nowUs += CALL_US;
  beginCommand(k, task, name, words);
  const calls: Call =
    name === 'touch'
      ? touch(run, process, words)
      : name === 'read' || name === 'write'
        ? fileRw(run, task, name, words)
        : name === 'run'
          ? runCommand(run, process, words)
          : immediate(run, process, name, words);
  let result: Result;
  let sleptUs = 0;
  for (;;) {
    const step = calls.next();
    if (step.done) {
      result = step.value;
      break;
    }
    if (step.value !== 'breath') sleptUs += fallsAsleep(k, process, step.value);
    const waitsSinceUs = k.nowUs;
    yield step.value;
    if (step.value !== 'breath' && step.value.for === 'turn') sleptUs += k.nowUs - waitsSinceUs;
    k.current = task;
  }
  yield* pausesForDisk(run, task);
  k.current = task;
  if (isOverHigh(task) && task.alive && !task.fatalSignal) {
    const sleepUs = handleOverHigh(k, task);
    if (sleepUs > 0) {
      const sleep: Sleep = { untilUs: k.nowUs + sleepUs, for: 'memory' };
      sleptUs += fallsAsleep(k, process, sleep);
      yield sleep;
    }
  }
  k.current = null;
  if (task.alive && task.oomVictim) run.queue.exits(task);
  else if (task.fatalSignal) run.die(task, 'signal', 9);
  if (!task.alive || task.oomVictim) return { ret: 0, minflt: 0, majflt: 0, us: 0 };
  run.turns.goesOn(task);
  const failed = typeof result === 'string';
  if (failed) failCommand(k, task);
  const answer = {
    ret: typeof result === 'string' ? errorReturn(result) : result,
    ...(failed ? { err: result as string } : {}),
    minflt: task.minflt - before.minflt,
    majflt: task.majflt - before.majflt,
    us: k.nowUs - startUs,
    ...(name === 'run' && process.heap ? { heap: heapFigures(process.heap) } : {}),
  };
  process.cpuUs = (process.cpuUs ?? 0) + Math.max(0, answer.us - sleptUs);
  finish(k, task);
  const child = name === 'fork' && !failed ? run.process(words[0]!)!.task : undefined;
  if (child) run.turns.forked(child);
  const goesOnFirst = run.turns.answers(task, answer.us);
  if (child) {
    run.turns.startsForked(child);
    startForked(k, task, child, goesOnFirst);
  }
  return answer;
}

/** @returns for how long. */
function fallsAsleep(k: Kernel, { task, busy }: ScriptProcess, sleep: Sleep): number {
  if (sleep.for === 'memory') {
    busy!.sleepsIn = task.group;
    sleepsForMemory(k, task.group);
  }
  return Math.max(0, sleep.untilUs - k.nowUs);
}

/** fs.nr_open. */
const NR_OPEN = 1024 * 1024;

function* immediate(run: MachineRun, process: ScriptProcess, name: string, words: readonly string[]): Call {
  const { k } = run;
  k.current = process.task;
  if (name === 'rlimit') {
    const [resource, value] = words as [keyof Rlimits, string];
    const limit = value === 'unlimited' ? Number.POSITIVE_INFINITY : sizeOf(value)!;
    if (resource === 'nofile' && limit > NR_OPEN) return 'EPERM'; // do_prlimit
    process.task.rlimits[resource] = limit;
    return 0;
  }
  const own = MEMORY_CALLS[name] ?? FILE_CALLS[name];
  const before = givesBack(name, words) ? heldBy(k, process.task) : undefined;
  const answer = own ? own(run, process, words) : objectsCommand(run, process.task, name, words);
  const result = typeof answer === 'object' ? yield* faultsInTurns(run, process, answer) : answer;
  if (before) k.nowUs += givingBackUs(before, heldBy(k, process.task));
  return result;
}

/** Others have their turn after each page. */
function* faultsInTurns(run: MachineRun, { task }: ScriptProcess, faulting: Faulting): Call {
  const { k } = run;
  for (let steps = 1; ; steps++) {
    k.current = task;
    const step = faulting.next();
    if (step.done) return step.value ?? 0;
    flushersTurn(k);
    if (k.nowUs >= k.queueTurnUs) k.hooks.queueTurn(task.group);
    if (k.nowUs >= k.othersTurnUs) yield { untilUs: k.nowUs, for: 'turn' };
    else if (steps % FAULTS_A_BREATH === 0) yield 'breath';
    if (!task.alive) return 0;
  }
}

/** Of the stack, offsets count down from its top. */
function touchStart(run: MachineRun, task: Task, words: readonly string[]): number {
  const offset = sizeOf(words[1]!)!;
  if (words[0] !== 'stack' || run.regions.includes('stack')) return run.addressOf(words[0]!, task) + offset;
  return STACK_TOP_BYTES - offset - sizeOf(words[2]!)!;
}

function* touch(run: MachineRun, process: ScriptProcess, words: readonly string[]): Call {
  const { k } = run;
  const { task } = process;
  const start = touchStart(run, task, words);
  const cursor = { at: start, end: start + sizeOf(words[2]!)! };
  const mode: TouchMode = has(words, 'read') ? 'read' : has(words, 'rmw') ? 'rmw' : 'write';
  let sleepUs = 0;
  let faults = 0;
  for (;;) {
    k.current = task;
    const outcome = touchRange(k, task, cursor, option(words, 'stride') ?? 4096, mode, () => {
      k.nowUs += k.profile.prices.faultUs;
      if (task.dirtyPause) return true;
      flushersTurn(k);
      if (k.nowUs >= k.queueTurnUs) k.hooks.queueTurn(task.group);
      if (isOverHigh(task)) sleepUs = handleOverHigh(k, task);
      return sleepUs > 0 || k.nowUs >= k.othersTurnUs || ++faults % FAULTS_A_BREATH === 0;
    });
    if (outcome === 0) return 0;
    if (outcome === OUT_OF_MEMORY) {
      k.nowUs += k.profile.prices.faultUs;
      yield { untilUs: k.nowUs, for: 'turn' };
      if (!task.alive) return 0;
      continue;
    }
    if (outcome !== PAUSED) {
      if (!task.oomVictim) run.die(task, 'signal', outcome);
      return 0;
    }
    yield* pausesForDisk(run, task);
    if (!task.alive) return 0;
    yield sleepUs > 0
      ? { untilUs: k.nowUs + sleepUs, for: 'memory' }
      : k.nowUs >= k.othersTurnUs
        ? { untilUs: k.nowUs, for: 'turn' }
        : 'breath';
    sleepUs = 0;
    if (!task.alive) return 0;
  }
}
