import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { accessSync, constants, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Interrupted, UserError } from '../../sim/contract/assert.ts';

const COMMON_FLAGS = ['-O2', '-std=gnu11', '-Wall', '-pthread', '-fasynchronous-unwind-tables'];
const LIBRARY_FLAGS = ['-fPIC', '-shared', '-fvisibility=hidden', '-fno-builtin'];
const LIBRARY_SOURCES = [
  'ring.c',
  'session.c',
  'held.c',
  'real.c',
  'joins.c',
  'calls.c',
  'operators.c',
  'pages.c',
  'budget.c',
  'process.c',
  'loader.c',
  'cfi.c',
  'unwind.c',
  'sites.c',
  'script.c',
  'zend.c',
  'patch.c',
  'extended.c',
  'mallctl.c',
  'conf.c',
  'mappings.c',
  'teardown.c',
];
const KEEPER_SOURCES = [
  'keeper.c',
  'images.c',
  'start.c',
  'image.c',
  'observe.c',
  'seen.c',
  'mapped.c',
  'descendants.c',
  'numbers.c',
  'tell.c',
  'built-conf.c',
];

/** Why programs can not be recorded on this machine, or undefined. */
export function recorderObstacle(): string | undefined {
  if (process.platform !== 'linux') return `recording needs Linux with glibc, found ${process.platform}`;
  if (process.arch !== 'x64') return `recording needs a processor of x86-64, found ${process.arch}`;
  if (spawnSync('cc', ['--version']).status !== 0) {
    return 'recording needs a C compiler, found no `cc` (on Debian: apt-get install gcc libc6-dev)';
  }
  return undefined;
}

export interface RecorderBinaries {
  /** What is preloaded into the program. */
  readonly library: string;
  /** What starts the program and keeps its logs. */
  readonly keeper: string;
}

/**
 * Compiled when they are first needed; their names in the user's cache depend on the sources. Where there can be no cache
 * they are compiled anew into `folder`. The library must be readable by whatever user the program becomes.
 */
export function buildRecorder(folder: string): RecorderBinaries {
  const obstacle = recorderObstacle();
  if (obstacle) throw new UserError(obstacle);
  const sources = sourceFolder();
  const hash = createHash('sha256').update([...COMMON_FLAGS, ...LIBRARY_FLAGS].join(' '));
  for (const name of readdirSync(sources).sort()) hash.update(name).update(readFileSync(join(sources, name)));
  const version = hash.digest('hex').slice(0, 16);
  const target = cacheFolder() ?? folder;
  const compile = (name: string, flags: readonly string[], files: readonly string[]) => {
    const made = join(target, name);
    if (existsSync(made)) return made;
    const unfinished = `${made}.${process.pid}`;
    const inputs = files.map((file) => join(sources, file));
    const { status, signal, stderr } = spawnSync(
      'cc',
      [...COMMON_FLAGS, ...flags, '-o', unfinished, ...inputs, '-ldl'],
      {
        encoding: 'utf8',
      },
    );
    if (status !== 0) {
      rmSync(unfinished, { force: true });
      if (signal) throw new Interrupted();
      throw new UserError(`cc can not compile the recorder: ${stderr.trim().split('\n')[0] ?? ''}`);
    }
    renameSync(unfinished, made);
    return made;
  };
  return {
    library: compile(`record-${version}.so`, LIBRARY_FLAGS, LIBRARY_SOURCES),
    keeper: compile(`keeper-${version}`, [], KEEPER_SOURCES),
  };
}

/** Beside this module in the sources; in a built package beside `dist`. */
function sourceFolder(): string {
  const beside = fileURLToPath(new URL('./native', import.meta.url));
  return existsSync(beside) ? beside : fileURLToPath(new URL('../../../workloads/recorder/native', import.meta.url));
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
