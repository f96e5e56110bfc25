import type { OomKill } from '../../kernel/kernel.ts';
import type { MachineRun } from '../../script/machine-run.ts';
import { kbSize, list } from './figures.ts';
import { type Finding, finding } from './finding.ts';

const kb = (pages: number): string => kbSize(pages * 4);

/** Less of a limit than this are processes that look small beside it. */
const SMALL_SHARE = 0.6;

/** What a group or the machine was full of, the largest first. */
export function fullOf({ anonPages, shmemPages, cachePages, kernelPages }: OomKill): string {
  const parts: [number, string][] = [
    [anonPages, 'private memory of processes'],
    [shmemPages, 'shared memory and tmpfs'],
    [cachePages, 'page cache'],
    [kernelPages, 'kernel'],
  ];
  return list(
    parts
      .filter(([pages]) => pages > 0)
      .sort(([a], [b]) => b - a)
      .map(([pages, what]) => `${kb(pages)} ${what}`),
  );
}

/** A group met its limit, and what its processes have by themselves is little of it. */
export function killedFindings(run: MachineRun): Finding[] {
  const kill = run.k.oomKills.find(
    ({ group, anonPages, limitPages }) => group !== undefined && anonPages < SMALL_SHARE * limitPages,
  );
  if (!kill) return [];
  const at = run.lines.find((line) => line.t === 'death' && line['pid'] === kill.pid);
  const step = (at?.['step'] as number | undefined) ?? run.step;
  const others = kill.limitPages - kill.anonPages;
  return [
    finding('killed-by-limit', others * 4096, { label: `step ${step}`, step }, [
      `${kill.victim} was killed with an RSS of ${kb(kill.rssPages)}: ${kill.group} had met its limit of ${kb(kill.limitPages)}, though the RSS of its processes together was ${kb(kill.processesPages)}.`,
      `The group was full of ${fullOf(kill)}.`,
      'A limit counts what the group touched first, whoever has it in his RSS: files in tmpfs and shared memory go with no process and cannot be dropped, so that a kill frees the wrong thing. memory.stat (anon, shmem, file, kernel) tells, ps does not.',
    ]),
  ];
}
