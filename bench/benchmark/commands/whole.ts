import { closeSync, fsyncSync, openSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { breathing } from '../../../workloads/breathing.ts';
import { writeTrace } from '../../../workloads/trace/output.ts';
import { drawBenchTrace } from '../traces.ts';
import { measureCompare } from './compare.ts';
import { runCommand, runWithEngine } from './fresh-process.ts';
import { millionsOf, type PathOfTrace, times, type WholeOptions } from './whole-options.ts';
import { measureWorkers } from './workers.ts';

/** What belongs to the package lies beside `dist`. */
const SAMPLE = fileURLToPath(new URL('../../../../workloads/samples/lanczos-3-sizes.htrace.gz', import.meta.url));
/** Of a trace that is read while it is executed, however long it is. */
const STREAMED_MB = 400;

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
  const pathOf: PathOfTrace = async (millions, ending) => {
    const path = join(folder, `mixed-${millions}.${ending}`);
    const events = await breathing(drawBenchTrace('mixed', millions * 1e6 * share, false), signal);
    await writeTrace(path, events, signal);
    writtenThrough(path);
    return path;
  };

  await seconds('sim --help', 0.2, ['--help']);
  await seconds('sim run of the sample', 0.6, ['run', SAMPLE]);
  const one = await pathOf(1, 'htb');
  await seconds(`sim run, ${many(1)} of .htb`, 0.5, ['run', one, '--mode', 'lockstep']);
  await seconds('sim run lanczos-32t in virtual time', 0.8, ['run', 'lanczos-32t', '--mode', 'virtual']);
  const two = await pathOf(2, 'htb');
  await seconds(`sim explain, ${many(2)}`, 5, ['explain', two]);
  const threads = join(folder, 'threads.htb');
  await runCommand(['trace', 'convert', `stress:profile=mix,events=${2e6 * share}`, threads], signal);
  await seconds(`sim explain, ${many(2)} of four threads`, 5, ['explain', threads]);

  await measureCompare(options, two);
  await measureLoads(options, pathOf);
  if (availableParallelism() > 1) await measureWorkers(options, pathOf);
}

/** What the system has yet to write would take from whoever reads next. */
function writtenThrough(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

async function measureLoads(options: WholeOptions, pathOf: PathOfTrace): Promise<void> {
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
}
