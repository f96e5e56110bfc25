import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

// What a command loads before it does anything: the closure of its static imports. A module costs a third of a millisecond.

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const STATIC_IMPORT = /^(?:import|export)(?!\s+type\b)[^;'"]*?from\s+'([^']+)'|^import\s+'([^']+)'/gm;

/** Modules of the project, and packages, that `entries` load. */
function loadedBy(...entries: readonly string[]): { readonly modules: readonly string[]; readonly packages: string[] } {
  const modules = new Set<string>();
  const packages = new Set<string>();
  const visit = (path: string): void => {
    if (modules.has(path)) return;
    modules.add(path);
    for (const [, from, alone] of readFileSync(join(ROOT, path), 'utf8').matchAll(STATIC_IMPORT)) {
      const target = (from ?? alone)!;
      if (target.startsWith('.')) visit(join(dirname(path), target));
      else if (!target.startsWith('node:')) packages.add(target);
    }
  };
  for (const entry of entries) visit(entry);
  return { modules: [...modules], packages: [...packages].sort() };
}

const roomsOf = (modules: readonly string[], ...rooms: readonly string[]): readonly string[] =>
  modules.filter((path) => rooms.some((room) => path.startsWith(`${room}/`)));

test('sim --help loads no package, no model and no workload', () => {
  const { modules, packages } = loadedBy('bench/program.ts', 'bench/commands/help.ts');
  expect(packages).toEqual([]);
  expect(roomsOf(modules, 'allocators', 'machine', 'workloads/trace', 'workloads/generators', 'sim/kernel')).toEqual(
    [],
  );
});

test('the command line loads yargs alone', () => {
  const { modules, packages } = loadedBy('bench/commands/command-line.ts');
  expect(packages).toEqual(['yargs']);
  expect(roomsOf(modules, 'allocators', 'machine', 'sim/kernel', 'bench/study', 'bench/schema')).toEqual([]);
});

test('sim run loads no study, no pages, no other mode and no machine', () => {
  const { modules, packages } = loadedBy('bench/commands/run.ts');
  expect(packages).toEqual(['seedrandom']);
  const unneeded = ['bench/study', 'bench/schema', 'bench/benchmark', 'bench/evidence', 'bench/run/modes', 'machine'];
  expect(roomsOf(modules, ...unneeded, 'bench/report/text', 'bench/report/moments', 'bench/report/views')).toEqual([]);
});

test('a run in lockstep loads no other mode and no virtual time', () => {
  const { modules } = loadedBy('bench/run/run-in-mode.ts', 'bench/run/modes/lockstep.ts');
  expect(roomsOf(modules, 'bench/run/modes')).toEqual([
    'bench/run/modes/lockstep.ts',
    'bench/run/modes/lockstep-machine.ts',
  ]);
  expect(roomsOf(modules, 'sim/time', 'workloads', 'bench/report')).toEqual([]);
});

test('a worker of a batch loads models, and what runs only where its task asks for it', () => {
  const { modules, packages } = loadedBy('bench/study/parallel/worker.ts');
  expect(packages).toEqual([]);
  expect(roomsOf(modules, 'workloads', 'bench/metrics', 'bench/report', 'bench/run/modes')).toEqual([]);
});
