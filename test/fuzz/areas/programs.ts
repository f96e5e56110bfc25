import fc from 'fast-check';
import { parseAllocator } from '../../../allocators/spec.ts';
import { runInMode } from '../../../bench/run/run-in-mode.ts';
import type { RunOptions } from '../../../bench/run/run-options.ts';
import { readProgramOrder } from '../../../sim/replay/program-order-reader.ts';
import { createTraceParser } from '../../../workloads/trace/text/parser.ts';
import { defineArea } from '../area.ts';
import { orRefused } from '../refusal.ts';

const OBJECTS = 24;
const BORDERS = [
  0,
  1,
  24,
  25,
  128,
  1008,
  1032,
  3072,
  3073,
  4096,
  14336,
  65536,
  131072,
  2 ** 21 - 4096,
  2 ** 21,
  2 ** 22,
];
/** Beyond what a word of 32 bits counts, and what no process has. */
const HUGE = [2 ** 32 - 1, 2 ** 32, 2 ** 33 + 5, 2 ** 47, 2 ** 53 - 1];
const of = <T>(weight: number, arbitrary: fc.Arbitrary<T>) => ({ weight, arbitrary });
const size = fc.oneof(
  of(
    4,
    fc.constantFrom(...BORDERS).chain((b) => fc.integer({ min: Math.max(0, b - 17), max: b + 17 })),
  ),
  of(4, fc.nat(400)),
  of(4, fc.nat(20000)),
  of(4, fc.nat(5_000_000)),
  of(1, fc.constantFrom(...HUGE)),
);
const OPTIONS = ['M_MXFAST 0', 'M_MXFAST 160', 'M_TRIM_THRESHOLD 0', 'M_TOP_PAD 300000', 'M_MMAP_THRESHOLD 1', 'M_MMAP_MAX 0', 'M_PERTURB 85', 'M_ARENA_MAX 1']; // biome-ignore format: a list
const OPS = ['m', 'm', 'm', 'm', 'em', 'em', 'em', 'c', 'ec', 'a', 'r', 'r', 'er', 'er', 'f', 'f', 'f', 'f', 'ef', 'ef', 'ef', 'w', 'eb', 'ee', 'te', 'tb', '+', '=', 'trim', 'opt', 'limit', 'fork', 'exit', 'gc', 'es', 'ctl']; // biome-ignore format: a list
const LIMITS = [-1, 0, 1, 512, 1024, 100_000, 2 ** 31 - 1, -(2 ** 31)];
const CTLS = ['arena.0.purge', 'arena.4096.purge', 'arena.4096.decay', 'arena.77.purge', 'thread.tcache.flush', 'arena.0.dirty_decay_ms 0', 'arena.1.muzzy_decay_ms -1', 'arenas.dirty_decay_ms 1', 'arenas.muzzy_decay_ms 1099511627776', 'background_thread 1', 'background_thread 0', 'max_background_threads 1']; // biome-ignore format: a list

const draw = fc.record({
  op: fc.constantFrom(...OPS),
  thread: fc.constantFrom(0, 0, 0, 1, 2, 3),
  object: fc.nat(OBJECTS - 1),
  size,
  other: fc.nat(63),
  isWritten: fc.boolean(),
  hasFailed: fc.constantFrom(...Array<boolean>(15).fill(false), true),
});
type Draw = typeof draw extends fc.Arbitrary<infer T> ? T : never;

/** A line for the draw. What breaks a rule is left out on loading (lenient): every order that the rules allow can come. */
function lineOf({ op, thread: t, object: o, size: n, other, isWritten, hasFailed }: Draw): string {
  const marks = `${isWritten ? '' : ' ~'}${hasFailed ? ' !' : ''}`;
  switch (op) {
    case 'm':
    case 'em':
    case 'r':
    case 'er':
      return `${op} ${t} ${o} ${n}${marks}`;
    case 'c':
    case 'ec':
      return `${op} ${t} ${o} ${1 + (other % 4)} ${Math.floor(n / 4)}${marks}`;
    case 'a':
      return `a ${t} ${o} ${2 ** (other % 22)} ${n}${marks}`;
    case 'w':
      return `w ${t} ${o} ${other * 97} ${n}`;
    case '+':
      return `+ ${Math.min(n * 1000, 2 ** 46)}`;
    case '=':
      return other === 0 ? '= ' : `= s${other}`;
    case 'trim':
      return `trim ${t} ${n}`;
    case 'opt':
      return `opt ${t} ${OPTIONS[other % OPTIONS.length]}`;
    case 'limit':
      return `opt ${t} memory_limit ${LIMITS[other % LIMITS.length]}`;
    case 'ctl':
      return `ctl ${t} ${CTLS[other % CTLS.length]}`;
    case 'f':
    case 'ef':
      return `${op} ${t} ${o}`;
    default:
      return `${op} ${t}`;
  }
}

const GLIBC = ['glibc', 'glibc:arena_max=1', 'glibc:tcache_count=0', 'glibc:mmap_threshold=4096,trim_threshold=0', 'glibc:hugetlb=1', 'glibc:check=3', 'glibc:perturb=1']; // biome-ignore format: a list
const JEMALLOC = ['jemalloc', 'jemalloc:tcache=false', 'jemalloc:narenas=2,retain=false', 'jemalloc:dirty_decay_ms=0,muzzy_decay_ms=0', 'jemalloc:background_thread=true', 'jemalloc:dss=primary', 'jemalloc:junk=true']; // biome-ignore format: a list
const ZEND = ['@8.2', '@7.1', '@5.6', '@8.2:all=true', '@7.1:all=true', '@5.6:all=true', '@8.2:debug=true', '@7.1:debug=true,all=true', '@8.2:memory_limit=8M', '@7.1:memory_limit=4M,all=true', '@8.2:USE_ZEND_ALLOC=false', '@8.2:USE_ZEND_ALLOC_HUGE_PAGES=true', '@5.6:mem_type=mmap_anon', '@5.6:debug=true', '@5.6:memory_limit=2M']; // biome-ignore format: a list

const allocator = fc.oneof(
  fc.constantFrom(...GLIBC),
  fc.constantFrom(...JEMALLOC),
  fc
    .tuple(fc.constantFrom(...ZEND), fc.constantFrom('', '+glibc', '+jemalloc'))
    .map(([own, below]) => `zendmm${own}${below}`),
);

const program = fc.record({
  draws: fc.array(draw, { maxLength: 160, size: 'max' }),
  touch: fc.constantFrom('none', 'first', 'full'),
  allocator,
  // A run with real threads costs ten times as much.
  mode: fc.oneof(
    { weight: 15, arbitrary: fc.constant('lockstep' as const) },
    { weight: 15, arbitrary: fc.constant('virtual' as const) },
    { weight: 1, arbitrary: fc.constant('threads' as const) },
  ),
  pace: fc.constantFrom('asap' as const, 'recorded' as const, 'replay' as const),
  cpus: fc.constantFrom(1, 2, 3, 64),
  stale: fc.boolean(),
  thp: fc.constantFrom('never' as const, 'madvise' as const, 'always' as const),
  version: fc.constantFrom('6.1' as const, '6.18' as const),
  limit: fc.constantFrom(Infinity, Infinity, Infinity, 2 ** 24),
  /** A walk after every event is most of what a program costs. */
  walks: fc.constantFrom('events' as const, 'samples' as const, 'samples' as const, 'samples' as const),
});
type Program = typeof program extends fc.Arbitrary<infer T> ? T : never;
type Settings = Omit<Program, 'draws' | 'limit'> & { readonly limit: number | null };

function textOf({ draws, touch }: Program): string {
  return `%htrace 2\n%touch ${touch}\n${draws.map((d) => `${lineOf(d)}\n`).join('')}`;
}

function optionsOf(input: Settings, text: string): RunOptions {
  const stale = input.stale && input.mode === 'lockstep';
  const parser = createTraceParser({ source: 'program', onViolation: () => {}, ...(stale && { staleFrees: true }) });
  parser.push(Buffer.from(text));
  return {
    events: parser.finish(),
    workload: 'program',
    spec: parseAllocator(input.allocator, input.cpus),
    cpus: input.cpus,
    mode: input.mode,
    pace: input.pace,
    sampleEvery: 5,
    check: input.mode === 'lockstep' ? input.walks : 'samples',
    kernel: { version: input.version, thp: input.thp, rlimitAs: input.limit ?? Infinity, rlimitData: Infinity },
  };
}

/** A file of the corpus: the settings behind `# ` in its first line, where no limit is null, then the text. */
function fromFile(bytes: Uint8Array): RunOptions {
  const [first, ...lines] = Buffer.from(bytes).toString().split('\n');
  return optionsOf(JSON.parse(first!.slice(2)) as Settings, lines.join('\n'));
}

/** As many real threads as the run starts: each life of a number is one. */
function threadsOf({ events }: RunOptions): number {
  const program = readProgramOrder(events);
  program.readAll();
  return program.order.threads;
}

const THREAD_PROGRAM = '%htrace 2\nm 0 0 1\n';
const threadCosts = new Map<string, number>();

/** Processor time of a run under the model in which one real thread makes one block, measured once: loading Node and the model for it is nearly all. */
async function threadMs(settings: Program): Promise<number> {
  const known = threadCosts.get(settings.allocator);
  if (known !== undefined) return known;
  const before = process.cpuUsage();
  await orRefused(() => runInMode(optionsOf(settings, THREAD_PROGRAM)));
  const { user, system } = process.cpuUsage(before);
  threadCosts.set(settings.allocator, (user + system) / 1000);
  return threadCosts.get(settings.allocator)!;
}

export const programs = defineArea<Program | Uint8Array>({
  name: 'programs',
  inputs: program,
  isRepeatable: (input) => input instanceof Uint8Array || input.mode !== 'threads',
  async allowanceMs(input) {
    if (input instanceof Uint8Array || input.mode !== 'threads') return 0;
    return threadsOf(optionsOf(input, textOf(input))) * (await threadMs(input));
  },
  async check(input) {
    await orRefused(() => runInMode(input instanceof Uint8Array ? fromFile(input) : optionsOf(input, textOf(input))));
  },
  bytesOf: (input) => {
    if (input instanceof Uint8Array) return input;
    const { draws: _, ...options } = input;
    return Buffer.from(`# ${JSON.stringify(options)}\n${textOf(input)}`);
  },
});
