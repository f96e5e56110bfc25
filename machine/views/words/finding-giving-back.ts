import { kbSize, list, most, span } from './figures.ts';
import { type Finding, finding } from './finding.ts';
import { type GivenBack, givenBack, type History, happened } from './history.ts';
import { type Moment, rssKb } from './moment.ts';

/** Longer after a process last took memory is late: an allocator that gives back at once does so while it frees. */
const LATE_US = 1_000_000;

const sumKb = (all: readonly GivenBack[]): number => all.reduce((sum, { kb }) => sum + kb, 0);
const processesOf = (all: readonly GivenBack[]): string => list([...new Set(all.map(({ process }) => process))]);
const lazyKb = ({ full }: Moment): number => full.reduce((sum, { rollup }) => sum + rollup['LazyFree']!, 0);

/** Who gave memory back, when and how: the kernel, an allocator, a runtime. */
export function givingBackFindings(history: History, leastBytes: number): Finding[] {
  const back = givenBack(history);
  const layers = threeLayers(history, back, leastBytes);
  if (layers) return [layers];
  return [late(history, back), lazily(history, back)].filter((one) => one !== undefined);
}

function threeLayers(history: History, back: readonly GivenBack[], leastBytes: number): Finding | undefined {
  const kernelKb = (happened(history, 'pgsteal_kswapd') + happened(history, 'pgsteal_direct')) * 4;
  const allocator = back.filter(({ how }) => how === 'unmapped');
  const runtime = back.filter(({ how }) => how !== 'unmapped');
  const parts = [kernelKb, sumKb(allocator), sumKb(runtime)];
  if (parts.some((kb) => kb * 1024 < leastBytes)) return undefined;
  const swapped = happened(history, 'pswpout') * 4;
  const sentences = [
    `Three layers gave memory back. The kernel took ${kbSize(parts[0]!)} when memory ran short (kswapd ${kbSize(happened(history, 'pgsteal_kswapd') * 4)}, direct reclaim ${kbSize(happened(history, 'pgsteal_direct') * 4)}${swapped > 0 ? `, ${kbSize(swapped)} to swap` : ''}).`,
    `The allocator of ${processesOf(allocator)} gave ${kbSize(parts[1]!)} back with its mapping or break: VSZ fell with RSS.`,
    `The runtime of ${processesOf(runtime)} gave ${kbSize(parts[2]!)} back by madvise and kept the addresses: VSZ stayed.`,
    'Each works alone: a fall of RSS with VSZ is the allocator, without it the runtime, and pgsteal without a call of the process the kernel.',
  ];
  return finding('three-layers', parts.reduce((a, b) => a + b, 0) * 1024, history.moments.at(-1)!, sentences);
}

function late(history: History, back: readonly GivenBack[]): Finding | undefined {
  const delayed = back.filter(({ how, afterUs }) => how !== 'unmapped' && afterUs >= LATE_US);
  if (delayed.length === 0) return undefined;
  const afterUs = Math.max(...delayed.map((one) => one.afterUs));
  const lazy = delayed.filter(({ how }) => how === 'lazily');
  const dontneed = delayed.filter(({ how }) => how === 'dontneed');
  const { one: moment } = most(history.moments, lazyKb)!;
  const sentences = [
    `${processesOf(delayed)} took no memory for ${span(afterUs)} and only then gave ${kbSize(sumKb(delayed))} back, with the mapping kept: the work was done, its heap was not.`,
  ];
  if (lazy.length > 0) {
    const process = moment.full.find(({ name }) => name === lazy[0]!.process);
    sentences.push(
      `${kbSize(sumKb(lazy))} by MADV_FREE (Go 1.12 to 1.15): ${process ? `RSS is still ${kbSize(rssKb(process))}, with LazyFree ${kbSize(process.rollup['LazyFree']!)},` : 'RSS stays'} until the kernel wants the pages.`,
    );
  }
  if (dontneed.length > 0)
    sentences.push(`${kbSize(sumKb(dontneed))} by MADV_DONTNEED (Go from 1.16): RSS fell at once, late as it was.`);
  sentences.push('An allocator gives back while the program frees, or not at all; the wait tells a collector.');
  return finding('late-runtime', sumKb(delayed) * 1024, lazy.length > 0 ? moment : history.moments.at(-1)!, sentences);
}

function lazily(history: History, back: readonly GivenBack[]): Finding | undefined {
  const prompt = back.filter(({ how, afterUs }) => how === 'lazily' && afterUs < LATE_US);
  if (prompt.length === 0) return undefined;
  const kb = sumKb(prompt);
  const { one: moment, amount } = most(history.moments, lazyKb)!;
  const rss = moment.full.reduce((sum, process) => sum + rssKb(process), 0);
  const freed = happened(history, 'pglazyfreed') * 4;
  return finding('lazily-freed', kb * 1024, moment, [
    `${processesOf(prompt)} gave ${kbSize(kb)} back by MADV_FREE as soon as they were free${amount > 0 ? `; at ${moment.label}, ${kbSize(amount)} of them are still in the RSS of ${kbSize(rss)}, as Private_Clean and LazyFree, and on the lists of files` : ''}.`,
    freed > 0
      ? `The kernel has taken ${kbSize(freed)} of them when it needed memory.`
      : 'The kernel has taken none of them: nothing needed the memory.',
    'MemAvailable counts them, MemFree does not: RSS minus LazyFree is what the process holds.',
  ]);
}
