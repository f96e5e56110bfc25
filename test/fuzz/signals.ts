import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createRandom } from '../../sim/contract/random.ts';
import { interrupt } from '../helpers/interrupt.ts';
import { COMMANDS, OLD, prepare, type WritingCommand } from './host/written.ts';

/**
 * npm run signals [-- --moments N --seed S --only WORD]
 *
 * Ctrl-C, SIGTERM, SIGHUP and SIGPIPE in turns, at N moments of every command that are drawn, in processor time. It ends with 130 (by SIGHUP,
 * which ends it; not at all by SIGPIPE) within a second of processor time; what it tells is marked as partial, what stands under a name is whole, marked, or what was there before, and nothing else is
 * left. Exit 1 where that does not hold.
 */
const { values } = parseArgs({
  options: {
    moments: { type: 'string', default: '6' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string', default: '' },
  },
});
const random = createRandom(Number(values.seed), 'signals');
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGPIPE'] as const;
const ANSWER_MS = 1000;
const NEVER_MS = 1e9;
/** Of commands that take minutes: their signals come in this time, and nobody waits for their end. */
const BEGINNING_MS = 6000;

interface Interruptible extends WritingCommand {
  readonly isLong?: boolean;
}

const quiet = (...args: string[]): Interruptible => ({ args, writes: [] });
const long = (...args: string[]): Interruptible => ({ args, writes: [], isLong: true });
const READING: readonly Interruptible[] = [
  quiet('run', 'rows:threads=4,rounds=20000', '--mode=threads'),
  quiet('run', 'rows:rounds=300', '--threads=1,2,4,8'),
  quiet('run', 'php-pool', '--allocator=jemalloc'),
  quiet('inspect', 'malloc_info', 'stress:events=900000'),
  quiet('explain', 'lanczos-32t'),
  quiet('compare', 'rows:threads=2,rounds=300', '--allocators=glibc,jemalloc', '--seeds=20'),
  long('plan', 'prefork-python'),
  quiet('plan', 'php-pool'),
  long('machine', 'fpm-lanczos-72h'),
  quiet('machine', 'redis-snapshot', '--report=m.html'),
  quiet('machine', 'cache-evicts', '--view=free'),
  quiet('gate', '--suite=suite.json'),
  quiet('trace', 'info', 'stress:events=900000'),
  quiet('trace', 'check', 'stress:events=900000'),
  long('bench'),
  long('calibrate', '--rounds=1'),
];

let faults = 0;
function fault(args: readonly string[], what: string): void {
  faults++;
  process.stdout.write(`sim ${args.join(' ')}\n  ${what}\n`);
}

/** Without the figures, some of which are of this machine. */
const shape = (text: string) => text.replace(/[\d.,]+|\s+/g, '');

/** What is wrong with what is under a name; `whole` is there where nothing interrupts. */
function wrongUnder(path: string, whole: string): string | undefined {
  if (!existsSync(path)) return `${path} is gone`;
  const text = readFileSync(path, 'utf8');
  if (text === OLD || !path.endsWith('.json') || shape(text) === shape(whole)) return undefined;
  try {
    const { partial } = JSON.parse(text) as { readonly partial?: boolean };
    return partial === false ? `${path} is not marked` : undefined;
  } catch (error) {
    return `${path}: ${(error as Error).message}`;
  }
}

/** What the command takes and tells where nothing interrupts it; undefined where it does not come to its end. */
async function wholeRun(base: string, { args, writes, isLong }: Interruptible) {
  if (isLong) return { tookMs: BEGINNING_MS, ended: undefined, stdout: '', wholes: new Map<string, string>() };
  const cwd = join(base, 'whole');
  prepare(cwd, []);
  const { tookMs, code: ended, stdout } = await interrupt(args, { cwd, signal: 'SIGINT', afterMs: NEVER_MS });
  if (ended === null || ended > 1 || writes.some((name) => !existsSync(join(cwd, name)))) {
    process.stdout.write(`sim ${args.join(' ')}: left out, it ends with ${ended}\n`);
    return undefined;
  }
  const files = writes.filter((name) => !name.endsWith('/'));
  const wholes = new Map(files.map((name) => [name, readFileSync(join(cwd, name), 'utf8')]));
  rmSync(cwd, { recursive: true });
  return { tookMs, ended, stdout, wholes };
}

async function interrupted(base: string, command: Interruptible, startMs: number): Promise<number> {
  const { args, writes } = command;
  const whole = await wholeRun(base, command);
  if (!whole) return 0;
  const { tookMs, ended, stdout, wholes } = whole;
  let longestMs = 0;
  for (let i = 0; i < Number(values.moments); i++) {
    const signal = SIGNALS[i % SIGNALS.length]!;
    const afterMs = random.integer(0, Math.ceil(tookMs));
    const folder = join(base, `interrupted-${i}`);
    prepare(folder, writes);
    const end = await interrupt(args, { cwd: folder, signal, afterMs });
    const at = `${signal} after ${afterMs} ms`;
    const isOver = end.wasOver || end.code === ended || (signal === 'SIGPIPE' && end.code === 0);
    const isOfTheSystem = end.code === null && end.signal === signal && afterMs < startMs;
    const isEnded = signal === 'SIGHUP' ? end.signal === 'SIGHUP' : signal !== 'SIGPIPE' && end.code === 130;
    if (!isEnded && !isOver && !isOfTheSystem) {
      fault(args, `${at}: exit ${end.code ?? end.signal}: ${end.stderr.slice(0, 500)}`);
    }
    if (/internal error|\n {4}at /.test(end.stderr)) fault(args, `${at}: ${end.stderr.slice(0, 500)}`);
    if (signal !== 'SIGPIPE') longestMs = Math.max(longestMs, end.processorMs);
    if (end.processorMs > ANSWER_MS && signal !== 'SIGPIPE')
      fault(args, `${at}: ends ${end.processorMs} ms of processor time later`);
    const isMarked = /partial|interrupted/.test(end.stdout + end.stderr);
    if (end.code === 130 && !isMarked && !['', shape(stdout)].includes(shape(end.stdout))) {
      fault(args, `${at}: tells without a mark: ${end.stdout.slice(0, 200)}`);
    }
    for (const name of wholes.keys()) {
      const wrong = wrongUnder(join(folder, name), wholes.get(name)!);
      if (wrong) fault(args, `${at}: ${wrong}`);
    }
    const left = [...end.left, ...readdirSync(folder).filter((name) => name.startsWith('.allocsim'))];
    if (left.length > 0) fault(args, `${at}: leaves ${left.join(' ')}`);
    rmSync(folder, { recursive: true });
  }
  process.stdout.write(`sim ${args.join(' ')}: ${Math.round(tookMs)} ms, answers within ${longestMs} ms\n`);
  return Number(values.moments);
}

const base = mkdtempSync(join(tmpdir(), 'allocsim-signals-'));
/** A recorder ends the program at a signal, keeps its trace, and has its status. */
const isRecorder = ({ args }: Interruptible): boolean => args.includes('record');
const commands = [...COMMANDS.filter((one) => !one.isLong && !isRecorder(one)), ...READING].filter(({ args }) =>
  args.join(' ').includes(values.only),
);
let sent = 0;
try {
  // Before any JavaScript of its own runs the system itself ends the process: on this machine, so long at most.
  const { tookMs: startMs } = await interrupt(['--help'], { cwd: base, signal: 'SIGINT', afterMs: NEVER_MS });
  for (const command of commands) sent += await interrupted(base, command, startMs);
} finally {
  rmSync(base, { recursive: true, force: true });
}
process.stdout.write(`${commands.length} commands, ${sent} signals: ${faults} faults\n`);
if (faults > 0) process.exitCode = 1;
