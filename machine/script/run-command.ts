import { Heap } from '../heap/heap.ts';
import type { Call } from './command-words.ts';
import type { HeapFigures, MachineRun, ScriptProcess } from './machine-run.ts';

const SIGABRT = 6;
const SIGKILL = 9;

/** The words of `run WORKLOAD [under ALLOCATOR] [until EVENT]`. */
export interface RunWords {
  readonly workload: string;
  readonly allocator: string;
  /** A number of events or a sample point's label; to the end where absent. */
  readonly until: string | undefined;
}

export function runWordsOf(words: readonly string[]): RunWords {
  const after = (key: string) => {
    const at = words.indexOf(key, 1);
    return at < 0 ? undefined : words[at + 1];
  };
  return { workload: words[0]!, allocator: after('under') ?? 'glibc', until: after('until') };
}

/** A whole number of the pieces in which a heap executes them anyway. */
const EVENTS_A_BREATH = 2 ** 17;

/** Replays the workload in the process, from where it was left; the answer is the number of events done so far. */
export function* runCommand(run: MachineRun, process: ScriptProcess, words: readonly string[]): Call {
  const { k } = run;
  const { workload, allocator, until } = runWordsOf(words);
  process.heap ??= new Heap(k, process.task, run.program(workload, allocator));
  const { heap } = process;
  if (heap.program.workload !== workload || heap.program.allocator !== allocator) return 'EBUSY';
  const end = until === undefined ? undefined : /^\d+$/.test(until) ? Number(until) : heap.eventOf(until);
  if (until !== undefined && end === undefined) return 'ENOENT';
  for (;;) {
    const piece = heap.events + EVENTS_A_BREATH;
    const stop = heap.advance(Math.min(end ?? Infinity, piece));
    if (stop === 'there') {
      if (heap.events < piece || heap.done || heap.events === end) return heap.events;
      yield 'breath';
      continue;
    }
    if (stop === 'sleeps' || stop === 'turn') {
      yield stop === 'turn' ? { untilUs: k.nowUs, for: 'turn' } : { untilUs: k.nowUs + heap.sleepUs, for: 'memory' };
      if (!process.alive) return 0;
      continue;
    }
    run.die(process.task, 'signal', stop === 'aborted' ? SIGABRT : SIGKILL);
    return 0;
  }
}

export function heapFigures(heap: Heap): HeapFigures {
  const { residency } = heap.parts.machine.kernel;
  return {
    events: heap.events,
    of: heap.program.events.length,
    faults: residency.faults(),
    rss_kb: residency.residentPages() * 4,
    vsz_kb: heap.parts.machine.kernel.mappedPages() * 4,
    ...(heap.failedAllocations > 0 ? { failed: heap.failedAllocations } : {}),
  };
}
