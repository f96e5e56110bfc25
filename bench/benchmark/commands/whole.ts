import { statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeTrace } from '../../../workloads/trace/output.ts';
import { median } from '../../evidence/median.ts';
import { benchTrace } from '../traces.ts';
import { runCommand, runWithEngine } from './fresh-process.ts';
import type { CommandRow } from './rows.ts';

/** What belongs to the package lies beside `dist`. */
const SAMPLE = fileURLToPath(new URL('../../../../workloads/samples/lanczos-3-sizes.htrace.gz', import.meta.url));
/** Of a trace that is read while it is executed, however long it is. */
const STREAMED_MB = 400;
const ALLOCATORS = ['glibc', 'jemalloc', 'zendmm@8.2+glibc'];

export interface WholeOptions {
  readonly folder: string;
  readonly rounds: number;
  /** Of the numbers of events that the goals are for. */
  readonly share: number;
  readonly signal: AbortSignal;
  readonly onStep: (about: string) => void;
  readonly onRow: (row: CommandRow) => void;
}

const millionsOf = (millions: number, share: number): string => `${+(millions * share).toPrecision(2)} M events`;

/** What people wait for: commands from start to end, on Node alone. */
export async function measureWhole(options: WholeOptions): Promise<void> {
  const { folder, rounds, share, signal, onStep, onRow } = options;
  const many = (millions: number) => millionsOf(millions, share);
  const secondsOf = async (args: readonly string[]) => (await runCommand(args, signal)).seconds;
  const seconds = async (name: string, goal: number, args: readonly string[]) => {
    onStep(name);
    const found = await times(rounds, () => secondsOf(args));
    onRow({ group: 'whole commands', name, found, unit: 's', goal, below: true });
  };
  const pathOf = async (millions: number, ending: string): Promise<string> => {
    const path = join(folder, `mixed-${millions}.${ending}`);
    await writeTrace(path, benchTrace('mixed', millions * 1e6 * share, false));
    return path;
  };

  await seconds('sim --help', 0.2, ['--help']);
  await seconds('sim run of the sample', 0.6, ['run', SAMPLE]);
  const one = await pathOf(1, 'htb');
  await seconds(`sim run, ${many(1)} of .htb`, 0.5, ['run', one, '--mode', 'lockstep']);
  await seconds('sim run lanczos-32t in virtual time', 0.8, ['run', 'lanczos-32t', '--mode', 'virtual']);
  const two = await pathOf(2, 'htb');
  await seconds(`sim explain, ${many(2)}`, 5, ['explain', two]);
  await seconds(`sim explain, ${many(2)} of many threads`, 5, ['explain', `stress:profile=mix,events=${2e6 * share}`]);

  onStep('sim compare');
  const single: number[] = [];
  for (const allocator of ALLOCATORS) {
    single.push(median(await times(rounds, () => secondsOf(['run', two, '-a', allocator, '--mode', 'lockstep']))));
  }
  const compare = ['compare', two, '--allocators', ALLOCATORS.join(','), '--mode', 'lockstep'];
  onRow({
    group: 'whole commands',
    name: 'sim compare of three allocators : sim run of the slowest',
    found: await times(rounds, async () => (await secondsOf(compare)) / Math.max(...single)),
    unit: 'times',
    goal: 1.3,
    below: true,
  });
  await measureLoads(options, pathOf);
}

/** One after the other. */
async function times<T>(rounds: number, work: () => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  for (let round = 0; round < rounds; round++) results.push(await work());
  return results;
}

async function measureLoads(
  options: WholeOptions,
  pathOf: (millions: number, ending: string) => Promise<string>,
): Promise<void> {
  const { rounds, share, signal, onStep, onRow } = options;
  const runs = (args: readonly string[]) => times(rounds, () => runWithEngine([...args, '--mode', 'lockstep'], signal));
  onStep('20 M events of text');
  const path = await pathOf(20, 'htrace');
  const { size } = statSync(path);
  const text = await runs(['run', path]);
  onRow({
    group: 'whole commands',
    name: `sim run, ${millionsOf(20, share)} of text`,
    found: text.map((run) => run.seconds),
    unit: 's',
    goal: share === 1 ? 1 : undefined,
    below: true,
  });
  onRow({
    group: 'loading',
    name: 'text',
    found: text.map(({ engine }) => (size / engine.loadNs) * 1e3),
    unit: 'MB/s',
    goal: 500,
    below: false,
  });
  onStep('20 M events of .htb');
  const binary = await runs(['run', await pathOf(20, 'htb')]);
  onRow({
    group: 'loading',
    name: '.htb',
    found: binary.map(({ engine }) => engine.loadNs / engine.events),
    unit: 'ns/event',
    goal: 3,
    below: true,
  });
  for (const [form, run] of [
    ['text', text],
    ['.htb', binary],
  ] as const) {
    onRow({
      group: 'memory and workers',
      name: `resident memory of the host, ${millionsOf(20, share)} of ${form}`,
      found: run.map(({ engine }) => engine.hostRssBytes / 1e6),
      unit: 'MB',
      goal: STREAMED_MB,
      below: true,
    });
  }
  if (availableParallelism() < 2) return;
  for (const swept of SWEEPS) onRow(await measureWorkers(options, pathOf, swept));
}

/** Short runs, which are over before two isolates are warm, more of them, and long ones. */
const SWEEPS = [
  { runs: 6, millions: 5 },
  { runs: 24, millions: 5 },
  { runs: 6, millions: 50 },
] as const;

/** A sweep over one trace, on one worker and on two. */
async function measureWorkers(
  { rounds, share, signal, onStep }: WholeOptions,
  pathOf: (millions: number, ending: string) => Promise<string>,
  { runs, millions }: (typeof SWEEPS)[number],
): Promise<CommandRow> {
  const about = `sim sweep of ${runs} runs of ${millionsOf(millions, share)}`;
  onStep(about);
  const path = await pathOf(millions, 'htb');
  const grid = `arena_max=${Array.from({ length: runs }, (_, i) => i + 1).join(',')}`;
  const sweep = ['sweep', path, '--allocators', 'glibc', '--grid', grid, '--mode', 'lockstep', '--json'];
  const on = async (workers: number) => (await runCommand([...sweep, '--workers', `${workers}`], signal)).seconds;
  const pairs = await times(rounds, async () => [await on(1), await on(2)] as const);
  const secondsOn = (at: 0 | 1) => pairs.map((pair) => pair[at].toFixed(1)).join(' ');
  return {
    group: 'memory and workers',
    name: `${about}, one worker : two`,
    found: pairs.map(([one, two]) => one / two),
    unit: 'times',
    goal: 1.95,
    below: false,
    about: `${secondsOn(0)} : ${secondsOn(1)} s`,
  };
}
