import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { runMachineScript } from '../../../machine/script/run.ts';
import { renderView } from '../../../machine/views/view.ts';

/** What the real tools (procps 4.0.2, coreutils 9.1) and files of a kernel 6.1 said on a machine after the same script. */
const FOLDER = fileURLToPath(new URL('../../fixtures/machine/tools/', import.meta.url));

interface Recorded {
  readonly cmd: string;
  readonly out: string;
}

/** Everything in these is figures of the exact class. */
const EXACT =
  /^pmap (?!-X)|^du |^ls |^df -h \/dev|\/maps$|memory\.(current|max|high|low|peak|events|events\.local|pressure)$|\/cgroup$|cgroup\.procs$/;
/** Mapping by mapping exact, but for the pages of the program that the tool's own process maps too, and sums with them. */
const MAPPINGS = /^pmap -X|\/smaps$/;

/** Recorded without users, in a file system whose numbers another build changes, and with control characters as spaces. */
function normal(text: string, firstPid: number): string[] {
  return text
    .replaceAll('\t', ' ')
    .replace(/^(l\S+ 1) 0 0 /gm, '$1 root root ')
    .replace(/( +00:02 +)\d{4}\b/g, '$1INIT')
    .replace(/^(\d+): {3}worker/gm, (_, pid) => `<${Number(pid) - firstPid}>:   worker`)
    .replace(/\/proc\/(\d+)\//g, (_, pid) => `/proc/<${Number(pid) - firstPid}>/`)
    .replaceAll('UNKNOWN', '   root')
    .replace(/\n$/, '')
    .split('\n');
}

/** Where each word of a line ends, and the words that are no figures: a layout in columns. */
const shape = (line: string) =>
  line.replace(/ *\S*\d\S*/g, (word) =>
    /^ +/.test(word) ? '#'.padStart(word.length) : `#${' '.repeat(word.length - 1)}`,
  );

/** smaps as one piece a mapping, so that one can be left out. */
function mappings(lines: readonly string[]): string[] {
  if (!lines.some((line) => line.startsWith('VmFlags:')))
    return lines.filter((line) => !/\[(vdso|stack)\]| KB $/.test(line));
  return lines
    .join('\n')
    .split(/(?<=VmFlags: .*\n)/)
    .filter((piece) => !/\[(vdso|stack)\]/.test(piece));
}

describe.each(['tools', 'thp'])('the script %s', (name) => {
  const script = readFileSync(`${FOLDER}${name}.txt`, 'utf8');
  const recorded: Recorded[] = gunzipSync(readFileSync(`${FOLDER}${name}.jsonl.gz`))
    .toString('utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  const run = runMachineScript(script, { name });
  const firstPid = run.process('p1')!.task.pid;

  test.each(recorded.map((one) => [one.cmd, one.out] as const))('%s', (cmd, out) => {
    const own = normal(renderView(run, cmd), firstPid);
    let real = normal(out, 86);
    if (cmd.startsWith('ps')) {
      // The tool's own line, threads of the kernel, and the first process, which runs something else here.
      const isOurs = (line: string) => /worker \d p|^ +PID|^USER/.test(line);
      real = real.filter(isOurs).map((line) => line.replace(/^0 {3}|(?<= )0 {3}(?= {5}S)/, 'root'));
      expect(own.filter(isOurs).map(shape)).toEqual(real.map(shape));
    } else if (cmd.endsWith('cgroup.procs'))
      expect(own.map((pid) => Number(pid) - firstPid)).toEqual(real.map((pid) => Number(pid) - 86));
    else if (EXACT.test(cmd)) expect(own).toEqual(real);
    else if (MAPPINGS.test(cmd)) expect(mappings(own)).toEqual(mappings(real));
    else if (/^cat \S+\/status$|^stat|^df|^vmstat -s/.test(cmd)) {
      // What is not simulated (times, processors, other file systems) has no line.
      const has = new Set(real.map(shape));
      expect(own.map(shape).filter((line) => !has.has(line))).toEqual([]);
      expect(own.length).toBeGreaterThan(real.length / 3);
    } else if (cmd.startsWith('vmstat')) {
      // The processors, last, are idle here.
      const memory = (line: string) => shape(line).slice(0, cmd.includes('-w') ? 95 : 60);
      expect(own.map(memory)).toEqual(real.map(memory));
    } else expect(own.map(shape)).toEqual(real.map(shape));
  });
});
