import type { MachineRun } from '../../script/machine-run.ts';
import { type Finding, type FindingKind, KINDS } from './finding.ts';
import { allocatorFindings } from './finding-allocator.ts';
import { cacheFindings } from './finding-cache.ts';
import { givingBackFindings } from './finding-giving-back.ts';
import { kernelObjectFindings } from './finding-kernel-objects.ts';
import { killedFindings } from './finding-killed.ts';
import { sharedFindings } from './finding-shared.ts';
import { type History, takenKb } from './history.ts';

/** Less is not told, and not more than this share of what the script took. */
const LEAST_BYTES = 2 ** 20;
const LEAST_SHARE = 0.05;

/** The kinds of misbehaviour that the figures show, the one with the most memory first; benign ones come last. */
export function findingsOf(run: MachineRun, history: History): Finding[] {
  const least = Math.max(LEAST_BYTES, takenKb(history) * 1024 * LEAST_SHARE);
  const all = [
    ...killedFindings(run),
    ...givingBackFindings(history, least),
    ...allocatorFindings(history),
    ...sharedFindings(history),
    ...kernelObjectFindings(history),
    ...cacheFindings(history),
  ];
  return all.filter(({ bytes }) => bytes >= least).sort((a, b) => rank(a.kind) - rank(b.kind) || b.bytes - a.bytes);
}

const rank = (kind: FindingKind): number => KINDS[kind].rank;
