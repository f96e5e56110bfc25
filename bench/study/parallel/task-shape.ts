import { parseAllocator } from '../../../allocators/spec.ts';
import { machineShape, shapeOfRun } from '../../run/machine-shape.ts';
import type { Task } from './task.ts';

/** Columns that this process has sent, by their memory: whoever gets them gets other objects each time. */
const traces = new WeakMap<ArrayBufferLike, number>();
let known = 0;

function traceName(columns: ArrayBufferLike): string {
  let number = traces.get(columns);
  if (number === undefined) traces.set(columns, (number = ++known));
  return `${number}`;
}

/** As machineShape(); undefined for what is no single run of a trace that is here, with all its events, or in a file. */
export function shapeOf(task: Task): string | undefined {
  if ('observe' in task || 'machine' in task || 'fleet' in task) return undefined;
  const { events, file, allocator, record, touch } = task;
  if (record) return undefined;
  const spec = parseAllocator(allocator, task.cpus);
  if (file) {
    const { sha256: trace, rows, threads } = file;
    return shapeOfRun({ ...task, touch, spec, trace, rows, threads, isTimed: false }); // recorded times need all rows
  }
  return events && machineShape({ ...task, events, spec }, traceName(events.head.buffer));
}
