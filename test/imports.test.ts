import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** Who may import whom: top folders, and the rooms inside them. What is not listed imports only itself. */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  sim: [],
  machine: ['sim'],
  allocators: ['sim'],
  workloads: ['sim'],
  fleet: ['sim', 'machine', 'allocators', 'workloads'],
  bench: ['sim', 'machine', 'allocators', 'workloads', 'fleet'],
};

/** Rooms, lowest first: each may import those named, and its own files. */
const ROOMS: Readonly<Record<string, readonly string[]>> = {
  'sim/contract': [],
  'sim/kernel': ['sim/contract'],
  'sim/time': ['sim/contract', 'sim/kernel'],
  'sim/tlb': ['sim/contract', 'sim/kernel'],
  'sim/replay': ['sim/contract', 'sim/kernel', 'sim/time'],
  'sim/metrics': ['sim/contract', 'sim/kernel', 'sim/time', 'sim/replay'],
  'bench/run': [],
  'bench/metrics': ['bench/run'],
  'bench/report': ['bench/run', 'bench/metrics'],
  'bench/study': ['bench/run', 'bench/metrics', 'bench/report'],
  'bench/schema': ['bench/run', 'bench/metrics', 'bench/study'],
  'bench/evidence': ['bench/run', 'bench/metrics', 'bench/report'],
  'bench/benchmark': ['bench/run', 'bench/metrics', 'bench/report', 'bench/evidence'],
  'bench/gate': ['bench/run', 'bench/metrics', 'bench/report', 'bench/study', 'bench/schema'],
  'bench/cli': ['bench/run', 'bench/metrics', 'bench/report', 'bench/study'],
  'bench/commands': [
    'bench/run',
    'bench/metrics',
    'bench/report',
    'bench/study',
    'bench/schema',
    'bench/evidence',
    'bench/benchmark',
    'bench/gate',
    'bench/cli',
  ],
};

const topOf = (path: string): string => path.split('/')[0]!;

const roomOf = (path: string): string | undefined =>
  Object.keys(ROOMS).find((room) => path.startsWith(`${room}/`) && !path.includes('/client/'));

function sourcesBelow(folder: string): string[] {
  if (!existsSync(join(ROOT, folder))) return [];
  return readdirSync(join(ROOT, folder), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && /\.(ts|c|h)$/.test(entry.name))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)))
    .filter((path) => !path.includes('node_modules'))
    .sort();
}

const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const modules = Object.keys(ARROWS)
  .flatMap(sourcesBelow)
  .filter((path) => path.endsWith('.ts'));

/** Files that this one imports by a relative path, those of types too. */
function importsOf(path: string): string[] {
  const specifiers = read(path).matchAll(/(?:from|import|import\()\s*'(\.[^']*)'/g);
  return [...specifiers].map(([, specifier]) => relative(ROOT, resolve(ROOT, dirname(path), specifier!)));
}

test('imports follow the arrows', () => {
  const against: string[] = [];
  for (const path of modules) {
    const from = path.split('/')[0]!;
    for (const target of importsOf(path)) {
      const to = target.split('/')[0]!;
      if (to !== from && !ARROWS[from]!.includes(to)) against.push(`${path} imports ${target}`);
    }
  }
  expect(against).toEqual([]);
});

test('rooms import the rooms below them', () => {
  const against: string[] = [];
  for (const path of modules) {
    const from = roomOf(path);
    if (from === undefined) continue;
    for (const target of importsOf(path)) {
      const to = roomOf(target);
      if (to === undefined || to === from || topOf(to) !== topOf(from)) continue;
      if (!ROOMS[from]!.includes(to)) against.push(`${path} imports ${target}`);
    }
  }
  expect(against).toEqual([]);
});

test('no cycles', () => {
  const done = new Set<string>();
  const cycles: string[] = [];
  function visit(path: string, way: readonly string[]): void {
    if (way.includes(path)) {
      cycles.push([...way.slice(way.indexOf(path)), path].join(' → '));
      return;
    }
    if (done.has(path) || !path.endsWith('.ts')) return;
    for (const target of importsOf(path)) visit(target, [...way, path]);
    done.add(path);
  }
  for (const path of modules) visit(path, []);
  expect(cycles).toEqual([]);
});

test('every import exists and names its extension', () => {
  const missing = modules.flatMap((path) =>
    importsOf(path)
      .filter((target) => !existsSync(join(ROOT, target)) || !/\.\w+$/.test(target))
      .map((target) => `${path} imports ${target}`),
  );
  expect(missing).toEqual([]);
});

test('every model says how true it is', () => {
  const folders = readdirSync(join(ROOT, 'allocators'), { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const silent = folders.filter(({ name }) => !existsSync(join(ROOT, 'allocators', name, 'FIDELITY.md')));
  expect(silent.map(({ name }) => name)).toEqual([]);
});

test('no leftovers', () => {
  const found: string[] = [];
  for (const path of [...Object.keys(ARROWS), 'test'].flatMap(sourcesBelow)) {
    if (/(^|\/)(utils?|helpers?|misc|common|old|tmp)\.\w+$/.test(path)) found.push(`${path}: a name that says nothing`);
    if (path === 'test/imports.test.ts') continue;
    read(path)
      .split('\n')
      .forEach((line, i) => {
        if (/\b(TODO|FIXME|XXX|HACK)\b/.test(line)) found.push(`${path}:${i + 1}: ${line.trim()}`);
        if (/\b(test|it|describe)\.only\(/.test(line)) found.push(`${path}:${i + 1}: ${line.trim()}`);
      });
  }
  expect(found).toEqual([]);
});

/** Where simulated threads are real ones, what is measured is this machine's time. */
const OF_REAL_THREADS = ['sim/replay/concurrent.ts', 'sim/time/atomic-locks.ts'];
/** Lets the event loop breathe: when it does so is seen in no result. */
const BREATHING = 'workloads/breathing.ts';

test('a simulation reads no clock and draws no number of its own', () => {
  const found: string[] = [];
  for (const path of ['sim', 'allocators', 'workloads'].flatMap(sourcesBelow)) {
    if (OF_REAL_THREADS.includes(path) || path === BREATHING) continue;
    read(path)
      .split('\n')
      .forEach((line, i) => {
        const code = line.replace(/^\s*(\/\/|\*|\/\*).*/, '');
        if (/\bMath\.random\(|\bDate\.now\(|\bnew Date\(|\bperformance\.now\(|\bhrtime\b/.test(code)) {
          found.push(`${path}:${i + 1}: ${line.trim()}`);
        }
      });
  }
  expect(found).toEqual([]);
});
