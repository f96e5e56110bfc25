import type { MachineRun } from '../../script/machine-run.ts';
import type { Command } from '../../script/parse.ts';
import { type Moment, type ProcessReading, type Reading, readMachine, rssKb, takeMoment } from './moment.ts';

/** A run as it is told: a reading after each command, and everything at each sample and at the end. */
export interface History {
  readonly readings: readonly Reading[];
  readonly moments: readonly Moment[];
}

/** Takes a history while a script runs: `afterCommand` is for the run's options, `finish` for its end. */
export class Historian {
  private readonly readings: Reading[] = [];
  private readonly moments: Moment[] = [];

  /** As the machine is before its first command. */
  start(run: MachineRun): void {
    if (this.readings.length === 0) this.readings.push(readMachine(run, '', undefined));
  }

  /** `label` asks for everything now; a sample is looked at by itself. */
  afterCommand(run: MachineRun, command: Command, label?: string): void {
    const reading = readMachine(run, command.text, command.process);
    this.readings.push(reading);
    const [name, sample] = command.words;
    if (name === 'sample' || name === 'msample') this.moments.push(takeMoment(run, sample!, reading));
    else if (label !== undefined) this.moments.push(takeMoment(run, label, reading));
  }

  finish(run: MachineRun): History {
    const { readings, moments } = this;
    const last = readings.at(-1) ?? readMachine(run, '', undefined);
    // A sample as the last command is the end itself.
    if (moments.at(-1)?.step !== last.step) moments.push(takeMoment(run, 'end', last));
    return { readings, moments };
  }
}

/** Memory that a process gave back while it went on. */
export interface GivenBack {
  readonly process: string;
  readonly kb: number;
  /** With the mapping (munmap, the break), or only the pages: at once (MADV_DONTNEED) or for later (MADV_FREE). */
  readonly how: 'unmapped' | 'dontneed' | 'lazily';
  /** Since the process last took pages. */
  readonly afterUs: number;
}

/** So much between two readings is taking or giving pages: a command by itself touches a few of the program's. */
const TAKEN_KB = 64;

const find = (reading: Reading, process: string): ProcessReading | undefined =>
  reading.processes.find(({ name }) => name === process);

/** What processes gave back themselves, read from their counters alone. */
export function givenBack({ readings }: History): GivenBack[] {
  const lastTakenUs = new Map<string, number>();
  const result: GivenBack[] = [];
  for (let i = 1; i < readings.length; i++) {
    const before = readings[i - 1]!;
    const after = readings[i]!;
    const process = after.process;
    const was = process && find(before, process);
    const is = process && find(after, process);
    if (!was || !is || was.pid !== is.pid) {
      if (is && process) lastTakenUs.set(process, after.atUs);
      continue;
    }
    const event = (name: string) => after.vmstat[name]! - before.vmstat[name]!;
    const afterUs = after.atUs - (lastTakenUs.get(process) ?? after.atUs);
    // What the kernel has taken meanwhile was given back before.
    const droppedKb = was.anonKb - is.anonKb - event('pglazyfreed') * 4;
    const swappedKb = Math.max(0, is.swapKb - was.swapKb);
    const lazyKb = event('pglazyfree') * 4;
    // Pages wait in a batch before they are counted: a few show only at another's command.
    if (lazyKb > TAKEN_KB) result.push({ process, kb: lazyKb, how: 'lazily', afterUs });
    if (droppedKb - swappedKb > 0) {
      const how = is.vszKb < was.vszKb ? 'unmapped' : 'dontneed';
      result.push({ process, kb: droppedKb - swappedKb, how, afterUs });
    }
    if (rssKb(is) - rssKb(was) > TAKEN_KB) lastTakenUs.set(process, after.atUs);
  }
  return result;
}

const freeKb = ({ meminfo, pcpKb }: Reading): number => meminfo['MemFree']! + pcpKb;

/** What the script has taken of the machine's free memory at most, in kB. */
export function takenKb({ readings }: History): number {
  const start = freeKb(readings[0]!);
  return readings.reduce((most, reading) => Math.max(most, start - freeKb(reading)), 0);
}

/** How much an event of vmstat has happened during the run. */
export const happened = ({ readings }: History, name: string): number =>
  readings.at(-1)!.vmstat[name]! - readings[0]!.vmstat[name]!;
