import { expect, test } from 'vitest';
import { framesOfPerfMap } from '../../workloads/recorder/symbols/perf-map.ts';

test('the map of an engine names the code that it made; the last line for an address counts', () => {
  const text = [
    '1000 100 JS:*make file:///srv/app.js:12:20',
    '0x2000 0x10 Builtin:ArrayPush',
    '1080 80 JS:~ node:internal/util:598:30',
    'garbage',
    '3000 20 py::fetch:/srv/app.py',
    '',
  ].join('\n');
  const named = framesOfPerfMap(text, [0x1000, 0x107f, 0x1080, 0x10ff, 0x1100, 0x2000, 0x3001]);
  expect(
    [...named].sort(([one], [other]) => one - other).map(([at, f]) => [at, f.functionName, f.file, f.line]),
  ).toEqual([
    [0x1000, 'make', 'file:///srv/app.js', 12],
    [0x107f, 'make', 'file:///srv/app.js', 12],
    [0x1080, '(anonymous)', 'node:internal/util', 598],
    [0x10ff, '(anonymous)', 'node:internal/util', 598],
    [0x2000, 'Builtin:ArrayPush', '', 0],
    [0x3001, 'fetch', '/srv/app.py', 0],
  ]);
});
