import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const SCRIPT = `new a\na mmap A 40M private\n${Array.from({ length: 40 }, (_, i) => `a touch A ${i}M 1M\nsample s${i}\n`).join('')}`;
const LOG = Array.from(
  { length: 4000 },
  (_, i) => `${i * 1000},1,malloc,${16 + (i % 90)},0x${(4096 + i * 64).toString(16)}`,
).join('\n');
const FLEET = `duration: 1h
samples: 4
machine: { memory: 1G }
pools: [{ name: www, pm: { max_children: 2 } }]
requests: [{ name: page, pool: www, workload: php-pool, time: 1ms, cron: { every: 10m, count: 2 } }]
`;
const SITES = `%htrace 2\n%frame 1 main\tmain.c:1\n%site 1 0 1\n${Array.from({ length: 3000 }, (_, i) => `m 0 ${i} ${100 + i} @1\n`).join('')}`;
const INPUTS: Readonly<Record<string, string>> = {
  'script.txt': SCRIPT,
  'fleet.yaml': FLEET,
  'sites.htrace': SITES,
  'suite.json': '{"workloads": ["stress:events=2000"], "allocators": ["glibc", "jemalloc"]}',
  'log.csv': `time,thread,op,size,address\n${LOG}\n`,
};
const STRESS = 'stress:profile=mix,events=20000';
const ROWS = 'rows:threads=2,rounds=500';

/** What is under the names of the outputs before. A recording replaces nothing that is no trace. */
export const OLD = '%htrace 1\n';

export const CLI = fileURLToPath(new URL('../../../bench/cli.js', import.meta.url));

export interface WritingCommand {
  readonly args: readonly string[];
  /** The names of what it writes: files; a folder of files has / behind its name. */
  readonly writes: readonly string[];
  /** Whole files that stay where another could not be written: what was recorded cannot be recorded again. */
  readonly keeps?: RegExp;
  /** Takes so long that what is told before the work is looked at alone. */
  readonly isLong?: boolean;
}

/** `command --option=name …`: each option writes the file of its name. */
function writing(args: readonly string[], outputs: Readonly<Record<string, string>>): WritingCommand {
  const options = Object.entries(outputs).map(([option, name]) => `--${option}=${name.replace(/\/$/, '')}`);
  const end = args.indexOf('--');
  const at = end < 0 ? args.length : end;
  return { args: [...args.slice(0, at), ...options, ...args.slice(at)], writes: Object.values(outputs) };
}

const REPORTS = { report: 'r.html', svg: 'r.svg' };
const STACKS = { flame: 'f.html', pprof: 'f.pb.gz', speedscope: 'f.json', collapsed: 'f.txt' };
const TABLES = { json: 't.json', csv: 't.csv' };
const SAMPLES = { samples: 's.jsonl', csv: 'c.csv', openmetrics: 'o.txt', perfetto: 'p.json', placements: 'l.txt', syscalls: 'y.txt' }; // biome-ignore format: a list
const MACHINE = { json: 'm.json', output: 'm.jsonl', csv: 'm.csv', openmetrics: 'm.txt', report: 'm.html' };

/** Every command that writes, with every option that names a file. */
export const COMMANDS: readonly WritingCommand[] = [
  writing(['run', STRESS, '--mode=lockstep'], { json: 'r.json', ...SAMPLES }),
  writing(['run', 'rows:threads=4,rounds=300', '--quiet'], { 'trace-time': 't.json' }),
  writing(['run', STRESS, '--mode=lockstep'], REPORTS),
  writing(['run', STRESS, '--mode=lockstep'], { svg: 'figures/' }),
  writing(['run', 'rows:rounds=200', '--threads=1,2'], TABLES),
  writing(['run', 'sites.htrace'], STACKS),
  writing(['explain', STRESS], { json: 'e.json', report: 'e.html' }),
  writing(['explain', 'sites.htrace'], STACKS),
  writing(['compare', ROWS, '--allocators=glibc,jemalloc'], { ...TABLES, ...REPORTS }),
  writing(['sweep', ROWS, '--grid=arena_max=1,2'], TABLES),
  writing(['tune', 'rows:threads=2,rounds=200'], TABLES),
  writing(['plan', ROWS], TABLES),
  writing(['plan', 'fleet.yaml', '--horizon=1h'], TABLES),
  writing(['machine', 'script.txt'], MACHINE),
  writing(['machine', 'fleet.yaml'], MACHINE),
  writing(['gate', '--suite=suite.json'], { save: 'b.json', markdown: 'g.md', junit: 'g.xml', json: 'g.json', 'benchmark-action': 'a.json', bencher: 'm.json' }),
  { args: ['trace', 'convert', STRESS, 'o.htrace.gz'], writes: ['o.htrace.gz'] },
  { args: ['trace', 'convert', 'sites.htrace', 'o.htb.gz'], writes: ['o.htb.gz'] },
  { args: ['trace', 'convert', STRESS, 'o.htb'], writes: ['o.htb'] },
  { args: ['trace', 'cut', STRESS, 'c.htrace', '--from=100'], writes: ['c.htrace'] },
  { args: ['trace', 'import', 'log.csv', 'i.htb'], writes: ['i.htb'] },
  writing(['record', '--force', '--', '/bin/ls', '-R', '/usr/lib/x86_64-linux-gnu'], { output: 'x.htb', json: 'x.json' }),
  { ...writing(['trace', 'record', '--sites', '--force', '--', 'sh', '-c', 'ls; ls -l | cat'], { output: 'y.htrace' }), keeps: /^y(\.\d+)?\.htrace$/ },
  writing(['verify', 'stress:events=2000'], { json: 'v.json' }),
  { ...writing(['calibrate', '--rounds=1'], { output: 'prices.json' }), isLong: true },
  { ...writing(['bench', '--quick'], { json: 'bench.json' }), isLong: true },
]; // biome-ignore format: a list

/** The inputs of the commands, and under each name of `old` a file with OLD in it. */
export function prepare(folder: string, old: readonly string[]): void {
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of Object.entries(INPUTS)) writeFileSync(join(folder, name), text);
  for (const name of old) if (!name.endsWith('/')) writeFileSync(join(folder, name), OLD);
}

/** What is below a folder: the names, behind those of inputs what is wrong with them. */
export function listing(folder: string): string {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .map((entry) => {
      const path = join(entry.parentPath, entry.name);
      const text = INPUTS[path.slice(folder.length + 1)];
      return path.slice(folder.length + 1) + (text && readFileSync(path, 'utf8') !== text ? ' CHANGED' : '');
    })
    .sort()
    .join(' ');
}

/** Whether a command was refused in one line. */
export const isRefusal = (status: number | null, stderr: string): boolean =>
  status === 2 && (stderr.match(/^sim: /gm) ?? []).length === 1 && !/internal error|\n {4}at /.test(stderr);

/** What must not be under a name: a part of a file. */
export function partOf(path: string, ending: string | undefined): string | undefined {
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
  if (/\.(htb|htrace)(\.gz|\.zst)?$/.test(path)) {
    const { status, stdout } = spawnSync(process.execPath, [CLI, 'trace', 'check', path], { encoding: 'utf8' });
    return status === 0 ? undefined : `${path}: ${stdout}`;
  }
  const found = endOf(path);
  return ending === undefined || found.endsWith(ending) ? undefined : `${path}: ends with ${JSON.stringify(found)}`;
}

/** Its last characters, without the figures that change from run to run. */
export const endOf = (path: string): string =>
  readFileSync(path)
    .subarray(-24)
    .toString('latin1')
    .replace(/[\d.]+/g, '');

/** The files of a command's outputs. */
export const filesOf = (folder: string, writes: readonly string[]): string[] =>
  writes.flatMap((name) => {
    const path = join(folder, name);
    if (!name.endsWith('/')) return [path];
    return statSync(path, { throwIfNoEntry: false }) ? readdirSync(path).map((file) => join(path, file)) : [];
  });
