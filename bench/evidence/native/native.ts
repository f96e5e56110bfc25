import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { Interrupted, UserError } from '../../../sim/contract/assert.ts';
import type { Touch } from '../../../sim/contract/event.ts';
import { type Placements, parsePlacements } from '../../../sim/replay/compare-placements.ts';
import { inTemporaryFolder } from '../../../workloads/files/temporary-folder.ts';

/** A program whose sources are the folder of its name beside this module. */
export interface NativeProgram {
  /** As in messages: 'the native replay'. */
  readonly title: string;
  readonly name: string;
  readonly flags: readonly string[];
}

const REPLAY_FLAGS = [
  '-O2',
  '-g',
  '-std=gnu11',
  '-Wall',
  '-Wextra',
  ...['malloc', 'calloc', 'realloc', 'free'].map((name) => `-fno-builtin-${name}`),
  // A preloaded allocator must find this executable's clock_gettime and malloc; nothing is bound while events run.
  '-rdynamic',
  '-Wl,-z,now',
  // The last page before the heap: see HEAP_START in replay/isolate.c.
  '-Wl,--section-start=.before_heap=0x15800',
];

const REPLAY: NativeProgram = { title: 'the native replay', name: 'replay', flags: REPLAY_FLAGS };

/** Beside this module in the sources; in a built package beside `dist`. */
function sourceFolder(): string {
  const beside = fileURLToPath(new URL('.//', import.meta.url));
  return existsSync(join(beside, REPLAY.name))
    ? beside
    : fileURLToPath(new URL('../../../../bench/evidence/native/', import.meta.url));
}

/** Why a native program can not be had on this machine, or undefined. */
export function nativeObstacle(title = 'the native replay'): string | undefined {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    return `${title} needs Linux on x86-64, found ${process.platform} on ${process.arch}`;
  }
  if (spawnSync('cc', ['--version']).status !== 0) {
    return `${title} needs a C compiler, found no 'cc' (on Debian: apt-get install gcc libc6-dev)`;
  }
  return undefined;
}

const compiled = new Map<string, string>();

/**
 * Path of the program: compiled when it is first needed, then kept in the user's cache under a name that depends on the
 * sources and the flags.
 */
export function compileNative({ title, name, flags }: NativeProgram): string {
  const known = compiled.get(name);
  if (known) return known;
  const obstacle = nativeObstacle(title);
  if (obstacle) throw new UserError(obstacle);
  const folder = join(sourceFolder(), name);
  const files = readdirSync(folder)
    .filter((file) => /\.[ch]$/.test(file))
    .sort();
  const hash = createHash('sha256').update(flags.join(' '));
  for (const file of files) hash.update(readFileSync(join(folder, file)));
  const cache = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'allocsim');
  const path = join(cache, `${name}-${hash.digest('hex').slice(0, 16)}`);
  if (!existsSync(path)) {
    mkdirSync(cache, { recursive: true });
    const unfinished = `${path}.${process.pid}`;
    const sources = files.filter((file) => file.endsWith('.c'));
    const result = spawnSync('cc', [...flags, '-o', unfinished, ...sources], { cwd: folder, encoding: 'utf8' });
    if (result.status !== 0) throw new UserError(`cc can not compile ${title}: ${firstLine(result.stderr)}`);
    renameSync(unfinished, path); // whole or not at all, also beside another process that does the same
  }
  compiled.set(name, path);
  return path;
}

/** Path of the native replay. */
export const compileNativeReplay = (): string => compileNative(REPLAY);

const firstLine = (text: string) => text.trim().split('\n')[0] ?? '';

/** A real allocator of this machine. */
export interface RealAllocator {
  readonly library: string;
  /** As the library itself says: '2.36', '5.3.0'. */
  readonly version: string;
  readonly preload: string | undefined;
  /** Processors of this machine as this allocator counts them: glibc those that are online, jemalloc those it may use. */
  readonly cpus: number;
  /** Whether the kernel has one for what is read before it was ever written; such a page is no resident one. */
  readonly zeroPage: boolean;
}

/** glibc, or the library that ld.so finds under the name `preload`. */
export function findRealAllocator(preload?: string): RealAllocator | undefined {
  const result = spawnSync(compileNativeReplay(), ['--identify'], {
    encoding: 'utf8',
    env: environmentFor(preload, {}),
  });
  const [library = '', version = '', online, usable, zeroPage] = (result.stdout ?? '').trim().split(' ');
  // ld.so goes on without a library that it does not find.
  if (result.status !== 0 || (preload && library !== preload)) return undefined;
  return {
    library,
    version: version.replace(/-.*/, ''),
    preload,
    cpus: Number(preload ? usable : online),
    zeroPage: zeroPage === 'zero-page',
  };
}

/** This process's environment without what steers an allocator, and with what is meant to. */
export function environmentFor(
  preload: string | undefined,
  settings: Readonly<Record<string, string>>,
): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !/^(MALLOC_|GLIBC_TUNABLES$|LD_PRELOAD$)/.test(name));
  return { ...Object.fromEntries(kept), ...settings, ...(preload && { LD_PRELOAD: preload }) };
}

/** The text of a trace, each time it is asked for. */
export type TraceText = () => Readable;

export interface NativeReplayOptions {
  readonly allocator: RealAllocator;
  /** For the allocator: MALLOC_CONF, GLIBC_TUNABLES, … */
  readonly environment?: Readonly<Record<string, string>>;
  readonly touch?: Touch;
  readonly mode?: 'lockstep' | 'free';
  /** malloc_info, jemalloc's statistics by arena and bin, thread pointers in each sample; samples before and after all. */
  readonly info?: boolean;
  /** Ends the replay; Interrupted is thrown then. */
  readonly signal?: AbortSignal;
}

/** One line of the native replay's samples; numbers under the allocator's own names. */
export interface NativeSample {
  readonly label: string;
  readonly event: number;
  readonly ns: number;
  readonly minflt: number;
  readonly rss_kb: number;
  readonly size_kb: number;
  readonly glibc?: Readonly<Record<string, number | string>>;
  readonly jemalloc?: Readonly<Record<string, unknown>>;
  /** Under `info`: thread number and thread pointer, in hexadecimal, of every thread so far. */
  readonly tp?: readonly (readonly [thread: number, pointer: string])[];
}

export interface NativeTruth {
  readonly placements: Placements;
  readonly samples: readonly NativeSample[];
  /** What the native replay had to say of this machine: that it can not switch address randomisation off, … */
  readonly remarks: readonly string[];
}

/** Replays the trace on the real allocator. */
export async function replayNatively(trace: TraceText, options: NativeReplayOptions): Promise<NativeTruth> {
  return inTemporaryFolder(async (folder) => {
    const placements = join(folder, 'placements');
    const samples = join(folder, 'samples');
    const remarks = await feed(trace, options, ['--placements', placements, '--samples', samples]);
    return {
      remarks: remarks.split('\n').filter((line) => line !== ''),
      placements: parsePlacements(readFileSync(placements)),
      samples: readFileSync(samples, 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as NativeSample),
    };
  });
}

export function straceObstacle(): string | undefined {
  return spawnSync('strace', ['-V']).status === 0 ? undefined : 'strace is not installed';
}

/**
 * The text that strace writes of the replay's memory system calls; `marks` puts one before each event, which takes 50
 * times as long. What is written into blocks changes no call, so nothing is.
 */
export async function straceNatively(trace: TraceText, options: NativeReplayOptions, marks: boolean): Promise<string> {
  return inTemporaryFolder(async (folder) => {
    const log = join(folder, 'strace');
    const { preload } = options.allocator;
    const command = [
      'strace',
      ...['-f', '--seccomp-bpf', '-q', '-o', log, '-e', 'signal=none'],
      ...['-e', 'trace=brk,mmap,munmap,mremap,madvise,mprotect,write,clone,clone3'],
      ...(preload ? ['-E', `LD_PRELOAD=${preload}`] : []),
    ];
    const allocator = { ...options.allocator, preload: undefined };
    await feed(trace, { ...options, allocator, touch: 'none' }, marks ? ['--marks'] : [], command);
    return readFileSync(log, 'utf8');
  });
}

/** Exit status 3: the trace had events that make no sense, which the validator words better. */
const EXIT_WARNINGS = 3;

/** Pipes the trace into the native replay and waits for its end; returns what it said on standard error. */
async function feed(
  trace: TraceText,
  options: NativeReplayOptions,
  args: string[],
  before: string[] = [],
): Promise<string> {
  const own = [
    compileNativeReplay(),
    ...args,
    ...(options.mode ? ['--mode', options.mode] : []),
    ...(options.info ? ['--info'] : []),
    ...(options.touch ? ['--touch', options.touch] : []),
    '-',
  ];
  const [command, ...rest] = [...before, ...own];
  const { preload } = options.allocator;
  const child = spawn(command!, rest, {
    stdio: ['pipe', 'ignore', 'pipe'],
    env: environmentFor(preload, options.environment ?? {}),
  });
  const kill = () => child.kill('SIGKILL');
  options.signal?.addEventListener('abort', kill);
  process.on('exit', kill);
  let message = '';
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    message += text;
  });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  // A replay that gives up early closes its end of the pipe; its own message says more than EPIPE.
  const [status] = await Promise.all([ended, pipeline(trace(), child.stdin!).catch(() => {})]);
  options.signal?.removeEventListener('abort', kill);
  process.off('exit', kill);
  if (options.signal?.aborted) throw new Interrupted('interrupted');
  if (status !== 0 && status !== EXIT_WARNINGS) {
    throw new UserError(`the native replay failed: ${firstLine(message) || `status ${status}`}`);
  }
  return message;
}
