import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createRandom } from '../../sim/contract/random.ts';
import { COMMANDS, OLD, prepare, type WritingCommand } from './written.ts';

/**
 * npm run faults [-- --kills N --seed S]
 *
 * Every command that writes is killed (SIGKILL) at N moments that are drawn, and run where the disk is full but for so many
 * KiB. What stands under a name afterwards is whole, or what was there before; a full disk is told in one line, with exit 2.
 * Exit 1 where that does not hold. The full disk is a tmpfs, which needs the right to mount one.
 */
const { values } = parseArgs({
  options: { kills: { type: 'string', default: '6' }, seed: { type: 'string', default: '1' } },
});
const CLI = fileURLToPath(new URL('../../bench/cli.js', import.meta.url));
const random = createRandom(Number(values.seed), 'faults');
const LEFT_KIB = [0, 4, 40, 400];
const faults: string[] = [];
const fault = (args: readonly string[], what: string) => {
  faults.push(what);
  process.stdout.write(`sim ${args.join(' ')}\n  ${what}\n`);
};

/** Its last characters, without the figures that change from run to run. */
const ending = (path: string) =>
  readFileSync(path)
    .subarray(-24)
    .toString('latin1')
    .replace(/[\d.]+/g, '');

/** What must not be under a name: a part of a file. */
function partOf(path: string, ends: string | undefined): string | undefined {
  const bytes = readFileSync(path);
  if (bytes.toString('latin1') === OLD) return undefined;
  if (path.endsWith('.json')) {
    try {
      JSON.parse(bytes.toString());
      return undefined;
    } catch (error) {
      return `${path}: ${(error as Error).message}`;
    }
  }
  if (/\.(htb|gz)$/.test(path)) {
    const { status, stdout } = spawnSync(process.execPath, [CLI, 'trace', 'check', path], { encoding: 'utf8' });
    return status === 0 ? undefined : `${path}: ${stdout}`;
  }
  return ends === undefined || ending(path).endsWith(ends)
    ? undefined
    : `${path}: ends with ${JSON.stringify(ending(path))}`;
}

async function kill(args: readonly string[], folder: string, afterMs: number): Promise<void> {
  const child = spawn(process.execPath, [CLI, ...args], { cwd: folder, stdio: 'ignore' });
  const timer = setTimeout(() => child.kill('SIGKILL'), afterMs);
  await new Promise((resolve) => child.on('exit', resolve));
  clearTimeout(timer);
}

async function killed(base: string, { args, writes }: WritingCommand): Promise<number> {
  const whole = join(base, 'whole');
  prepare(whole, []);
  const started = performance.now();
  const { status, stderr } = spawnSync(process.execPath, [CLI, ...args], { cwd: whole, encoding: 'utf8' });
  const tookMs = performance.now() - started;
  if (status !== 0) {
    process.stdout.write(`sim ${args.join(' ')}\n  left out: ${stderr.split('\n')[0]}\n`);
    return 0;
  }
  const ends = new Map(writes.map((name) => [name, ending(join(whole, name))]));
  for (let i = 0; i < Number(values.kills); i++) {
    const folder = join(base, `killed-${i}`);
    prepare(folder, writes);
    await kill(args, folder, random.integer(20, Math.ceil(tookMs)));
    for (const name of writes) {
      const part = existsSync(join(folder, name)) ? partOf(join(folder, name), ends.get(name)) : `${name} is gone`;
      if (part !== undefined) fault(args, `killed: ${part}`);
    }
    rmSync(folder, { recursive: true });
  }
  rmSync(whole, { recursive: true });
  return Number(values.kills);
}

/** A file system of half a MiB and so many KiB of it free. */
function onFullDisk(mount: string, { args, writes }: WritingCommand): number {
  let runs = 0;
  for (const leftKib of LEFT_KIB) {
    prepare(mount, []);
    const before = readdirSync(mount).length + 1;
    spawnSync('sh', ['-c', 'cat /dev/zero > fill; truncate -s -"$1" fill', 'sh', `${leftKib}K`], { cwd: mount });
    const cache = { ...process.env, NO_COLOR: '1' };
    const { status, stderr } = spawnSync(process.execPath, [CLI, ...args], {
      cwd: mount,
      encoding: 'utf8',
      env: cache,
    });
    const there = writes.filter((name) => existsSync(join(mount, name)));
    const isRefused =
      status === 2 &&
      stderr
        .trimEnd()
        .split('\n')
        .filter((line) => /^sim: /.test(line)).length === 1;
    if (status !== 0 && !isRefused) fault(args, `${leftKib} KiB left: exit ${status}: ${stderr.slice(0, 300)}`);
    if (status === 0 && there.length !== writes.length) fault(args, `${leftKib} KiB left: exit 0 without ${writes}`);
    // A page is written before its run's tables: it may stand there, whole.
    const whole = there.filter(
      (name) => name.endsWith('.html') && partOf(join(mount, name), '</html>\n') === undefined,
    );
    if (status === 2 && readdirSync(mount).length !== before + whole.length) {
      fault(args, `${leftKib} KiB left: leaves ${readdirSync(mount).join(' ')}`);
    }
    runs++;
    for (const name of readdirSync(mount)) rmSync(join(mount, name), { recursive: true });
  }
  return runs;
}

const base = mkdtempSync(join(tmpdir(), 'allocsim-faults-'));
const mount = join(base, 'disk');
mkdirSync(mount);
let kills = 0;
let full = 0;
try {
  for (const command of COMMANDS) kills += await killed(base, command);
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=512k', 'tmpfs', mount], { encoding: 'utf8' });
  if (mounted.status === 0 && statSync(mount).isDirectory()) {
    try {
      for (const command of COMMANDS) full += onFullDisk(mount, command);
    } finally {
      spawnSync('umount', [mount]);
    }
  } else process.stdout.write(`no full disk: ${mounted.stderr.trim()}\n`);
} finally {
  rmSync(base, { recursive: true, force: true });
}
process.stdout.write(
  `${COMMANDS.length} commands: ${kills} times killed, ${full} times on a full disk: ${faults.length} faults\n`,
);
if (faults.length > 0) process.exitCode = 1;
