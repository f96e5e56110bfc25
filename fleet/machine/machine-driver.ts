import { type MachineLine, MachineRun, parseScript } from '../../machine/index.ts';
import type { Task } from '../../machine/kernel/kernel.ts';
import { runMachineCommand } from '../../machine/script/machine-commands.ts';
import { atOnce } from '../../machine/script/pause.ts';
import { runProcessCommand } from '../../machine/script/process-commands.ts';
import { passTime } from '../../machine/script/time.ts';
import { assert } from '../../sim/contract/assert.ts';
import { sizeBytes } from '../../sim/contract/quantities.ts';
import { atOnce as stepsAtOnce } from '../../workloads/breathing.ts';
import type { Scenario } from '../scenario/scenario.ts';

/** A process that ended without being asked to. */
export interface Death {
  readonly name: string;
  readonly atUs: number;
  /** Whether the kernel killed it for want of memory; else it used memory that it had been refused. */
  readonly isKill: boolean;
}

const SIGKILL = 9;

/** What a scenario's files and folders cannot come to: their names have been looked at. */
const PATH_ERRORS: ReadonlySet<string> = new Set(['ENOENT', 'ENOTDIR', 'EISDIR', 'EEXIST']);

/** Memory that the kernel did not promise. */
export interface Refusal {
  readonly name: string;
  readonly what: string;
  readonly atUs: number;
}

/**
 * The machine of a scenario, driven by the commands of machine scripts (docs/machine.md): whatever a scenario does to it could be written
 * down as a script.
 */
export class MachineDriver {
  readonly run: MachineRun;
  /** Commands as they were given, with the time, where somebody wants them. */
  readonly script: string[] | undefined;
  private readonly deaths: Death[] = [];
  private refused: Refusal[] = [];
  private readonly asked = new Set<string>();
  private failed: string | undefined;

  constructor(scenario: Scenario, keepsScript = false) {
    const { machine } = scenario;
    const settings = {
      memoryMb: Math.floor(scenario.memoryBytes / 2 ** 20),
      thp: machine.thp,
      processors: machine.processors,
      kernel: machine.kernel,
    };
    this.script = keepsScript
      ? [`#! -m ${settings.memoryMb} --thp ${settings.thp} --smp ${settings.processors} --kernel ${settings.kernel}`]
      : undefined;
    this.run = new MachineRun(settings, scenario.name, (line) => this.hear(line));
    if (sizeBytes(machine.swap)! > 0) this.do(`swap ${sizeBytes(machine.swap)}`);
    if (machine.swappiness !== undefined) this.do(`set vm/swappiness ${machine.swappiness}`);
    if (machine.overcommit !== 0) this.do(`set vm/overcommit_memory ${machine.overcommit}`);
    if (sizeBytes(machine.reserve)! > 0)
      this.do(`set vm/min_free_kbytes ${Math.floor(sizeBytes(machine.reserve)! / 1024)}`);
    for (const group of scenario.cgroups) {
      const limits = (['max', 'high', 'low', 'min'] as const).flatMap((key) =>
        group[key] === undefined ? [] : [`${key}=${sizeBytes(group[key])}`],
      );
      const isParent = scenario.cgroups.some(({ name }) => name.startsWith(`${group.name}/`));
      this.do(
        [
          'cgroup',
          group.name,
          ...limits,
          ...(group.oom_group ? ['group=1'] : []),
          ...(isParent ? ['parent'] : []),
        ].join(' '),
      );
    }
  }

  get nowUs(): number {
    return this.run.k.nowUs;
  }

  /** One command. @returns whether it did what it was asked; a process that dies of it is among the deaths. */
  do(command: string): boolean {
    return stepsAtOnce(this.steps(command));
  }

  /** The same, in steps where it may take the host long. */
  *steps(command: string): Generator<void, boolean> {
    this.script?.push(command);
    this.failed = undefined;
    for (const one of parseScript(command).commands) {
      this.run.step++;
      const run = one.process === undefined ? runMachineCommand : runProcessCommand;
      for (const _ of run(this.run, one)) yield;
    }
    this.run.lines.length = 0;
    assert(!PATH_ERRORS.has(this.failed ?? ''), `${command}: ${this.failed}`);
    return this.failed === undefined;
  }

  /** The directories that a path goes through, where they are not there yet. */
  makeFolders(name: string, path: string): void {
    const steps = path.split('/').slice(1, -1);
    steps.forEach((_, i) => {
      const folder = `/${steps.slice(0, i + 1).join('/')}`;
      const { files } = this.run;
      if (files.mountOf(folder) && !files.isDirectory(folder)) this.do(`${name} mkdir ${folder}`);
    });
  }

  /** One command that the kernel may refuse for want of memory. @returns whether it did what it was asked; else it is among the refusals. */
  ask(name: string, what: string, command: string): boolean {
    const isDone = this.do(command);
    if (!isDone) this.refused.push({ name, what, atUs: this.nowUs });
    return isDone;
  }

  /** What has been refused since the last call. */
  takeRefusals(): Refusal[] {
    const taken = this.refused;
    this.refused = [];
    return taken;
  }

  /** The process ends because its pool wants it to. */
  end(name: string): void {
    if (!this.isAlive(name)) return;
    this.asked.add(name);
    this.do(`${name} exit`);
    this.run.reap();
    this.asked.delete(name);
  }

  passTo(us: number): void {
    if (us <= this.nowUs) return;
    this.script?.push(`sleep ${Math.round((us - this.nowUs) / 1000)}`);
    atOnce(passTime(this.run, us));
    this.run.reap();
    this.run.lines.length = 0;
  }

  isAlive(name: string): boolean {
    return this.run.process(name)?.alive === true;
  }

  taskOf(name: string): Task | undefined {
    const process = this.run.process(name);
    return process?.alive ? process.task : undefined;
  }

  /** How often the kernel has killed so far. */
  get kills(): number {
    return this.run.k.oomKills.length;
  }

  /** Who has died since the last call. */
  takeDeaths(): Death[] {
    this.run.queue.finishAll();
    this.run.reap();
    return this.deaths.splice(0);
  }

  private hear(line: MachineLine): void {
    if (line.t === 'death' && !this.asked.has(String(line['p'])))
      this.deaths.push({ name: String(line['p']), atUs: this.nowUs, isKill: line['signal'] === SIGKILL });
    if (line.t === 'step' && (line['err'] !== undefined || line['state'] === 'died' || line['state'] === 'dead')) {
      this.failed = String(line['err'] ?? line['state']);
    }
  }
}
