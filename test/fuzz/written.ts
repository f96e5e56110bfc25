import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const SCRIPT = `new a\na mmap A 40M private\n${Array.from({ length: 40 }, (_, i) => `a touch A ${i}M 1M\nsample s${i}\n`).join('')}`;
const LOG = Array.from(
  { length: 4000 },
  (_, i) => `${i * 1000},1,malloc,${16 + (i % 90)},0x${(4096 + i * 64).toString(16)}`,
).join('\n');
const INPUTS: Readonly<Record<string, string>> = {
  'script.txt': SCRIPT,
  'suite.json': '{"workloads": ["stress:events=2000"], "allocators": ["glibc", "jemalloc"]}',
  'log.csv': `time,thread,op,size,address\n${LOG}\n`,
};
const STRESS = 'stress:profile=mix,events=60000';

/** What is under the names of the outputs before. */
export const OLD = 'old';

export interface WritingCommand {
  readonly args: readonly string[];
  /** The names of what it writes. */
  readonly writes: readonly string[];
}

/** Every command that writes. */
export const COMMANDS: readonly WritingCommand[] = [
  { args: ['run', STRESS, '--mode=lockstep', '--json=r.json', '--samples=s.jsonl', '--csv=c.csv', '--openmetrics=o.txt', '--perfetto=p.json', '--placements=l.txt', '--syscalls=y.txt'], writes: ['r.json', 's.jsonl', 'c.csv', 'o.txt', 'p.json', 'l.txt', 'y.txt'] },
  { args: ['run', 'rows:threads=4,rounds=3000', '--trace-time=t.json', '--quiet'], writes: ['t.json'] },
  { args: ['run', STRESS, '--mode=lockstep', '--report=r.html'], writes: ['r.html'] },
  { args: ['explain', STRESS, '--json=e.json', '--report=e.html'], writes: ['e.json', 'e.html'] },
  { args: ['compare', 'rows:threads=2,rounds=2000', '--allocators=glibc,jemalloc', '--json=c.json', '--csv=c.csv', '--report=c.html'], writes: ['c.json', 'c.csv', 'c.html'] },
  { args: ['sweep', 'rows:threads=2,rounds=2000', '--grid=arena_max=1,2', '--json=w.json', '--csv=w.csv'], writes: ['w.json', 'w.csv'] },
  { args: ['tune', 'rows:threads=2,rounds=200', '--json=t.json'], writes: ['t.json'] },
  { args: ['plan', 'rows:threads=2,rounds=2000', '--json=p.json', '--csv=p.csv'], writes: ['p.json', 'p.csv'] },
  { args: ['machine', 'script.txt', '--output=m.jsonl', '--csv=m.csv', '--openmetrics=m.txt', '--report=m.html'], writes: ['m.jsonl', 'm.csv', 'm.txt', 'm.html'] },
  { args: ['gate', '--suite=suite.json', '--save=b.json', '--markdown=g.md', '--junit=g.xml'], writes: ['b.json', 'g.md', 'g.xml'] },
  { args: ['trace', 'convert', STRESS, 'o.htrace.gz'], writes: ['o.htrace.gz'] },
  { args: ['trace', 'convert', STRESS, 'o.htb'], writes: ['o.htb'] },
  { args: ['trace', 'cut', STRESS, 'c.htrace', '--from=100'], writes: ['c.htrace'] },
  { args: ['trace', 'import', 'log.csv', 'i.htb'], writes: ['i.htb'] },
  { args: ['record', '-o', 'x.htb', '--', '/bin/ls', '-R', '/usr/lib/x86_64-linux-gnu'], writes: ['x.htb'] },
  { args: ['verify', 'stress:events=2000', '--json=v.json'], writes: ['v.json'] },
]; // biome-ignore format: a list

/** The inputs of the commands, and under each name of `old` a file with OLD in it. */
export function prepare(folder: string, old: readonly string[]): void {
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of Object.entries(INPUTS)) writeFileSync(join(folder, name), text);
  for (const name of old) writeFileSync(join(folder, name), OLD);
}
