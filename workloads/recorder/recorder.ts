import { spawn, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { UserError } from '../../sim/contract/assert.ts';
import type { EventBuffer } from '../../sim/contract/event.ts';
import type { Oddities } from '../import/address-trace.ts';
import { emptyLogHeader, logBytes, readLog } from './log.ts';

const FLAGS = [
  '-O2',
  '-fPIC',
  '-shared',
  '-std=gnu11',
  '-Wall',
  '-pthread',
  '-fno-builtin-malloc',
  '-fno-builtin-calloc',
];

/** Why programs can not be recorded on this machine, or undefined. */
export function recorderObstacle(): string | undefined {
  if (process.platform !== 'linux') return `recording needs Linux with glibc, found ${process.platform}`;
  if (spawnSync('cc', ['--version']).status !== 0) {
    return 'recording needs a C compiler, found no `cc` (on Debian: apt-get install gcc libc6-dev)';
  }
  return undefined;
}

/** Beside this module in the sources; in a built package beside `dist`. */
function sourcePath(): string {
  const beside = fileURLToPath(new URL('./record.c', import.meta.url));
  return existsSync(beside) ? beside : fileURLToPath(new URL('../../../workloads/recorder/record.c', import.meta.url));
}

/**
 * The preloaded library, compiled when it is first needed; its name in the user's cache depends on its source. Where
 * there can be no cache it is compiled anew into `folder`.
 */
function compileRecorder(folder: string): string {
  const obstacle = recorderObstacle();
  if (obstacle) throw new UserError(obstacle);
  const source = sourcePath();
  const hash = createHash('sha256').update(FLAGS.join(' ')).update(readFileSync(source)).digest('hex').slice(0, 16);
  const library = join(cacheFolder() ?? folder, `record-${hash}.so`);
  if (existsSync(library)) return library;
  const unfinished = `${library}.${randomBytes(12).toString('hex')}`;
  const { status, stderr } = spawnSync('cc', [...FLAGS, '-o', unfinished, source], { encoding: 'utf8' });
  if (status !== 0) throw new UserError(`cc can not compile the recorder: ${stderr.trim().split('\n')[0] ?? ''}`);
  renameSync(unfinished, library);
  return library;
}

function cacheFolder(): string | undefined {
  const cache = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'allocsim');
  try {
    mkdirSync(cache, { recursive: true });
    accessSync(cache, constants.W_OK);
    return cache;
  } catch {
    return undefined; // a read-only home, or none
  }
}

export interface RecordOptions {
  readonly command: readonly string[];
  /** Calls that there is room for; the log is a sparse file. */
  readonly capacity: number;
  readonly quantumNs: number;
  readonly samples: number;
  /** Where the program's standard output goes. */
  readonly stdout: 'inherit' | 'stderr';
}

export interface Recording {
  readonly events: EventBuffer;
  readonly oddities: Oddities;
  /** How the program ended: its exit code, or the signal. */
  readonly ended: string;
}

/** Runs a program to its end, and makes a trace of what it did with malloc. */
export async function recordProgram(options: RecordOptions): Promise<Recording> {
  const { command, capacity, quantumNs, samples } = options;
  const folder = mkdtempSync(join(tmpdir(), 'allocsim-record-'));
  const log = join(folder, 'log');
  try {
    const library = compileRecorder(folder);
    const fd = openSync(log, 'w');
    writeSync(fd, emptyLogHeader(capacity));
    ftruncateSync(fd, logBytes(capacity));
    closeSync(fd);
    const ended = await run(options, { LD_PRELOAD: preload(library), ALLOCSIM_RECORD: log });
    const name = command.join(' ').replace(/\s+/g, ' ');
    const source = `recorded with LD_PRELOAD, ${process.platform} ${process.arch}`;
    const { events, oddities } = readLog(log, { name, source, quantumNs, samples });
    if (events.begins.length === 0 && events.length <= 1) {
      throw new UserError(
        `${command[0]}: found no call of malloc (${ended}), expected a program that is linked with glibc dynamically`,
      );
    }
    return { events, oddities, ended };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The recorder comes first, whatever else is preloaded. */
function preload(library: string): string {
  const others = process.env['LD_PRELOAD'];
  return others ? `${library}:${others}` : library;
}

/** The program has this process's streams, and Ctrl-C is for it alone. */
function run({ command, stdout }: RecordOptions, environment: Readonly<Record<string, string>>): Promise<string> {
  const ignore = () => {};
  process.on('SIGINT', ignore);
  return new Promise((resolve, reject) => {
    const child = spawn(command[0]!, command.slice(1), {
      stdio: ['inherit', stdout === 'stderr' ? process.stderr : 'inherit', 'inherit'],
      env: { ...process.env, ...environment },
    });
    child.on('error', (error: NodeJS.ErrnoException) => {
      process.off('SIGINT', ignore);
      const what =
        error.code === 'ENOENT' ? 'no such program' : error.code === 'EACCES' ? 'no right to run it' : error.message;
      reject(new UserError(`${command[0]}: found ${what}, expected a program to record`));
    });
    child.on('close', (code, signal) => {
      process.off('SIGINT', ignore);
      resolve(signal ? `ended by ${signal}` : `exit code ${code}`);
    });
  });
}
