import { readFileSync } from 'node:fs';
import type { Argv } from 'yargs';
import { UserError } from '../../sim/contract/assert.ts';
import { type EventBuffer, isAllocating, OP_MASK } from '../../sim/contract/event.ts';
import { systemError } from '../../workloads/files/system-error.ts';
import { parseCollapsed, type StackBytes } from '../report/sites/stacks.ts';

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
  if (events.sites !== undefined || !hasAllocations(events)) return;
  throw new UserError(`${workload}: has no call sites, which ${what} needs; record it with --sites`);
}

function hasAllocations({ head, length }: EventBuffer): boolean {
  for (let row = 0; row < length; row++) if (isAllocating(head[row]! & OP_MASK)) return true;
  return false;
}

function readStacks(file: string): StackBytes[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new UserError(`--diff: ${file}: found ${systemError(error)}, expected a file that --collapsed wrote`);
  }
  const stacks = parseCollapsed(text);
  if (!stacks) throw new UserError(`${file}: expected lines as --collapsed writes them, class;frame;frame BYTES`);
  return stacks;
}
