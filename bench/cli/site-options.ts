import { readFileSync } from 'node:fs';
import type { Argv } from 'yargs';
import { UserError } from '../../sim/contract/assert.ts';
import type { EventBuffer } from '../../sim/contract/event.ts';
import { writeBinary, writeWhole } from '../../workloads/files/line-sink.ts';
import { flamePage } from '../report/sites/flame.ts';
import { pprof } from '../report/sites/pprof.ts';
import { speedscope } from '../report/sites/speedscope.ts';
import { collapsed, parseCollapsed, type StackBytes } from '../report/sites/stacks.ts';
import { hasCallSites } from '../study/explain/by-site.ts';

/** What is wanted of the resident bytes by call stack. */
export interface SiteArguments {
  flame: string | undefined;
  pprof: string | undefined;
  speedscope: string | undefined;
  collapsed: string | undefined;
  diff: string | undefined;
}

export function siteOptions<T>(yargs: Argv<T>): Argv<T> {
  return yargs
    .option('flame', { type: 'string', describe: 'a flame graph of resident bytes by call stack to FILE (HTML)' })
    .option('pprof', { type: 'string', describe: 'the same for go tool pprof, gzipped, to FILE' })
    .option('speedscope', { type: 'string', describe: 'the same for speedscope.app to FILE' })
    .option('collapsed', { type: 'string', describe: 'the same as collapsed stacks, a line each, to FILE' })
    .option('diff', {
      type: 'string',
      describe: 'what differs by call stack from FILE, written by --collapsed before',
    }) as Argv<T>;
}

const FILES = ['flame', 'pprof', 'speedscope', 'collapsed'] as const;

export const wantsSites = (argv: SiteArguments): boolean =>
  argv.diff !== undefined || FILES.some((name) => argv[name] !== undefined);

/** Refuses, before anything runs, what cannot be had; returns the stacks that --diff names. */
export function checkSiteOptions(argv: SiteArguments): readonly StackBytes[] | undefined {
  for (const name of FILES) {
    if (argv[name] === '') throw new UserError(`--${name}: found no name, expected --${name} FILE`);
  }
  return argv.diff === undefined ? undefined : readStacks(argv.diff);
}

/** Refuses a trace without call sites. */
export function requireSites(events: EventBuffer, workload: string, what: string): void {
  if (hasCallSites(events)) return;
  throw new UserError(`${workload}: has no call sites, which ${what} needs; record it with --sites`);
}

export function writeSites(argv: SiteArguments, name: string, stacks: readonly StackBytes[]): void {
  if (argv.flame) writeWhole(argv.flame, flamePage(name, stacks));
  if (argv.pprof) writeBinary(argv.pprof, pprof(stacks));
  if (argv.speedscope) writeWhole(argv.speedscope, speedscope(name, stacks));
  if (argv.collapsed) writeWhole(argv.collapsed, collapsed(stacks));
}

function readStacks(file: string): StackBytes[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new UserError(`--diff: ${(error as Error).message}`);
  }
  const stacks = parseCollapsed(text);
  if (!stacks) throw new UserError(`${file}: expected lines as --collapsed writes them, class;frame;frame BYTES`);
  return stacks;
}
