import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';

// How long a file and a function may be. Functions inside a function are counted for themselves; with them, none is longer
// than a factory may be. What a factory (`create…`) has of its own is mostly the names that it takes from elsewhere.

const FILE_LINES = 400;
const FACTORY_LINES = 330;
const FUNCTION_LINES = 80;
/** Functions of no more lines than this count as lines of the function around them. */
const SMALL = 3;

/** Functions that may be longer, and why. */
const LONG_FUNCTIONS: Readonly<Record<string, string>> = {
  'workloads/trace/compiler/common-events.ts: acceptCommon': 'a hot loop',
  'sim/replay/interpreter.ts: execute': 'one case an event',
  'sim/replay/free-running.ts: runThread': 'a hot loop',
};

const ROOMS = ['allocators', 'bench', 'fleet', 'machine', 'sim', 'workloads'];

interface Measured {
  readonly file: string;
  readonly line: number;
  readonly name: string;
  readonly total: number;
  readonly own: number;
}

interface Report {
  readonly diagnostics: readonly {
    readonly category: string;
    readonly location: {
      readonly path: string;
      readonly start: { readonly line: number };
      readonly end: { readonly line: number };
    };
  }[];
}

/** Every function of more than `SMALL` lines, as biome sees them. */
function functionsOf(rooms: readonly string[]): Measured[] {
  const folder = mkdtempSync(join(tmpdir(), 'allocsim-sizes-'));
  const rule = { level: 'error', options: { maxLines: SMALL } };
  const config = {
    root: true,
    linter: { rules: { recommended: false, complexity: { noExcessiveLinesPerFunction: rule } } },
    formatter: { enabled: false },
  };
  writeFileSync(join(folder, 'biome.json'), JSON.stringify(config));
  const args = ['lint', `--config-path=${folder}`, '--max-diagnostics=none', '--reporter=json', ...rooms];
  let text: string;
  try {
    text = execFileSync('node_modules/.bin/biome', args, {
      encoding: 'utf8',
      maxBuffer: 2 ** 28,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  } catch (error) {
    text = (error as { readonly stdout: string }).stdout;
  } finally {
    rmSync(folder, { recursive: true });
  }
  const ranges = new Map<string, [number, number][]>();
  for (const { category, location } of (JSON.parse(text) as Report).diagnostics) {
    if (!category.endsWith('noExcessiveLinesPerFunction')) continue;
    const list = ranges.get(location.path) ?? [];
    list.push([location.start.line, location.end.line]);
    ranges.set(location.path, list);
  }
  return [...ranges].flatMap(([file, list]) => {
    const lines = readFileSync(file, 'utf8').split('\n');
    return list.map((range) => measure(file, lines, range, list));
  });
}

function measure(
  file: string,
  lines: readonly string[],
  [first, last]: readonly [number, number],
  all: readonly (readonly [number, number])[],
): Measured {
  const own = new Set<number>();
  for (let line = first; line <= last; line++) if (lines[line - 1]!.trim() !== '') own.add(line);
  for (const [from, to] of all) {
    const isInside = (from > first && to <= last) || (from >= first && to < last);
    for (let line = from; isInside && line <= to; line++) own.delete(line);
  }
  const name = /(?:function\*?|const) (\w+)/.exec(lines[first - 1]!)?.[1] ?? `line ${first}`;
  return { file, line: first, name, total: last - first + 1, own: own.size };
}

const measured = functionsOf(ROOMS);

it('files are at most 400 lines long', () => {
  const files = execFileSync('git', ['ls-files', ...ROOMS], { encoding: 'utf8' }).split('\n');
  const long = files
    .filter((file) => /\.(ts|c|h)$/.test(file))
    .map((file) => [file, readFileSync(file, 'utf8').split('\n').length - 1] as const)
    .filter(([, lines]) => lines > FILE_LINES);
  expect(long).toEqual([]);
});

it('functions are at most 80 lines long, factories 330', () => {
  const long = measured
    .filter(({ total, own, name }) => total > FACTORY_LINES || (own > FUNCTION_LINES && !name.startsWith('create')))
    .filter(({ file, name }) => LONG_FUNCTIONS[`${file}: ${name}`] === undefined)
    .map(({ file, line, name, total, own }) => `${file}:${line} ${name} ${own} of ${total}`);
  expect(long.sort()).toEqual([]);
});

it('every exception is one', () => {
  const names = new Set(measured.filter(({ total }) => total > FUNCTION_LINES).map((m) => `${m.file}: ${m.name}`));
  expect(Object.keys(LONG_FUNCTIONS).filter((name) => !names.has(name))).toEqual([]);
});
