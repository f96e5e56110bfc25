import { runCommand } from './fresh-process.ts';
import type { CommandRow } from './rows.ts';
import { millionsOf, type PathOfTrace, times, type WholeOptions } from './whole-options.ts';

/** Short runs, which are over before two isolates are warm, more of them, and long ones. */
const SWEEPS = [
  { millions: 5, runs: [6, 24] },
  { millions: 50, runs: [6] },
] as const;

/** What a second worker brings, beside what a second process brings on this machine. */
export async function measureWorkers(options: WholeOptions, pathOf: PathOfTrace): Promise<void> {
  for (const { millions, runs } of SWEEPS) {
    const trace = { path: await pathOf(millions, 'htb'), events: millionsOf(millions, options.share) };
    options.onRow(await measureTwoAtOnce(options, trace));
    for (const count of runs) options.onRow(await measureSweep(options, trace, count));
  }
}

interface Trace {
  readonly path: string;
  readonly events: string;
}

/** The machine's own ratio: two processes share nothing but its caches, its clock and its other tenants. */
export async function measureTwoAtOnce(
  { rounds, signal, onStep }: Omit<WholeOptions, 'folder' | 'onRow' | 'share'>,
  { path, events }: Trace,
): Promise<CommandRow> {
  onStep(`sim run of ${events}, two at once`);
  const run = ['run', path, '-a', 'glibc', '--mode', 'lockstep'];
  const once = async () => (await runCommand(run, signal)).seconds;
  const twice = async () => Math.max(...(await Promise.all([once(), once()])));
  return ratioRow(
    `sim run of ${events}, two processes of it at once : one`,
    await times(rounds, async () => [await twice(), await once()] as const),
  );
}

/** A sweep over one trace, on one worker and on two. */
async function measureSweep(
  { rounds, signal, onStep }: WholeOptions,
  { path, events }: Trace,
  runs: number,
): Promise<CommandRow> {
  const name = `sim sweep of ${runs} runs of ${events}`;
  onStep(name);
  const grid = `arena_max=${Array.from({ length: runs }, (_, i) => i + 1).join(',')}`;
  const sweep = ['sweep', path, '--allocators', 'glibc', '--grid', grid, '--mode', 'lockstep', '--json'];
  const on = async (workers: number) => (await runCommand([...sweep, '--workers', `${workers}`], signal)).seconds;
  const pairs = await times(rounds, async () => [await on(1), await on(2)] as const);
  return { ...ratioRow(`${name}, one worker : two`, pairs), goal: 1.95 };
}

export function ratioRow(name: string, pairs: readonly (readonly [number, number])[]): CommandRow {
  const seconds = (at: 0 | 1) => pairs.map((pair) => pair[at].toFixed(2)).join(' ');
  return {
    group: 'memory and workers',
    name,
    found: pairs.map(([one, other]) => one / other),
    unit: 'times',
    goal: undefined,
    below: false,
    about: `${seconds(0)} : ${seconds(1)} s`,
  };
}
