import { spawnSync } from 'node:child_process';
import { linkSync, lstatSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CLI, isRefusal, listing, OLD, prepare, type WritingCommand } from './written.ts';

/** What may stand under the name of one output. */
interface Target {
  readonly name: string;
  /** What must come of it; `either`: both may. */
  readonly expected: 'refused' | 'written' | 'either';
  /** Puts it there. */
  readonly put: (folder: string, name: string) => void;
  /** The command is run by this line of sh; $NAME is the output. */
  readonly line?: string;
  /** After a result: what is wrong with it. */
  readonly wrong?: (folder: string, name: string) => string | undefined;
  /** Where the command is another one: its arguments. */
  readonly args?: (args: readonly string[], name: string) => readonly string[];
  /** Is nothing for outputs of such names. */
  readonly except?: RegExp;
}

const sh = (line: string, cwd: string) => spawnSync('sh', ['-c', line], { cwd, encoding: 'utf8' });
const isOldUnder = (path: string) => readFileSync(path, 'utf8') === OLD;
const renamed = (to: (name: string) => string) => (args: readonly string[], name: string) =>
  args.map((arg) =>
    arg === name || arg.endsWith(`=${name}`) ? arg.slice(0, arg.length - name.length) + to(name) : arg,
  );

/** Of so many characters, with the ending that the name has. */
function long(name: string, characters: number): string {
  const ending = name.slice(name.indexOf('.'));
  return 'n'.repeat(characters - ending.length) + ending;
}

export const TARGETS: readonly Target[] = [
  {
    name: 'a folder',
    expected: 'refused',
    put: (folder, name) => mkdirSync(join(folder, name)),
  },
  {
    name: 'a link to a folder',
    expected: 'refused',
    put: (folder, name) => symlinkSync('.', join(folder, name)),
  },
  {
    name: 'a circle of links',
    expected: 'refused',
    put(folder, name) {
      symlinkSync('circle', join(folder, name));
      symlinkSync(name, join(folder, 'circle'));
    },
  },
  {
    name: 'a link to what is not there',
    expected: 'written',
    put: (folder, name) => symlinkSync('behind', join(folder, name)),
    wrong: (folder, name) =>
      lstatSync(join(folder, name)).isSymbolicLink() && lstatSync(join(folder, 'behind')).isFile()
        ? undefined
        : 'the link is gone',
  },
  {
    name: 'a link to a folder that is not there',
    expected: 'refused',
    put: (folder, name) => symlinkSync('none/behind', join(folder, name)),
  },
  {
    name: 'another name of a file (a hard link)',
    expected: 'written',
    put(folder, name) {
      writeFileSync(join(folder, 'other'), OLD);
      linkSync(join(folder, 'other'), join(folder, name));
    },
    wrong: (folder, name) =>
      isOldUnder(join(folder, 'other')) && !isOldUnder(join(folder, name)) ? undefined : 'the other name has changed',
  },
  {
    name: 'a link to an input',
    expected: 'either',
    put: (folder, name) => symlinkSync('sites.htrace', join(folder, name)),
  },
  {
    name: 'a pipe with a reader',
    expected: 'written',
    put: (folder, name) => void sh(`mkfifo '${name}'`, folder),
    line: 'cat "$NAME" > got & "$@"; status=$?; wait; exit $status',
    wrong: (folder, name) =>
      lstatSync(join(folder, name)).isFIFO() && lstatSync(join(folder, 'got')).size > 0 ? undefined : 'nothing came',
  },
  {
    name: 'a pipe whose reader leaves',
    expected: 'either',
    put: (folder, name) => void sh(`mkfifo '${name}'`, folder),
    line: 'head -c 1 "$NAME" > /dev/null & "$@"',
  },
  {
    name: 'a socket',
    expected: 'refused',
    put: (folder, name) =>
      void spawnSync(process.execPath, ['-e', "const s=require('net').createServer().listen(process.argv[1],()=>process.kill(process.pid,'SIGKILL'))", name], { cwd: folder }), // biome-ignore format: one line
  },
  {
    name: 'a device that is full',
    expected: 'refused',
    put: (folder, name) => symlinkSync('/dev/full', join(folder, name)),
  },
  {
    name: 'a device',
    expected: 'written',
    put: (folder, name) => symlinkSync('/dev/null', join(folder, name)),
    wrong: () => (lstatSync('/dev/null').isCharacterDevice() ? undefined : '/dev/null is none'),
  },
  {
    name: 'a file that something is mounted on',
    expected: 'refused',
    put(folder, name) {
      writeFileSync(join(folder, 'mounted'), OLD);
      writeFileSync(join(folder, name), OLD);
    },
    line: 'mount --bind mounted "$NAME" && { "$@"; status=$?; umount "$NAME"; exit $status; }',
  },
  {
    name: 'a name of 255 characters',
    expected: 'written',
    put: () => {},
    args: renamed((name) => long(name, 255)),
    except: /^[xy]\./, // of a recording: the names of its children are longer
  },
  {
    name: 'a name of 256 characters',
    expected: 'refused',
    put: () => {},
    args: renamed((name) => long(name, 256)),
  },
  {
    name: 'a file as a folder',
    expected: 'refused',
    put: (folder) => writeFileSync(join(folder, 'file'), ''),
    args: renamed((name) => `file/${name}`),
  },
  {
    name: 'standard output by its path, a file that goes on',
    expected: 'written',
    put: (folder) => writeFileSync(join(folder, 'log'), OLD),
    args: renamed(() => '/dev/stdout'),
    except: /\.(svg|htb|gz|zst)$/,
    line: '"$@" >> log',
    wrong: (folder) =>
      readFileSync(join(folder, 'log'), 'utf8').startsWith(OLD) ? undefined : 'what was there is gone',
  },
];

/** Runs the command with the target under one of its outputs. @returns what is wrong. */
export function ontoTarget(base: string, command: WritingCommand, name: string, target: Target): string | undefined {
  const folder = join(base, 'target');
  prepare(folder, []);
  target.put(folder, name);
  const before = listing(folder);
  const args = target.args?.(command.args, name) ?? command.args;
  const line = `${target.line ?? 'exec "$@"'}`;
  const { status, stderr } = spawnSync('sh', ['-c', line, 'sh', process.execPath, CLI, ...args], {
    cwd: folder,
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1', NAME: name },
    maxBuffer: 1 << 28,
  });
  try {
    if (isRefusal(status, stderr)) {
      if (target.expected === 'written') return `refused: ${stderr.trim()}`;
      const after = listing(folder);
      return after === before ? undefined : `leaves ${after}, before ${before}`;
    }
    if (status !== 0) return `exit ${status}: ${stderr.slice(0, 300)}`;
    if (target.expected === 'refused') return 'exit 0';
    return target.wrong?.(folder, name);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
