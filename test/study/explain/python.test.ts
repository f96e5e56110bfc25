import { expect, test } from 'vitest';
import { parseAllocator } from '../../../allocators/spec.ts';
import { explain } from '../../../bench/study/explain/explain.ts';
import type { Explanation } from '../../../bench/study/explain/explanation.ts';
import { pythonObjects } from '../../../bench/study/explain/recorded/python.ts';
import { judge } from '../../../bench/study/explain/verdict.ts';
import { bumpOptions, eventsOf } from '../../helpers/bump-run.ts';

test('Python is told by its files or its end, and its objects by PYTHONMALLOC', () => {
  const { recorded, labels } = eventsOf(['m 0 1 8']);
  const files = (name: string) => [{ bytes: 8192, residentBytes: 4096, name }];
  const set = (value: string) => ({ environment: [['PYTHONMALLOC', value] as const] });
  expect(pythonObjects({ recorded, labels })).toBeNull();
  expect(pythonObjects({ recorded: { ...recorded, ...set('malloc') }, labels })).toBeNull();
  for (const name of ['libpython3.11.so.1.0', 'python3.13']) {
    expect(pythonObjects({ recorded: { ...recorded, mappings: files(name) }, labels })).toBe('arenas');
  }
  expect(pythonObjects({ recorded: { ...recorded, mappings: files('libboost_python311.so.1') }, labels })).toBeNull();
  const ended = ['s1', 'Py_FinalizeEx'];
  expect(pythonObjects({ recorded, labels: ended })).toBe('arenas');
  expect(pythonObjects({ recorded: { ...recorded, ...set('pymalloc_debug') }, labels: ended })).toBe('arenas');
  expect(pythonObjects({ recorded: { ...recorded, ...set('malloc_debug') }, labels: ended })).toBe('malloc');
});

test('of Python its arenas are named beside the heap, and the request is written in Python', () => {
  const lines = Array.from({ length: 500 }, (_, i) => `m 0 ${i} 5000`);
  const frees = Array.from({ length: 499 }, (_, i) => `f 0 ${i}`);
  const seen = explain({ ...bumpOptions([...lines, ...frees]), spec: parseAllocator('glibc', 1), whatIf: false });
  const process = {
    ...{ label: 'Py_FinalizeEx', event: 900, heap: 2 ** 21, anonymous: 2 ** 25, stack: 4096, data: 4096 },
    ...{ files: 4096, recorder: 0, vmRss: 2 ** 26, difference: 0, inBlocks: 0 },
  };
  const of = (python: Explanation['python']) => judge({ ...seen, process, python });
  const pasted = (python: Explanation['python']) => of(python).remedies.map(({ place, text }) => `${place}: ${text}`);
  expect(of('arenas').sentences.join(' ')).toMatch(
    /and 4\.00 KiB of files\. Python keeps its objects.*PYTHONMALLOC=malloc/,
  );
  for (const python of ['malloc', null] as const) expect(of(python).sentences.join(' ')).not.toContain('Python');
  expect(pasted('malloc')).toEqual([expect.stringMatching(/^Python, here: returns .*ctypes.*malloc_trim\(0\)$/)]);
  expect(pasted(null)).toEqual([expect.stringMatching(/^C, here: returns .*malloc_trim\(0\);/)]);
});
