import { bytes, count } from '../../../../sim/contract/format.ts';
import type { RunDescription } from '../../../run/result.ts';
import type { Explanation, Facts } from '../explanation.ts';
import type { TunableChange } from './tunable-changes.ts';

/** What changed thresholds mean, for the names that people ask about; `raised`: those that were raised too. */
export function changeSentences(changes: readonly TunableChange[], raised = true): string[] {
  const sentences: string[] = [];
  const raises = changes.filter((c) => raised && c.causedBy !== 'mallopt' && c.changes['mmap_threshold']);
  const last = raises.at(-1);
  if (last) {
    const [from] = raises[0]!.changes['mmap_threshold']!;
    const [, to] = last.changes['mmap_threshold']!;
    const steps = raises.length > 1 ? ` in ${raises.length} steps, the last` : '';
    sentences.push(
      `The mmap threshold was raised from ${bytes(from)} to ${bytes(to)}${steps} ${byWhat(last)}: since then blocks below it are carved from a heap instead of mapped on their own, and their free unmaps nothing.`,
    );
    const trims = raises.map((c) => c.changes['trim_threshold']).filter((pair) => pair !== undefined);
    if (trims.length > 0) {
      sentences.push(
        `With it the trim threshold rose from ${bytes(trims[0]![0])} to ${bytes(trims.at(-1)![1])}: the free end of a heap is cut off only beyond that.`,
      );
    }
  }
  for (const change of changes) {
    if (change.changes['no_dyn_threshold']?.[1] === 1) {
      sentences.push(
        `The mmap threshold stopped adapting ${byWhat(change)}: setting any of the thresholds, even to its default, freezes it.`,
      );
    }
    for (const [name, [before, after]] of Object.entries(change.changes)) {
      const told = change.causedBy !== 'mallopt' && (name === 'mmap_threshold' || name === 'trim_threshold');
      if (name === 'no_dyn_threshold' || told) continue;
      sentences.push(`${name} changed from ${count(before)} to ${count(after)} ${byWhat(change)}.`);
    }
  }
  return sentences;
}

function byWhat(change: TunableChange): string {
  const at = `at event ${count(change.event)}`;
  return change.causedBy === 'mallopt'
    ? `by ${change.cause} ${at}`
    : change.causedBy === 'request end'
      ? `by the end of a request that freed a block of ${bytes(change.blockBytes!)} ${at}`
      : `by the ${change.causedBy} of a block of ${bytes(change.blockBytes!)} ${at}`;
}

/** Settings that were given at the start and silently change something else. */
export function givenSentences(facts: Facts): string[] {
  if (facts.tunables?.['no_dyn_threshold'] !== 1) return [];
  if (facts.tunableChanges.some((c) => c.changes['no_dyn_threshold']?.[1] === 1)) return [];
  return [
    'The mmap threshold does not adapt in this run: a threshold was given as an option, and any of them, even at its default, freezes it.',
  ];
}

/** Where the present value of a threshold is from: `the default`, `set as an option`, `since event 3,075 (free)`. */
export function originOf(
  name: string,
  value: number,
  { run, tunableChanges }: Pick<Explanation, 'run' | 'tunableChanges'>,
): string {
  const last = tunableChanges.findLast(({ changes }) => name in changes);
  if (last) return `since event ${count(last.event)} (${last.causedBy})`;
  const isGiven = new RegExp(`[:,]${name}=`).test(run.allocator);
  const start = startOf(name, run.options);
  if (start !== undefined && start !== value) return 'changed while the program ran';
  if (isGiven) return 'set as an option';
  if (name === 'no_dyn_threshold') return value === 0 ? 'thresholds may rise' : 'an option is set: no threshold rises';
  return 'the default';
}

/** The option's value when the run began, in whichever layer has it. */
function startOf(name: string, options: RunDescription['options']): unknown {
  const below = options['below'] as RunDescription['options'] | undefined;
  return options[name] ?? (below && startOf(name, below));
}
