import { loadModel } from '../../../allocators/load.ts';
import { parseAllocator } from '../../../allocators/spec.ts';
import { breathing } from '../../../workloads/breathing.ts';
import { diffStacks, type StackBytes } from '../../report/sites/stacks.ts';
import { type Palette, PLAIN } from '../../report/text/palette.ts';
import type { RunOptions } from '../../run/run-options.ts';
import { bySiteSteps } from '../explain/heap/by-site.ts';
import { diffText, siteLines } from '../explain/heap/site-text.ts';
import { loadForMoment, momentSteps } from '../explain/moment/moment-in-run.ts';

/** Resident bytes by call stack under each allocator, at one moment, in file order. */
export interface ComparedSites {
  /** Which moment it is: completes "resident …". */
  readonly about: string;
  readonly allocators: readonly { readonly allocator: string; readonly sites: readonly StackBytes[] }[];
}

/** Throws Interrupted where the signal comes. */
export async function compareSites(
  options: Omit<RunOptions, 'spec'>,
  allocators: readonly string[],
  at: string | undefined,
  signal?: AbortSignal,
): Promise<ComparedSites> {
  const specs = allocators.map((allocator) => parseAllocator(allocator, options.cpus));
  for (const spec of specs) await loadModel(spec);
  await loadForMoment({ ...options, spec: specs[0]! });
  const moment = await breathing(momentSteps({ ...options, spec: specs[0]! }, at), signal);
  const compared: ComparedSites['allocators'][number][] = [];
  for (const [i, spec] of specs.entries()) {
    const sites = (await breathing(bySiteSteps({ ...options, spec }, moment.end), signal)) ?? [];
    compared.push({ allocator: allocators[i]!, sites });
  }
  return { about: moment.about, allocators: compared };
}

/** The first one's table, and by how much each of the others differs from it. */
export function comparedSitesText({ about, allocators }: ComparedSites, palette: Palette = PLAIN): string {
  const [first, ...others] = allocators;
  if (!first) return '';
  const lines = [
    palette.bold(first.allocator),
    ...siteLines(first.sites, palette),
    palette.dim(`  ${about}, in file order`),
  ];
  const differences = others.map(
    ({ allocator, sites }) =>
      `\n${palette.bold(allocator)} against ${first.allocator}${diffText(diffStacks(first.sites, sites), palette)}`,
  );
  return `${lines.join('\n')}\n${differences.join('')}`;
}
