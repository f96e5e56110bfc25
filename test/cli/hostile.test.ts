import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { shellWord } from '../../bench/report/escape.ts';
import { createEventBuilder } from '../../workloads/builder.ts';
import { writeTrace } from '../../workloads/trace/output.ts';
import { CLI_BUILT } from '../helpers/cli.ts';
import { command } from '../helpers/command.ts';
import { temporaryFolder } from '../helpers/temporary.ts';

/** What means something to a terminal, a browser, a spreadsheet, a CI system, Markdown or a stack line. */
const HOSTILE =
  '=1+1|\u001b]0;owned\u0007\u001b[2J\u009b31m\u202e<img src=x onerror=alert(1)></script>&"\'`*[a](http://b)@c;\u2028::error::x ##[error]';
const NAMES = { label: `${HOSTILE}label`, thread: `${HOSTILE}thread`, frame: `${HOSTILE}frame` };

/** Threads, labels, sites, facts: whatever a trace can name has such a name. */
async function hostileTrace(folder: string): Promise<string> {
  const events = createEventBuilder({ name: HOSTILE, source: HOSTILE });
  const frames = ['a', 'b'].map((end) =>
    events.addFrame({ functionName: NAMES.frame + end, file: `/${HOSTILE}.php`, line: 3, module: `${HOSTILE}.so` }),
  );
  const outer = events.addSite(0, frames[0]!);
  const inner = events.addSite(outer, frames[1]!);
  for (const thread of [0, 1]) {
    if (thread > 0) events.threadBegin(thread);
    for (let i = 0; i < 40; i++) {
      events.annotate({ site: i % 2 === 0 ? inner : outer });
      const block = events.malloc(thread, 5000 * (i + 1));
      if (i % 3 === 0) events.free(thread, block);
      events.clock(1000);
    }
    events.sample(NAMES.label + thread);
    events.observe([['VmRSS', 9_000_000]]);
  }
  const path = join(folder, `${HOSTILE.replaceAll('/', '')}.htb`);
  const recorded = {
    command: HOSTILE,
    process: { pid: 1, parent: 0 },
    environment: [['MALLOC_ARENA_MAX', HOSTILE]] as const,
    machine: [['kernel', HOSTILE]] as const,
    threadNames: [0, 1].map((thread) => [thread, NAMES.thread] as const),
    mappings: [{ bytes: 4096, residentBytes: 4096, name: HOSTILE }],
  };
  await writeTrace(path, events.finish(recorded));
  return path;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that may not appear
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/;
const hasOrder = (text: string) => text.split('\n').some((line) => /^\s*(::|##\[)/.test(line));
/** GitHub's runner finds `##[` anywhere in a line of a log. */
const isLogged = /\.(json|jsonl|prom|csv|collapsed)$/;

function expectPlain(text: string): void {
  expect(CONTROL.exec(text)?.[0].codePointAt(0), text.slice(0, 2000)).toBeUndefined();
  expect(hasOrder(text), text.slice(0, 2000)).toBe(false);
}

const expectNoElement = (text: string) => expect(/<img src=x|<\/script>&/.exec(text)?.index).toBeUndefined();

/** A table as a spreadsheet reads it: no field begins a formula. */
function expectNoFormula(csv: string): void {
  const fields = [...csv.matchAll(/(?:^|,|\n)("(?:[^"]|"")*"|[^",\n]*)/g)].map(([, field]) => field!.replace(/^"/, ''));
  expect(fields.length).toBeGreaterThan(3);
  for (const field of fields) expect(/^[=+@\t\r]|^-(?![\d.])/.test(field), field).toBe(false);
}

/** By the ending of its name: what may not be in a file. */
function checkFile(path: string): void {
  const bytes = readFileSync(path);
  const text = path.endsWith('.gz') ? gunzipSync(bytes).toString('latin1') : bytes.toString();
  expect(text.length, path).toBeGreaterThan(0);
  if (/\.(html|svg|xml|md)$/.test(path)) expectNoElement(text);
  if (/\.(svg|xml|md|csv|collapsed)$/.test(path)) expectPlain(text);
  if (isLogged.test(path)) expect(text.includes('##['), path).toBe(false);
  if (path.endsWith('.csv')) expectNoFormula(text);
  if (path.endsWith('.json')) JSON.parse(text);
  if (path.endsWith('.jsonl')) for (const line of text.trimEnd().split('\n')) JSON.parse(line);
  if (path.endsWith('.prom')) {
    const sample = /^[a-z_]+(\{([a-z_]+="([^"\\\n]|\\.)*",?)*\})? [-+.\de]+( [\d.]+)?$/i;
    for (const line of text.trimEnd().split('\n')) {
      expect(line.startsWith('# ') || sample.test(line), line).toBe(true);
    }
  }
  if (path.endsWith('.collapsed')) {
    for (const line of text.trimEnd().split('\n')) expect(line.split(';').length, line).toBeLessThanOrEqual(3);
  }
}

/** Everything below the folder but what was there. */
function filesBelow(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    return statSync(path).isDirectory() ? filesBelow(path) : [path];
  });
}

/** File names that a shell would take for more than a word. */
const PASTED = [`a b'"$(touch HERE)\`touch HERE\`;touch HERE&.htb`, '-n $(touch HERE).htb', "';touch HERE;'"];

test('a name in a line to be pasted is one word, and runs nothing', () => {
  const folder = temporaryFolder();
  for (const name of PASTED) {
    const path = name.replaceAll('HERE', 'pasted');
    const line = `printf %s ${shellWord(path)}`;
    const { stdout } = spawnSync('sh', ['-c', line], { cwd: folder, encoding: 'utf8' });
    expect(stdout).toBe(path.startsWith('-') ? `./${path}` : path);
  }
  expect(readdirSync(folder)).toEqual([]);
  expect(shellWord('traces/one.htb')).toBe('traces/one.htb');
});

/** JSON and OpenMetrics are for programs: they have their own way of holding any text. */
describe.runIf(CLI_BUILT)('whatever a trace and a result name is shown as text', () => {
  const out = (folder: string, ...names: string[]) => names.map((name) => join(folder, name));

  async function run(args: readonly string[], statuses: readonly number[] = [0]): Promise<string> {
    const { status, stdout, stderr } = await command(args);
    expect(statuses, `${args.join(' ')}\n${stderr}`).toContain(status);
    expectPlain(stdout);
    expectPlain(stderr);
    expect(stdout.includes('##[')).toBe(false);
    expectNoElementBeyondText(stdout);
    return stdout;
  }
  // A terminal shows an element as it is; only what is told in lines must stay one.
  const expectNoElementBeyondText = (text: string) => expect(text.includes('\r')).toBe(false);

  test('run, with every file that it writes', { timeout: 240_000 }, async () => {
    const folder = temporaryFolder();
    const trace = await hostileTrace(folder);
    const options = ['json=r.json', 'samples=s.jsonl', 'csv=c.csv', 'openmetrics=o.prom', 'perfetto=p.json', 'syscalls=y.txt', 'report=r.html', 'svg=pictures', 'flame=f.html', 'pprof=p.pb.gz', 'speedscope=ss.json', 'collapsed=c.collapsed']; // biome-ignore format: a list
    const files = options.map((option) => {
      const [name, file] = option.split('=') as [string, string];
      return `--${name}=${join(folder, file)}`;
    });
    await run(['run', trace, '--mode=lockstep', '--sites', '--plot', ...files]);
    await run(['run', trace, '--mode=virtual', `--trace-time=${join(folder, 'tt.json')}`]);
    const written = filesBelow(folder).filter((path) => path !== trace);
    expect(written.length).toBeGreaterThan(12);
    written.forEach(checkFile);
    const diff = await run(['run', trace, '--mode=lockstep', `--diff=${join(folder, 'c.collapsed')}`]);
    expect(diff).toContain('owned');
  });

  test('explain, inspect, and what works on traces', { timeout: 240_000 }, async () => {
    const folder = temporaryFolder();
    const trace = await hostileTrace(folder);
    const [report, page] = out(folder, 'e.json', 'e.html');
    await run(['explain', trace, `--json=${report}`, `--report=${page}`]);
    expect(await run(['explain', trace, `--at=${NAMES.label}0`])).toContain('label0');
    for (const view of ['pmap', 'smaps', 'malloc_info', 'strace']) await run(['inspect', view, trace]);
    expect(await run(['trace', 'info', trace])).toContain('label1');
    for (const args of [
      ['trace', 'info'],
      ['explain', '--no-what-if'],
      ['run', '--mode=lockstep'],
    ]) {
      const [name, ...rest] = args.join(' ').split(/ (?=-)/);
      for (const form of ['--json', '--csv'])
        expect(await run([...name!.split(' '), trace, ...rest, form])).toMatch(/^(\{|label,|table,)/);
    }
    await run(['trace', 'check', trace]);
    const text = join(folder, 't.htrace');
    await run(['trace', 'convert', trace, text]);
    await run(['trace', 'cut', text, join(folder, 'cut.htb'), '--from=3']);
    await run(['verify', trace, '--show=3'], [0, 1, 2]);
    for (const path of [report!, page!]) checkFile(path);
  });

  test('comparisons, searches, plans and gates', { timeout: 240_000 }, async () => {
    const folder = temporaryFolder();
    const trace = await hostileTrace(folder);
    const both = ['--mode=lockstep', '--workers=1'];
    const [comparison, base, head] = out(folder, 'c.json', 'base.json', 'head.json');
    const tables = (name: string) => [`--csv=${join(folder, `${name}.csv`)}`];
    const pictures = [`--report=${join(folder, 'c.html')}`, `--svg=${join(folder, 'c-pictures')}`];
    await run([
      'compare',
      trace,
      '--allocators=glibc,jemalloc',
      `--json=${comparison}`,
      ...tables('c'),
      ...both,
      ...pictures,
    ]);
    await run(['sweep', trace, '--grid=arena_max=1,2', ...tables('s'), ...both]);
    await run(['plan', trace, ...tables('p'), ...both]);
    await run(['tune', trace, ...both]);
    await run(['run', trace, '--mode=lockstep', '--quiet', `--json=${base}`]);
    writeFileSync(head!, readFileSync(base!, 'utf8').replace(/"rssPeakBytes":\s*\d+/g, '"rssPeakBytes": 99999999'));
    const files = ['junit=j.xml', 'markdown=m.md', 'benchmark-action=a.json', 'bencher=b.json', 'json=g.json'];
    const options = files.map((each) => `--${each.split('=')[0]}=${join(folder, each.split('=')[1]!)}`);
    const gate = await command(['gate', base!, head!, '--github', ...options], {
      GITHUB_STEP_SUMMARY: join(folder, 'sum.md'),
    });
    expect(gate.status, gate.stderr).toBe(1);
    expect(CONTROL.test(gate.stdout)).toBe(false);
    const orders = gate.stdout.split('\n').filter((line) => /^\s*(::|##\[)/.test(line));
    for (const line of orders) expect(line).toMatch(/^::(error|notice) title=[^:]*::/);
    for (const path of filesBelow(folder).filter((each) => each !== trace)) checkFile(path);
    expect(existsSync(join(folder, 'j.xml'))).toBe(true);
  });

  test('a script and a scenario with such names; what is refused', { timeout: 240_000 }, async () => {
    const folder = temporaryFolder();
    const script = join(folder, basename(`${HOSTILE.replaceAll('/', '')}.txt`));
    const word = HOSTILE.replaceAll(/\s/g, '');
    writeFileSync(script, `new a\na mmap A 1M private\na touch A 0 1M\nsample ${word}\n`);
    const files = ['output=m.jsonl', 'csv=m.csv', 'openmetrics=m.prom', 'report=m.html'];
    await run(
      ['machine', script, ...files.map((each) => `--${each.split('=')[0]}=${join(folder, each.split('=')[1]!)}`)],
      [0, 2],
    );
    await run(['machine', script, '--steps'], [0, 2]);
    for (const path of filesBelow(folder).filter((each) => each !== script)) checkFile(path);
    const scenario = join(folder, 'fleet.yaml');
    writeFileSync(scenario, `about: ${JSON.stringify(HOSTILE)}\nduration: 1h\n`);
    for (const args of [
      ['machine', scenario],
      ['machine', HOSTILE],
      ['run', HOSTILE],
      ['run', `rows:${HOSTILE}=1`],
      ['run', 'rows:threads=1,rounds=1', `--allocator=${HOSTILE}`],
      ['run', 'rows:threads=1,rounds=1', `--${HOSTILE}`],
      ['compare', 'rows', `--allocators=${HOSTILE}`],
      ['gate', HOSTILE, HOSTILE],
      [HOSTILE],
    ]) {
      const stdout = await run(args, [0, 2]);
      expect(stdout).toBe('');
    }
  });
});
