import { expect, test } from 'vitest';
import { parseAllocator } from '../../allocators/spec.ts';
import { residentRuns } from '../../fleet/engine/layout.ts';
import { requestEvents } from '../../fleet/engine/request-events.ts';
import { WorkerHeap } from '../../fleet/engine/worker-heap.ts';
import { eventsOf } from '../helpers/bump-run.ts';

const BLOCKS = 64;
const each = (line: (id: number) => string) => Array.from({ length: BLOCKS }, (_, id) => line(id));

test.each([
  ['malloc', 'm'],
  ['PHP', 'em'],
])('a write to blocks of %s that a worker has from its master makes their pages its own', (_, event) => {
  const lines = ['eb 0', ...each((id) => `${event} 0 ${id} 1000`), ...each((id) => `w 0 ${id} 0 1000`), 'ee 0'];
  const events = eventsOf(lines);
  const before = requestEvents(events, { from: 0, to: BLOCKS + 1 });
  const writes = requestEvents(events, { from: BLOCKS + 1, to: 2 * BLOCKS + 1 });
  const heap = new WorkerHeap({
    spec: parseAllocator('zendmm@8.2+glibc@2.36', 1),
    processors: 1,
    kernel: {},
    requests: [before, writes],
    touch: 'full',
  });
  heap.play(before);
  heap.fork();
  const shared = () =>
    residentRuns(heap.layout()).reduce((sum, { start, end, isShared }) => sum + (isShared ? end - start : 0), 0);
  const resident = () => residentRuns(heap.layout()).reduce((sum, { start, end }) => sum + end - start, 0);
  const inherited = shared();
  const all = resident();
  expect(inherited).toBe(all);
  heap.play(writes);
  // 64 blocks of 1,008 or 1,024 bytes lie one behind the other on 16 or 17 pages, each written for the first time.
  expect([16, 17]).toContain(inherited - shared());
  expect(resident()).toBe(all);
});
