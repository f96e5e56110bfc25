import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { CLI, filesOf, isRefusal, listing, partOf, prepare, type WritingCommand } from './written.ts';

/** Faults of the place where a command writes: a disk that is full, read-only, of somebody else, gone. Tell what is wrong. */

const LEFT_KIB = [0, 4, 40, 400];
/** Units of `ulimit -f`. */
const BLOCKS = [0, 1, 32];
const NOBODY = 65534;

const run = (args: readonly string[], cwd: string, before = 'exec "$@"') =>
  spawnSync('sh', ['-c', before, 'sh', process.execPath, CLI, ...args], {
    cwd,
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1' },
  });

type Ended = Pick<ReturnType<typeof run>, 'status' | 'stderr'>;

/** A result with all files, or a refusal in one line with none and the inputs as they were. */
function judge(folder: string, { writes, keeps }: WritingCommand, before: string, ended: Ended): string | undefined {
  const { status, stderr } = ended;
  if (status === 0) {
    const missing = writes.filter((name) => !existsSync(join(folder, name)));
    return missing.length > 0 ? `exit 0 without ${missing}` : undefined;
  }
  if (!isRefusal(status, stderr)) return `exit ${status}: ${stderr.slice(0, 300)}`;
  const kept = listing(folder)
    .split(' ')
    .filter((name) => keeps?.test(name));
  const parts = kept.flatMap((name) => partOf(join(folder, name), undefined) ?? []);
  if (parts.length > 0) return `leaves a part: ${parts}`;
  const after = listing(folder)
    .split(' ')
    .filter((name) => !kept.includes(name))
    .join(' ');
  return after === before ? undefined : `leaves ${after}, before ${before}`;
}

/** On a file system of half a MiB and so many KiB of it free, which is mounted there. */
export function onFullDisk(mount: string, command: WritingCommand): string[] {
  return LEFT_KIB.flatMap((leftKib) => {
    for (const name of readdirSync(mount)) rmSync(join(mount, name), { recursive: true });
    prepare(mount, []);
    spawnSync('sh', ['-c', 'cat /dev/zero > fill; truncate -s -"$1" fill', 'sh', `${leftKib}K`], { cwd: mount });
    const wrong = judge(mount, command, listing(mount), run(command.args, mount));
    return wrong ? [`${leftKib} KiB left: ${wrong}`] : [];
  });
}

export function underFileLimit(base: string, command: WritingCommand): string[] {
  return BLOCKS.flatMap((blocks) => {
    const folder = join(base, 'limited');
    prepare(folder, []);
    const wrong = judge(folder, command, listing(folder), run(command.args, folder, `ulimit -f ${blocks}; exec "$@"`));
    rmSync(folder, { recursive: true });
    return wrong ? [`ulimit -f ${blocks}: ${wrong}`] : [];
  });
}

/** Refused before the work: `mount` is a folder that can be written. */
export function onReadOnly(mount: string, command: WritingCommand): string[] {
  prepare(mount, []);
  const before = listing(mount);
  spawnSync('mount', ['-o', 'remount,ro', mount]);
  const ended = run(command.args, mount);
  const wrong = ended.status === 0 ? 'exit 0' : judge(mount, command, before, ended);
  spawnSync('mount', ['-o', 'remount,rw', mount]);
  return wrong ? [`read-only: ${wrong}`] : [];
}

/** As another user, in a folder that may be read and entered, or read alone. */
export function withoutRight(base: string, command: WritingCommand): string[] {
  return [0o755, 0o744].flatMap((mode) => {
    const folder = join(base, 'foreign');
    prepare(folder, []);
    const before = listing(folder);
    const cache = join(base, 'cache');
    mkdirSync(cache, { recursive: true });
    chmodSync(cache, 0o777);
    chmodSync(base, 0o755);
    chmodSync(folder, mode);
    const user = `setpriv --reuid=${NOBODY} --regid=${NOBODY} --clear-groups`;
    const ended = run(command.args, folder, `export XDG_CACHE_HOME='${cache}'; exec ${user} "$@"`);
    chmodSync(folder, 0o755);
    const wrong = ended.status === 0 ? 'exit 0' : judge(folder, command, before, ended);
    rmSync(folder, { recursive: true });
    return wrong ? [`mode ${mode.toString(8)}: ${wrong}`] : [];
  });
}

/** The folder goes while the command is at work, by its end at the latest. */
export async function inRemovedFolder(
  base: string,
  command: WritingCommand,
  { afterMs }: { readonly afterMs: number },
): Promise<string[]> {
  const folder = join(base, 'goes');
  prepare(folder, []);
  const child = spawn(process.execPath, [CLI, ...command.args], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, NO_COLOR: '1' },
  });
  let stderr = '';
  child.stderr.on('data', (text) => (stderr += text));
  const timer = setTimeout(() => rmSync(folder, { recursive: true, force: true }), afterMs);
  const status = await new Promise<number | null>((resolve) => child.on('close', resolve));
  clearTimeout(timer);
  const isThere = existsSync(folder);
  const parts = isThere ? filesOf(folder, command.writes).flatMap((path) => partOf(path, undefined) ?? []) : [];
  rmSync(folder, { recursive: true, force: true });
  if (parts.length > 0) return [`removed after ${afterMs} ms: ${parts}`];
  return status === 0 || isRefusal(status, stderr)
    ? []
    : [`removed after ${afterMs} ms: exit ${status}: ${stderr.slice(0, 300)}`];
}
