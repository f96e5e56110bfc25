import { count } from '../../../sim/contract/format.ts';
import { kbSize, list, most, number, size } from './figures.ts';
import { type Finding, finding } from './finding.ts';
import type { History } from './history.ts';
import { type Reading, rssKb } from './moment.ts';

/** Kernel memory behind descriptors, and names of files. */
export function kernelObjectFindings(history: History): Finding[] {
  return [descriptors(history), names(history)].filter((one) => one !== undefined);
}

const SAMPLE = /^m?sample (\S+)/;

/** Where it was most, at a sample if it was as much at one. */
function mostAtSample(
  readings: readonly Reading[],
  of: (reading: Reading) => number,
): { one: Reading; amount: number } {
  const { one, amount } = most(readings, of)!;
  return { one: readings.find((reading) => SAMPLE.test(reading.command) && of(reading) === amount) ?? one, amount };
}

const fdBytes = ({ processes }: Reading) => processes.reduce((sum, process) => sum + process.fdBytes, 0);

function descriptors({ readings }: History): Finding | undefined {
  const { one: reading, amount } = mostAtSample(readings, fdBytes);
  if (amount === 0) return undefined;
  const holders = reading.processes.filter(({ fdBytes: own }) => own > 0).sort((a, b) => b.fdBytes - a.fdBytes);
  const first = holders[0]!;
  const last = readings.at(-1)!;
  const left = fdBytes(last);
  const rises = readings.filter((one, i) => i > 0 && fdBytes(one) > fdBytes(readings[i - 1]!)).length;
  const pages = holders.reduce((sum, { fdPageBytes }) => sum + fdPageBytes, 0);
  const at = labelOf(reading);
  return finding('descriptors', amount, { label: at, step: reading.step }, [
    `At ${at}, ${number(
      holders.reduce((sum, { fds }) => sum + fds, 0),
      'descriptor',
    )} of ${list(holders.map(({ name }) => name))} hold ${size(amount)} of the kernel's memory (${number(
      holders.reduce((sum, { sockets }) => sum + sockets, 0),
      'socket',
    )} among them), ${left === amount ? `in ${number(rises, 'step')} that added to it, and none was closed` : `of which ${size(left)} are left at the end`}.`,
    `The RSS of ${first.name} is ${kbSize(rssKb(first))}: none of it is in there; Slab is ${kbSize(reading.meminfo['Slab']!)}${pages > 0 ? `, and ${size(pages)} are pages of data that nobody has received, in no line of meminfo` : ''}.`,
    `Only the number of descriptors (ls /proc/PID/fd | wc -l) and the slab tell${pages > 0 ? ', and of the pages ss -m' : ''}: no process, no cache and no tmpfs accounts for it.`,
  ]);
}

function names({ readings }: History): Finding | undefined {
  const { one: reading, amount } = mostAtSample(readings, ({ nameBytes }) => nameBytes);
  if (amount === 0) return undefined;
  const at = labelOf(reading);
  return finding('names', amount, { label: at, step: reading.step }, [
    `At ${at}, ${size(amount)} of the kernel's memory are names and inodes of files that were looked up; SReclaimable is ${kbSize(reading.meminfo['SReclaimable']!)}.`,
    'It stays until memory runs short or drop_caches 2, and is in MemAvailable: no process holds it, and no descriptor is open.',
  ]);
}

/** A sample's label, or the number of the step. */
function labelOf({ command, step }: Reading): string {
  const match = SAMPLE.exec(command);
  return match ? match[1]! : `step ${count(step)}`;
}
