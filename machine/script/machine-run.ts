import { UserError } from '../../sim/contract/assert.ts';
import type { Heap, HeapProgram } from '../heap/heap.ts';
import { bootKernel } from '../kernel/boot.ts';
import { Cgroup } from '../kernel/cgroup.ts';
import type { Kernel, Task } from '../kernel/kernel.ts';

import type { MemCgroup } from '../kernel/mem-cgroup.ts';
import { exitTask } from '../kernel/process.ts';
import { LEAST_MEMORY_MB } from '../kernel/profile.ts';
import { wakesForMemory } from '../kernel/psi.ts';
import { registerShrinker } from '../kernel/shrink-slab.ts';
import { FileSystem } from './files.ts';
import type { Command, MachineSettings } from './parse.ts';
import type { Pause } from './pause.ts';
import { RunQueue } from './run-queue.ts';
import { Turns } from './turns.ts';
import { bootImage, type Image } from './worker-image.ts';

/** Where regions begin, and how far apart they are, in bytes. */
export const REGIONS_START = 0x100000000000;
export const REGION_STRIDE = 2 ** 36;

/** One line of a run: a JSON object whose `t` is its kind (head, step, death, machine, proc, cgroup, kmsg, cat, tool, end). */
export type MachineLine = Readonly<Record<string, unknown>> & { readonly t: string };

export interface MachineRunOptions {
  /** Name of the script, in errors and the head line. */
  readonly name?: string;
  /** Overrides what the script's first line says. */
  readonly machine?: Partial<MachineSettings>;
  /** What `run WORKLOAD under ALLOCATOR` replays; without it such commands are refused. */
  readonly program?: (workload: string, allocator: string) => HeapProgram;
  /** Called before the first command: the machine as it is booted. */
  readonly onStart?: (run: MachineRun) => void;
  /** Called when a command has been carried out, `end` excepted: the machine is as the command left it. */
  readonly afterCommand?: (run: MachineRun, command: Command) => void;
  /** Called with each line as it is made. */
  readonly onLine?: (line: MachineLine) => void;
}

/** A process of the script. */
export interface ScriptProcess {
  readonly name: string;
  task: Task;
  cgroup: Cgroup;
  alive: boolean;
  /** A background command that is not collected, and how it goes on. */
  busy: BackgroundCommand | undefined;
  /** Processor time of its commands, and when it began. */
  cpuUs?: number;
  startUs?: number;
  /** What it runs. */
  heap?: Heap | undefined;
}

/** A command that runs in the background. */
export interface BackgroundCommand {
  readonly text: string;
  readonly steps: Generator<Pause, Answer>;
  /** When it goes on, in microseconds. */
  wakeUs: number;
  /** It sleeps because of memory, of which this group has too much. */
  sleepsIn: MemCgroup | undefined;
  startedUs: number;
  answer: Answer | undefined;
}

/** A process that slept because of memory goes on, or is no more. */
export function wakes(k: Kernel, busy: BackgroundCommand): void {
  if (!busy.sleepsIn) return;
  wakesForMemory(k, busy.sleepsIn);
  busy.sleepsIn = undefined;
}

/** What a command of a process answers. */
export interface Answer {
  readonly ret: number;
  readonly err?: string;
  readonly minflt: number;
  readonly majflt: number;
  readonly us: number;
  readonly heap?: HeapFigures;
}

/** Of a process that runs a workload: events done and in all, its faults, and its memory in kB. */
export interface HeapFigures {
  readonly events: number;
  readonly of: number;
  readonly faults: number;
  readonly rss_kb: number;
  readonly vsz_kb: number;
  /** Allocations that returned NULL. */
  readonly failed?: number;
}

/** A machine while its script runs, and after. */
export class MachineRun {
  readonly k: Kernel;
  readonly options: MachineSettings;
  readonly lines: MachineLine[] = [];
  readonly processes: ScriptProcess[] = [];
  private readonly byName = new Map<string, ScriptProcess>();
  private readonly byTask = new Map<Task, ScriptProcess>();
  /** Those with a command under way, or with an answer that is not collected. */
  private readonly busy = new Set<ScriptProcess>();
  /** Names of processes that did not come to be. */
  readonly refusedForks = new Set<string>();
  readonly cgroups = new Map<string, Cgroup>();
  readonly rootGroup: Cgroup;
  /** Those that count memory. */
  readonly groups = new Map<string, MemCgroup>();
  /** As many of them as there have been at once, and been read. */
  groupsMade = 0;
  groupsRead = 0;
  /** Names of regions in the order of their first use: the place of each. */
  readonly regions: string[] = [];
  readonly files: FileSystem;
  readonly image: Image;
  step = 0;
  readonly turns: Turns;
  /** Who reads the script has lost the processor until then to a command in the background. */
  readerGoesOnUs = 0;
  refresh = true;
  toolsRan = false;
  /** Nobody wanted the processor. */
  idleUs = 0;
  /** What `run` replays, by its words. */
  program: (workload: string, allocator: string) => HeapProgram = () => {
    throw new UserError('run: this machine has no workloads');
  };
  /** Processes that run a workload at some time: a fork takes its parent's heap along for them. */
  readonly runners = new Set<string>();
  private kmsgShown = 0;
  readonly queue: RunQueue;
  /** A signal from outside has reached them: they end when the reader of the script lets them run. */
  readonly condemned: ScriptProcess[] = [];
  private readonly deaths: { process: ScriptProcess; how: 'signal' | 'exit'; code: number }[] = [];
  private readonly onLine: (line: MachineLine) => void;

  constructor(options: MachineSettings, name: string, onLine: (line: MachineLine) => void) {
    if (options.memoryMb < LEAST_MEMORY_MB)
      throw new UserError(`${name}: found ${options.memoryMb} MB of memory, expected at least ${LEAST_MEMORY_MB} MB`);
    this.options = options;
    this.onLine = onLine;
    this.k = bootKernel({
      ...options,
      queue: () => this.queue,
    });
    this.queue = new RunQueue(this.k, (task) => this.die(task, 'signal', 9));
    this.rootGroup = new Cgroup('', null, this.k.root, this.k.rootPids);
    this.rootGroup.subtreeControl.add('memory');
    this.turns = new Turns(this.k);
    this.files = new FileSystem(this.k, options);
    const { names } = this.files;
    registerShrinker(this.k, {
      batch: 1024,
      seeks: 2,
      count: (group) => names.countOf(group),
      scan: (group, objects) => (names.scan(group, objects) ? 0 : undefined),
    });
    this.image = bootImage(this.k, this.k.profile.start.ramfsKb / 4);
    const { release } = this.k.profile;
    const enabled = this.k.thp.enabled;
    this.emit({
      t: 'head',
      scenario: name,
      mem_mb: options.memoryMb,
      smp: options.processors,
      kernel: release,
      thp: ['always', 'madvise', 'never'].map((mode) => (mode === enabled ? `[${mode}]` : mode)).join(' '),
    });
  }

  emit(line: MachineLine): void {
    this.lines.push(line);
    this.onLine(line);
  }

  process(name: string): ScriptProcess | undefined {
    return this.byName.get(name);
  }

  /** A process of the script begins, perhaps under a name that one before it had. */
  enter(name: string, task: Task, cgroup: Cgroup, heap: Heap | undefined): void {
    const fresh = { task, cgroup, alive: true, busy: undefined, cpuUs: 0, startUs: this.k.nowUs, heap };
    let process = this.process(name);
    if (process) {
      this.byTask.delete(process.task);
      this.setBusy(process, undefined);
      Object.assign(process, fresh);
    } else {
      process = { name, ...fresh };
      this.processes.push(process);
      this.byName.set(name, process);
    }
    this.byTask.set(task, process);
  }

  setBusy(process: ScriptProcess, busy: BackgroundCommand | undefined): void {
    process.busy = busy;
    if (busy) this.busy.add(process);
    else this.busy.delete(process);
  }

  /** Whose command goes on first, not later than `untilUs`; of several the one that began to be first. */
  nextToGoOn(untilUs: number): ScriptProcess | undefined {
    let next: ScriptProcess | undefined;
    for (const process of this.busy) {
      const { alive, busy, cgroup } = process;
      if (!alive || cgroup.isFrozen || busy!.answer || busy!.wakeUs > untilUs) continue;
      const laterUs = next ? next.busy!.wakeUs - busy!.wakeUs : Infinity;
      if (laterUs > 0 || (laterUs === 0 && this.processes.indexOf(process) < this.processes.indexOf(next!)))
        next = process;
    }
    return next;
  }

  /** Some command is under way, or its answer is not collected. */
  get hasBusy(): boolean {
    return this.busy.size > 0;
  }

  /** Commands under way of other processes. */
  readonly busyOthers = (own: ScriptProcess): BackgroundCommand[] => {
    const commands: BackgroundCommand[] = [];
    if (this.busy.size === 1 && this.busy.has(own)) return commands;
    for (const process of this.busy) {
      const { alive, busy, cgroup } = process;
      if (process !== own && alive && !cgroup.isFrozen && !busy!.answer) commands.push(busy!);
    }
    return commands;
  };

  processOf(task: Task): ScriptProcess | undefined {
    return this.byTask.get(task);
  }

  /** First byte of a region: 64 GiB apart, the same in every process. */
  addressOf(region: string, task: Task): number {
    if (region === 'heap') return this.heapOf(task);
    return REGIONS_START + this.slotOf(region) * REGION_STRIDE;
  }

  /** Place of a region by its name: the next one where it has none. */
  slotOf(region: string): number {
    const slot = this.regions.indexOf(region);
    return slot < 0 ? this.regions.push(region) - 1 : slot;
  }

  private readonly heaps = new Map<Task, number>();

  heapOf(task: Task): number {
    for (let at: Task | null = task; at; at = at.parent) {
      const heap = this.heaps.get(at);
      if (heap !== undefined) return heap;
    }
    return 0;
  }

  /** @returns whether the heap had no beginning yet. */
  noteHeap(task: Task): boolean {
    if (this.heapOf(task) !== 0) return false;
    this.heaps.set(task, Math.ceil(task.mm.brk / 4096) * 4096);
    return true;
  }

  /** The process ends now; that it did is said at the next look (reap). */
  die(task: Task, how: 'signal' | 'exit', code: number): void {
    const process = this.processOf(task);
    if (how === 'signal') task.fatalSignal = true;
    if (!task.alive) return;
    exitTask(this.k, task);
    if (process?.busy) wakes(this.k, process.busy);
    if (process) {
      process.alive = false;
      this.deaths.push({ process, how, code });
    }
  }

  /** Says who has died since. */
  reap(): void {
    for (const { process, how, code } of this.deaths.splice(0)) {
      this.setBusy(process, undefined);
      this.emit({ t: 'death', step: this.step, p: process.name, pid: process.task.pid, [how]: code });
    }
  }

  emitKmsg(label: string): void {
    const lines = this.k.kmsg.slice(this.kmsgShown);
    this.kmsgShown = this.k.kmsg.length;
    if (lines.length > 0) this.emit({ t: 'kmsg', label, lines });
  }

  emitStep(command: string, state: string | undefined, answer: Partial<Answer> | undefined): void {
    this.queue.share(this.k.root);
    this.queue.readerWakes();
    this.reap();
    this.emit({
      t: 'step',
      step: this.step,
      cmd: command,
      ...(state === undefined ? {} : { state }),
      ...(answer
        ? {
            ret: answer.ret ?? 0,
            ...(answer.err ? { err: answer.err } : {}),
            ...(answer.minflt ? { minflt: answer.minflt } : {}),
            ...(answer.majflt ? { majflt: answer.majflt } : {}),
            us: Math.round(answer.us ?? 0),
            ...(answer.heap ? { heap: answer.heap } : {}),
          }
        : {}),
    });
  }

  finish(): void {
    this.emitKmsg('end');
    this.emit({ t: 'end', step: this.step });
  }
}
