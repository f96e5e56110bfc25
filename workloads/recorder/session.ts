import { spawn } from 'node:child_process';
import { chmodSync, copyFileSync, readdirSync, readFileSync, statfsSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Writable } from 'node:stream';
import { getSystemErrorMap } from 'node:util';
import { UserError } from '../../sim/contract/assert.ts';
import { isHangupIgnored } from '../files/hangup.ts';
import { buildRecorder } from './build.ts';
import { createBuiltConf } from './built-conf.ts';
import { type Ending, type Endings, listenForEndings } from './endings.ts';
import { openSessionFolders } from './session-folders.ts';

export interface SessionOptions {
  readonly command: readonly string[];
  /** Bytes of logs at which the recording ends; 0: no bound. */
  readonly diskBytes: number;
  /** Records at which the recording, and the program with it, ends; 0: no bound. */
  readonly stopEvents: number;
  /** Time after which they end; 0: none. */
  readonly stopNs: number;
  /** Between samples; 0: none. */
  readonly sampleNs: number;
  /** Note who called, for every allocation. */
  readonly withSites: boolean;
  /** See the heap of a PHP. */
  readonly withZend: boolean;
  /** Put a pattern on the pages of large blocks that are there already, to see which of them are written. */
  readonly withFill: boolean;
  /** Where the program's standard output goes. */
  readonly stdout: 'inherit' | 'stderr';
  /** Hears of what the user may want to know while the program runs. */
  readonly tell: (line: string) => void;
}

/** One program image: from its start or its fork to its exec or end. */
export interface RecordedImage {
  readonly pid: number;
  /** As the process itself has it: in a PID namespace another one. */
  readonly ownPid: number;
  /** Counts the images of one process number. */
  readonly number: number;
  readonly ppid: number;
  readonly isFork: boolean;
  /** Of a fork's child: the image that it copies, at which slot, and the thread that goes on. */
  readonly parent:
    | { readonly pid: number; readonly number: number; readonly slot: number; readonly thread: number }
    | undefined;
  /** The program brings a malloc of its own. */
  readonly hasOwnMalloc: boolean;
  readonly startTicks: number;
  /** The version of PHP's engine whose heap was seen; `!` and why it was not; '' for a program without one. */
  readonly zend: string;
  /** The library that serves malloc; '' where it is not known. */
  readonly allocator: string;
  /** As wait() has it; undefined where nobody could tell. */
  readonly status: number | undefined;
  /** Records of the log. */
  readonly records: number;
}

export interface Session {
  readonly programPid: number;
  /** As wait() has it; undefined where not even SIGKILL ended it. */
  readonly programStatus: number | undefined;
  readonly images: readonly RecordedImage[];
  /** What a library of jemalloc's was built with: `--with-malloc-conf`. */
  readonly builtConf: (library: string) => string;
  readonly logPath: (image: { readonly pid: number; readonly number: number }) => string;
  readonly nsPerTick: number;
  /** Why it ended before the programs did. */
  readonly cutBy: 'disk' | 'unwritable' | 'events' | 'time' | 'signal' | undefined;
  /** Processes of which only the number in their own namespace is known. */
  readonly nameless: readonly number[];
  /** Programs that could not be recorded, and why. */
  readonly unrecorded: readonly { readonly path: string; readonly why: string }[];
  readonly library: string;
  readonly hasSites: boolean;
  /** Whether the mapping is there only for the recorder. */
  readonly isRecorder: (mappingName: string) => boolean;
}

/** After a signal the programs have so long to end by themselves. */
const GRACE_MS = 5000;
/** When the programs have been killed the keeper writes down what it has; one that does not end hangs. */
const KEEPER_MS = 60000;
/** A Ctrl-C of the terminal reaches the program by itself; what comes by kill does not. */
const TERMINAL_MS = 300;

/** Runs a program and all that comes of it to the end, hands the logs to `use`, and leaves nothing behind. */
export async function recordSession<T>(options: SessionOptions, use: (session: Session) => Promise<T>): Promise<T> {
  const folders = openSessionFolders();
  const { remove } = folders;
  const abandon = (signal: Ending) => {
    remove();
    endings.release();
    if (signal === 'SIGHUP') process.kill(process.pid, signal);
    else process.exit(128 + constants.signals[signal]);
  };
  const endings = listenForEndings(abandon);
  process.on('exit', remove);
  try {
    const logs = folders.make(tmpdir(), 'record');
    const rings = folders.make(ringParent(), 'rings');
    const { library: built, keeper } = buildRecorder(logs);
    const library = process.getuid?.() === 0 ? openToOthers(built, rings, logs) : built;
    const kept = await keep(options, [keeper, library, rings, logs], endings);
    const unrecorded = readdirSync(rings)
      .filter((name) => name.startsWith('no.'))
      .map((name) => {
        const [why = '', path = ''] = readFileSync(join(rings, name), 'utf8').split('\n');
        return { path, why };
      })
      .filter(({ why }) => why !== '');
    const isRecorder = (name: string) => name.startsWith(rings) || name === library || name === '[recorder]';
    return await use({
      ...kept,
      unrecorded,
      library,
      hasSites: options.withSites,
      builtConf: createBuiltConf(keeper),
      isRecorder,
      logPath: ({ pid, number }) => join(logs, `${pid}.${number}`),
    });
  } finally {
    remove();
    endings.release();
    process.off('exit', remove);
  }
}

/** A program that root starts may go on as somebody else, who must be able to load the library, and to make a ring. */
function openToOthers(built: string, rings: string, logs: string): string {
  chmodSync(rings, 0o1733);
  chmodSync(logs, 0o711);
  const library = join(logs, 'record.so');
  if (built !== library) copyFileSync(built, library);
  chmodSync(library, 0o755);
  return library;
}

/** Memory, where there is some: the rings are small, and written all the time. */
function ringParent(): string {
  try {
    const { bavail, bsize } = statfsSync('/dev/shm');
    if (bavail * bsize > 256 * 2 ** 20) return '/dev/shm';
  } catch {
    // there is none
  }
  return tmpdir();
}

type Kept = Omit<Session, 'unrecorded' | 'builtConf' | 'library' | 'hasSites' | 'isRecorder' | 'logPath'>;

interface Draft {
  programPid: number;
  programStatus: number | undefined;
  cutBy: Session['cutBy'];
  error: number;
  /** Why the keeper gave up. */
  broken: string;
  readonly nameless: number[];
  /** Of this machine, where they are not of 4 KiB; else 0. */
  pageBytes: number;
  readonly images: Map<string, RecordedImage>;
  readonly clocks: { readonly ticks: number; readonly ns: number }[];
}

async function keep(
  options: SessionOptions,
  [keeper, library, rings, logs]: [string, string, string, string],
  endings: Endings,
): Promise<Kept> {
  const draft: Draft = {
    programPid: 0,
    programStatus: undefined,
    cutBy: undefined,
    error: 0,
    broken: '',
    nameless: [],
    pageBytes: 0,
    images: new Map(),
    clocks: [],
  };
  const numbers = [options.diskBytes, options.stopEvents, options.sampleNs].map(String);
  const clock = clockKind() === 'counter' ? 'c' : 'm';
  const flags = [
    clock,
    options.withSites ? 's' : '',
    options.withZend ? '' : 'n',
    options.withFill ? '' : 'f',
    isHangupIgnored() ? 'h' : '',
  ].join('');
  const child = spawn(keeper, [flags, rings, logs, ...numbers, library, ...options.command], {
    stdio: ['inherit', options.stdout === 'stderr' ? process.stderr : 'inherit', 'inherit', 'pipe', 'pipe'],
  });
  const control = child.stdio[3] as Writable;
  control.on('error', () => {}); // it has ended: nothing to say any more
  const say = (line: string) => control.write(`${line}\n`);
  const ended = new Promise<void>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', () => resolve());
  });
  const lines = createInterface({ input: child.stdio[4] as NodeJS.ReadableStream });
  const end = endingBy(say, () => child.kill('SIGKILL'));
  lines.on('line', (line) => {
    const word = line.slice(0, line.indexOf(' '));
    if (line === 'full') {
      draft.cutBy = 'disk';
      options.tell('the logs have reached --disk: the recording ends here, the program goes on');
    } else if (word === 'unwritable') {
      draft.cutBy = 'unwritable';
      const why = getSystemErrorMap().get(-Number(line.slice(word.length)))?.[1] ?? line;
      options.tell(`the logs can not be written: ${why}: the recording ends here, the program goes on`);
    } else if (line === 'enough') {
      draft.cutBy = 'events';
      end(constants.signals.SIGTERM);
    } else if (word === 'waiting' && draft.cutBy === undefined) {
      options.tell(`process ${line.slice(8)} lives on and is recorded; Ctrl-C ends it`);
    } else if (word === 'survivor') {
      options.tell(`process ${line.slice(9)} could not be ended: it lives on`);
    } else {
      note(draft, line);
    }
  });
  const release = handleSignals(draft, say, end, endings);
  const timer =
    options.stopNs > 0
      ? setTimeout(() => {
          draft.cutBy = 'time';
          say('stop');
          end(constants.signals.SIGTERM);
        }, options.stopNs / 1e6)
      : undefined;
  try {
    await ended;
  } finally {
    clearTimeout(timer);
    release();
    end(0);
  }
  if (draft.pageBytes !== 0) {
    throw new UserError(`recording needs pages of 4 KiB, found a kernel with pages of ${draft.pageBytes} bytes`);
  }
  if (draft.broken !== '') throw new UserError(`${options.command[0]}: the recording was broken off: ${draft.broken}`);
  if (draft.error !== 0) throw startError(options.command[0]!, draft.error);
  const [first, last] = [draft.clocks[0], draft.clocks.at(-1)];
  if (!first || !last || draft.clocks.length < 2)
    throw new UserError(`${options.command[0]}: the recording was broken off: its keeper was killed`);
  const nsPerTick = (last.ns - first.ns) / (last.ticks - first.ticks);
  const { programPid, programStatus, cutBy, nameless } = draft;
  return { programPid, programStatus, cutBy, nameless, nsPerTick, images: [...draft.images.values()] };
}

/** Tells the programs to end, and ends those that do not. Called with 0 it forgets about it. */
function endingBy(say: (line: string) => void, killKeeper: () => void): (signal: number) => void {
  let timer: NodeJS.Timeout | undefined;
  const kill = () => {
    say('kill');
    timer = setTimeout(killKeeper, KEEPER_MS);
  };
  return (signal) => {
    if (signal === 0) {
      clearTimeout(timer);
    } else {
      say(`signal ${signal}`);
      timer ??= setTimeout(kill, GRACE_MS);
    }
  };
}

/**
 * While the program runs SIGINT, SIGTERM, SIGHUP and SIGQUIT end it, and SIGUSR2 marks a sample. What is returned is to be called
 * when the program has ended: from then on a signal is for the recorder alone.
 */
function handleSignals(
  draft: Draft,
  say: (line: string) => void,
  end: (signal: number) => void,
  endings: Endings,
): () => void {
  let marks = 0;
  let waiting: NodeJS.Timeout | undefined;
  let isHungUp = false;
  const mark = () => say(`sample mark${++marks}`);
  const abandon = endings.act;
  endings.act = (signal) => {
    draft.cutBy ??= 'signal';
    isHungUp ||= signal === 'SIGHUP';
    const send = () => end(constants.signals[signal]);
    if (signal !== 'SIGINT' || !process.stdin.isTTY) send();
    else waiting ??= setTimeout(send, TERMINAL_MS);
  };
  process.on('SIGUSR2', mark);
  return () => {
    clearTimeout(waiting);
    process.off('SIGUSR2', mark);
    endings.act = (signal) => {
      // A terminal that goes says so twice: to those in front, and to the first of its session.
      if (signal !== 'SIGHUP' || !isHungUp) abandon(signal);
    };
  };
}

/** A line of the keeper: see native/keeper.c. */
function note(draft: Draft, line: string): void {
  const [word, ...fields] = line.split(' ');
  const n = fields.map(Number);
  const key = `${fields[0]}.${fields[1]}`;
  const image = draft.images.get(key);
  if (word === 'clock') draft.clocks.push({ ticks: n[0]!, ns: n[1]! });
  else if (word === 'page') draft.pageBytes = n[0]!;
  else if (word === 'memory') draft.broken = `its keeper found no memory for ${n[0]} bytes`;
  else if (word === 'folder') draft.broken = `found error ${n[0]} in its folder ${ringParent()}`;
  else if (word === 'nameless') draft.nameless.push(n[0]!);
  else if (word === 'error') draft.error = n[0]!;
  else if (word === 'started') draft.programPid = n[0]!;
  else if (word === 'exited') draft.programStatus = n[0]!;
  else if (word === 'image') draft.images.set(key, imageOf(fields));
  else if (word === 'allocator' && image) {
    draft.images.set(key, { ...image, hasOwnMalloc: (n[2]! & 1) !== 0, allocator: pathOf(fields.slice(3)) });
  } else if (word === 'zend' && image) {
    draft.images.set(key, { ...image, zend: fields.slice(2).join(' ') });
  } else if (word === 'ended' && image) {
    draft.images.set(key, { ...image, status: n[2]! < 0 ? undefined : n[2]!, records: n[3]! });
  }
}

function imageOf(fields: readonly string[]): RecordedImage {
  const [pid, number, ppid, kind, parentPid, parentNumber, parentSlot, thread, flags, startTicks, ownPid] = fields
    .slice(0, 11)
    .map(Number);
  const isFork = kind === 2;
  return {
    pid: pid!,
    number: number!,
    ppid: ppid!,
    isFork,
    parent: isFork ? { pid: parentPid!, number: parentNumber!, slot: parentSlot!, thread: thread! } : undefined,
    hasOwnMalloc: (flags! & 1) !== 0,
    startTicks: startTicks!,
    ownPid: ownPid!,
    zend: '',
    allocator: pathOf(fields.slice(11)),
    status: undefined,
    records: 0,
  };
}

function pathOf(fields: readonly string[]): string {
  const path = fields.join(' ');
  return path === '-' ? '' : path;
}

function startError(program: string, error: number): UserError {
  const what =
    error === constants.errno.ENOENT
      ? 'no such program'
      : error === constants.errno.EACCES
        ? 'no right to run it'
        : `error ${error}`;
  return new UserError(`${program}: found ${what}, expected a program to record`);
}

/** The processor's counter where the kernel itself trusts it, else the kernel's clock. */
function clockKind(): string {
  try {
    const source = readFileSync('/sys/devices/system/clocksource/clocksource0/current_clocksource', 'utf8').trim();
    return source === 'tsc' ? 'counter' : 'monotonic';
  } catch {
    return 'monotonic';
  }
}
