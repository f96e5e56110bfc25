import { statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeTrace } from '../../../workloads/trace/output.ts';
import { median } from '../median.ts';
import { benchTrace } from '../traces.ts';
import { runCommand, runWithEngine } from './fresh-process.ts';
import type { CommandRow } from './rows.ts';

/** What belongs to the package lies beside `dist`. */
const SAMPLE = fileURLToPath(new URL('../../../../workloads/samples/lanczos-3-sizes.htrace.gz', import.meta.url));
const ALLOCATORS = ['glibc', 'jemalloc', 'zendmm@8.2+glibc'];

export interface WholeOptions {
  readonly folder: string;
  readonly rounds: number;
  /** Of the numbers of events that the goals are for. */
  readonly share: number;
  readonly onStep: (about: string) => void;
}

/** What people wait for: commands from start to end, on Node alone. */
export async function measureWhole({ folder, rounds, share, onStep }: WholeOptions): Promise<CommandRow[]> {
  const rows: CommandRow[] = [];
  const times = (work: () => number): number[] => Array.from({ length: rounds }, work);
  const seconds = (name: string, goal: number, args: readonly string[]) => {
    onStep(name);
    const found = times(() => runCommand(args).seconds);
    rows.push({ group: 'whole commands', name, found, unit: 's', goal, below: true });
  };
  const pathOf = async (millions: number, ending: string): Promise<string> => {
    const path = join(folder, `mixed-${millions}.${ending}`);
    await writeTrace(path, benchTrace('mixed', millions * 1e6 * share, false));
    return path;
  };

  seconds('sim --help', 0.2, ['--help']);
  seconds('sim run of the sample', 0.6, ['run', SAMPLE]);
  const one = await pathOf(1, 'htb');
  seconds('sim run, 1 M events of .htb', 0.5, ['run', one, '--mode', 'lockstep']);
  seconds('sim run lanczos-32t in virtual time', 0.8, ['run', 'lanczos-32t', '--mode', 'virtual']);
  const two = await pathOf(2, 'htb');
  seconds('sim explain, 2 M events', 5, ['explain', two]);
  seconds('sim explain, 2 M events of many threads', 5, ['explain', `stress:profile=mix,events=${2e6 * share}`]);

  onStep('sim compare');
  const single = ALLOCATORS.map((allocator) =>
    median(times(() => runCommand(['run', two, '-a', allocator, '--mode', 'lockstep']).seconds)),
  );
  const compare = ['compare', two, '--allocators', ALLOCATORS.join(','), '--mode', 'lockstep'];
  rows.push({
    group: 'whole commands',
    name: 'sim compare of three allocators : sim run of the slowest',
    found: times(() => runCommand(compare).seconds / Math.max(...single)),
    unit: 'times',
    goal: 1.3,
    below: true,
  });
  return [...rows, ...(await measureLoads({ folder, rounds, share, onStep }, pathOf))];
}

async function measureLoads(
  { rounds, share, onStep }: WholeOptions,
  pathOf: (millions: number, ending: string) => Promise<string>,
): Promise<CommandRow[]> {
  const rows: CommandRow[] = [];
  const runs = (args: readonly string[]) =>
    Array.from({ length: rounds }, () => runWithEngine([...args, '--mode', 'lockstep']));
  onStep('20 M events of text');
  const path = await pathOf(20, 'htrace');
  const { size } = statSync(path);
  const text = runs(['run', path]);
  rows.push(
    {
      group: 'whole commands',
      name: 'sim run, 20 M events of text',
      found: text.map((run) => run.seconds),
      unit: 's',
      goal: share === 1 ? 1 : undefined,
      below: true,
    },
    {
      group: 'loading',
      name: 'text',
      found: text.map(({ engine }) => (size / engine.loadNs) * 1e3),
      unit: 'MB/s',
      goal: 500,
      below: false,
    },
  );
  onStep('20 M events of .htb');
  const binary = runs(['run', await pathOf(20, 'htb')]);
  rows.push(
    {
      group: 'loading',
      name: '.htb',
      found: binary.map(({ engine }) => engine.loadNs / engine.events),
      unit: 'ns/event',
      goal: 3,
      below: true,
    },
    {
      group: 'memory and workers',
      name: `resident memory of the host, 20 M events of .htb`,
      found: binary.map(({ engine }) => engine.hostRssBytes / 1e6),
      unit: 'MB',
      goal: undefined,
      below: true,
    },
  );
  if (availableParallelism() >= 2) rows.push(await measureWorkers(rounds, pathOf, onStep));
  return rows;
}

/** A sweep of six runs over one trace, on one worker and on two. */
async function measureWorkers(
  rounds: number,
  pathOf: (millions: number, ending: string) => Promise<string>,
  onStep: (about: string) => void,
): Promise<CommandRow> {
  onStep('sim sweep on two workers');
  const path = await pathOf(5, 'htb');
  const sweep = ['sweep', path, '--allocators', 'glibc', '--grid', 'arena_max=1,2,3,4,5,6', '--mode', 'lockstep'];
  const on = (workers: number) => runCommand([...sweep, '--workers', `${workers}`, '--json']).seconds;
  return {
    group: 'memory and workers',
    name: 'sim sweep of six runs, one worker : two',
    found: Array.from({ length: rounds }, () => on(1) / on(2)),
    unit: 'times',
    goal: 1.95,
    below: false,
  };
}
