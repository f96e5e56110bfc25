import { isAtThreadLimit } from '../kernel/process.ts';
import { NAME_DROPPED_US } from '../kernel/recorded-prices.ts';
import { slabAccount } from '../kernel/slab.ts';
import { swapOn } from '../kernel/swap.ts';
import { lruAddDrain } from '../kernel/swap-lru.ts';
import { swapOff } from '../kernel/swapoff.ts';
import { syncAll } from '../kernel/writeback.ts';
import { Zram } from '../kernel/zram.ts';
import { fileTextOf, toolTexts } from '../views/view.ts';
import { errorReturn } from './errno.ts';
import { dropCaches, newMount } from './files.ts';
import { givingBackUs, heldBy } from './giving-back.ts';
import { makeGroup, removeGroup } from './group-commands.ts';
import type { MachineRun } from './machine-run.ts';
import { isDropCaches, setParameter } from './parameters.ts';
import { type Command, sizeOf } from './parse.ts';
import type { Breathing } from './pause.ts';
import { passUntilAnswered } from './process-commands.ts';
import { emitSample } from './sample.ts';
import { passTime } from './time.ts';
import { startWorker } from './worker-image.ts';

/** Inodes and names of /proc that the tools leave behind, of the kernel's own group. */
const TOOLS_SLAB_BYTES = 390 * 1024;

type Handler = (run: MachineRun, words: readonly string[], command: Command) => void;

const ratioOf = (words: readonly string[]): number =>
  Number(words.find((word) => word.startsWith('ratio='))!.slice('ratio='.length));

const ok = (run: MachineRun, command: Command, error?: string, us = 10) =>
  run.emitStep(command.text, undefined, error ? { ret: errorReturn(error), err: error, us } : { ret: 0, us });

/** Done, after so long. */
function takes(run: MachineRun, command: Command, us: number): void {
  run.turns.readerRan(us);
  ok(run, command, undefined, us);
}

/** Commands of the machine itself. */
export function* runMachineCommand(run: MachineRun, command: Command): Breathing {
  const [name, ...words] = command.words as [string, ...string[]];
  const waits = WAITS[name];
  if (waits) yield* waits(run, words, command);
  else HANDLERS[name]!(run, words, command);
}

/** Commands in which time passes. */
const WAITS: Readonly<Record<string, (...call: Parameters<Handler>) => Breathing>> = {
  *wait(run, [name, ms], command) {
    const process = run.process(name!);
    if (!process) return;
    const { busy } = process;
    if (!busy) {
      run.emitStep(command.text, process.alive ? 'idle' : 'dead', undefined);
      return;
    }
    yield* passUntilAnswered(run, process, run.k.nowUs + Number(ms ?? 120000) * 1000);
    run.queue.finish(process.task);
    if (!process.alive) {
      run.emitStep(command.text, 'died', undefined);
      return;
    }
    if (!busy.answer) {
      run.emitStep(command.text, 'still-running', undefined);
      return;
    }
    run.setBusy(process, undefined);
    run.emitStep(busy.text, 'done', busy.answer);
  },
  *sleep(run, [ms], command) {
    const start = Math.max(run.k.nowUs, run.readerGoesOnUs);
    yield* passTime(run, start + Number(ms) * 1000);
    run.emitStep(command.text, undefined, { ret: 0, us: run.k.nowUs - start });
  },
};

const HANDLERS: Readonly<Record<string, Handler>> = {
  new(run, words, command) {
    for (const name of words) {
      if (isAtThreadLimit(run.k) || run.k.pids.isFull) {
        run.refusedForks.add(name);
        return ok(run, command, 'EAGAIN');
      }
      const task = startWorker(run.k, run.image, name);
      run.k.current = null;
      run.turns.started(task);
      run.enter(name, task, run.rootGroup, undefined);
    }
    ok(run, command);
  },
  kill(run, [name], command) {
    const process = run.process(name!);
    const before = heldBy(run.k, process?.task);
    if (process?.alive) run.die(process.task, 'signal', 9);
    takes(run, command, givingBackUs(before, heldBy(run.k, process?.task)));
  },
  cgroup(run, words, command) {
    ok(run, command, makeGroup(run, words));
  },
  rmcgroup(run, [name], command) {
    ok(run, command, removeGroup(run, name!));
  },
  set(run, [path, value], command) {
    ok(run, command, setParameter(run, path!, value!));
    for (const { task } of run.condemned.splice(0)) run.die(task, 'signal', 9);
  },
  cat(run, [path]) {
    // What there is not cannot be read, which is an empty text.
    run.emit({ t: 'cat', step: run.step, path, text: fileTextOf(run, path!) ?? '' });
  },
  mount(run, [type, path, opts], command) {
    // Its files are where they are.
    if (type === 'debugfs') return ok(run, command);
    const size = /size=([^,]+)/.exec(opts ?? '')?.[1];
    const bytes = size?.endsWith('%')
      ? (run.k.totalPages * 4096 * Number(size.slice(0, -1))) / 100
      : sizeOf((size ?? '').toUpperCase());
    const own = type === 'tmpfs' ? 'tmpfs' : 'disk';
    const device = own === 'tmpfs' ? `00:${(0x14 + run.files.mounts.length).toString(16)}` : '103:00';
    run.files.mounts.push(newMount(run.k, run.options, { path: path!, type: own, device }, bytes));
    ok(run, command);
  },
  swap(run, [size, ...how], command) {
    if (size === 'off') {
      const startUs = run.k.nowUs;
      const error = run.k.swapTotal === 0 ? 'EINVAL' : swapOff(run.k, run.image.init) ? undefined : 'ENOMEM';
      ok(run, command, error, run.k.nowUs - startUs);
      // Who was killed for it has had time to go.
      run.queue.finishAll();
      return;
    }
    const bytes = sizeOf(size!);
    if (bytes === undefined || bytes < 0) {
      ok(run, command, 'EINVAL');
      return;
    }
    if (run.k.swapTotal > 0) {
      ok(run, command, 'EBUSY');
      return;
    }
    const pages = Math.floor(bytes / 4096);
    const zram = how.includes('zram') ? Zram.create(run.k, pages, ratioOf(how)) : undefined;
    const isOn = (zram || !how.includes('zram')) && swapOn(run.k, pages, zram);
    ok(run, command, isOn ? undefined : 'ENOMEM');
  },
  sync(run, _words, command) {
    const startUs = run.k.nowUs;
    run.files.commit();
    syncAll(run.k);
    ok(run, command, undefined, run.k.nowUs - startUs);
  },
  drop_caches(run, [what], command) {
    if (!isDropCaches(Number(what))) return ok(run, command, 'EINVAL');
    run.k.kmsg.push(`init (1): drop_caches: ${what}`);
    const before = heldBy(run.k);
    const names = run.files.names.count;
    dropCaches(run.k, run.files, Number(what));
    const namesUs = (names - run.files.names.count) * NAME_DROPPED_US;
    takes(run, command, givingBackUs(before, heldBy(run.k)) + namesUs);
  },
  note(run, _words, command) {
    run.emitStep(command.text, 'note', undefined);
  },
  sample(run, [label]) {
    emitSample(run, label!, false);
  },
  msample(run, [label]) {
    emitSample(run, label!, true);
  },
  tools(run, [label]) {
    for (const { command, text } of toolTexts(run)) run.emit({ t: 'tool', label, cmd: command, out: text });
    // The tools are processes that end, and whose end empties the batches.
    lruAddDrain(run.k);
    if (!run.toolsRan) slabAccount(run.k, 0, TOOLS_SLAB_BYTES, true);
    run.toolsRan = true;
  },
  refresh(run, [on]) {
    run.refresh = on !== '0';
  },
};
