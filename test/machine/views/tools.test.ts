import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { runMachineScript } from '../../../machine/script/run.ts';
import { renderView } from '../../../machine/views/view.ts';

/**
 * What the real tools (procps 4.0.2, coreutils 9.1) and files of a kernel 6.1 said on a machine after the same script: recorded on
 * that of test/machine/oracle, with these tools in its image, one `{cmd, out}` a line.
 */
const FOLDER = fileURLToPath(new URL('../../fixtures/machine/tools/', import.meta.url));

interface Recorded {
  readonly cmd: string;
  readonly out: string;
}

/** Names and their order in a file or an exporter's answer; figures of these are compared by test/machine/truth.test.ts. */
const NAMES = /\/(vmstat|memory\.stat)$|^node-exporter$/;
const namesAlone = (line: string) => line.replace(/ [-+.e\d]+$/, ' #');
/** Figures in no columns. */
const figuresAlone = (line: string) => line.replaceAll(/[\da-f]*\d[\da-f]*/g, '#');

/** Everything in these is figures of the exact class. */
const EXACT =
  /^pmap (?!-X)|^du |^ls |^df -h \/dev|\/maps$|memory\.(max|high|low|min|oom\.group|swap\.max|events|events\.local|pressure)$|\/cgroup$|cgroup\.procs$/;
/** Mapping by mapping exact, but for the pages of the program that the tool's own process maps too, and sums with them. */
const MAPPINGS = /^pmap -X|\/smaps$/;

/** Recorded without users, in a file system whose numbers another build changes, and with control characters as spaces. */
function normal(text: string, firstPid: number): string[] {
  return text
    .replaceAll(/[\t\0]/g, ' ')
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

/** The number of the first process, where it was recorded. */
const FIRST_PID = { tools: 86, thp: 86, views: 87 };

describe.each(['tools', 'thp', 'views'] as const)('the script %s', (name) => {
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
    let real = normal(out, FIRST_PID[name]);
    if (cmd.startsWith('ps')) {
      // The tool's own line, threads of the kernel, and the first process, which runs something else here.
      const isOurs = (line: string) => /worker \d p|^ +PID|^USER/.test(line);
      real = real.filter(isOurs).map((line) => line.replace(/^0 {3}|(?<= )0 {3}(?= {5}S)/, 'root'));
      expect(own.filter(isOurs).map(shape)).toEqual(real.map(shape));
    } else if (cmd.endsWith('cgroup.procs'))
      expect(own.map((pid) => Number(pid) - firstPid)).toEqual(real.map((pid) => Number(pid) - FIRST_PID[name]));
    else if (EXACT.test(cmd)) expect(own).toEqual(real);
    else if (MAPPINGS.test(cmd)) expect(mappings(own)).toEqual(mappings(real));
    else if (NAMES.test(cmd)) expect(own.map(namesAlone)).toEqual(real.map(namesAlone));
    else if (cmd.endsWith('/status')) {
      const lines = (text: string[]) => text.map((line) => (line.endsWith('kB') ? shape(line) : figuresAlone(line)));
      expect(lines(own)).toEqual(lines(real));
    } else if (cmd.endsWith('/zoneinfo')) {
      // The lists of a single zone have no lines.
      const has = new Set(real.map(figuresAlone));
      expect(own.map(figuresAlone).filter((line) => !has.has(line))).toEqual([]);
    } else if (/^vmstat(?!.*-[sw])/.test(cmd)) {
      // The processors' part, last, is wider where one is wholly idle or busy.
      const memory = (line: string) => [shape(line).slice(0, 60), line.trim().split(/\s+/).length];
      expect(own.map(memory)).toEqual(real.map(memory));
    } else if (/^stat|^df/.test(cmd)) {
      // What is not simulated (times, other file systems) has no line.
      const has = new Set(real.map(shape));
      expect(own.map(shape).filter((line) => !has.has(line))).toEqual([]);
      expect(own.length).toBeGreaterThan(real.length / 3);
    } else expect(own.map(shape)).toEqual(real.map(shape));
  });
});

/** What cadvisor 0.53 answers about one container, of its own tests: what tells of memory, with the labels that a plain group has. */
test('cadvisor: its names, labels and their order', () => {
  const real = readFileSync(`${FOLDER}cadvisor-0.53.txt`, 'utf8');
  const run = runMachineScript('new p\ncgroup C max=40M high=30M\np into C\nsample x\n', { name: 'one' });
  const own = renderView(run, 'cadvisor')
    .split('\n')
    .filter((line) => !line.includes('id="/"') && !line.includes('container_spec_memory'))
    .map((line) => line.replace('id="/C"', 'id="testcontainer"'));
  const figures = (line: string) => line.replace(/ [-+.e\d]+ \d+$/, ' # #');
  expect(own.map(figures)).toEqual(real.split('\n').map(figures));
});
