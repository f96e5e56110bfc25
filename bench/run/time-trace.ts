import { jsonText } from '../../sim/contract/escape.ts';
import type { Ns } from '../../sim/contract/units.ts';
import type { TimeObserver } from '../../sim/time/time-observer.ts';
import type { LineSink } from '../../workloads/files/line-sink.ts';

const PROCESSORS = 1;
const THREADS = 2;
const LOCKS = 3;
const WAITS = 4;

/** Writes a run in virtual time as a trace that Perfetto and Chrome show: tracks of processors, threads and locks. */
export interface TimeTrace extends TimeObserver {
  /** The run is over. */
  end(): void;
}

export interface TimeTraceOptions {
  readonly sink: LineSink;
  /** Thread numbers as in the trace, by thread. */
  readonly ids: ArrayLike<number>;
  readonly cpus: number;
  readonly lockName: (id: number) => string;
}

/** The JSON object format of Chrome's trace events: complete events (`X`), microseconds. */
export function createTimeTrace({ sink, ids, cpus, lockName }: TimeTraceOptions): TimeTrace {
  const namedLocks = new Set<number>();
  const threadName = (t: number): string => (ids[t] === 0 ? 'main thread' : `thread ${ids[t]!}`);
  let separator = '';

  function put(event: object): void {
    sink.write(separator + jsonText(event));
    separator = ',';
  }

  function name(pid: number, tid: number, text: string): void {
    put({ ph: 'M', name: 'thread_name', pid, tid, args: { name: text } });
  }

  function span(pid: number, tid: number, text: string, from: Ns, to: Ns): void {
    if (to > from) put({ ph: 'X', name: text, pid, tid, ts: from / 1000, dur: (to - from) / 1000 });
  }

  sink.write('{"displayTimeUnit":"ns","traceEvents":[');
  for (const [pid, text] of [
    [PROCESSORS, 'processors'],
    [THREADS, 'threads'],
    [LOCKS, 'locks'],
    [WAITS, 'waits for locks'],
  ] as const) {
    put({ ph: 'M', name: 'process_name', pid, args: { name: text } });
  }
  for (let p = 0; p < cpus; p++) name(PROCESSORS, p, `processor ${p}`);
  // A wait may begin on one processor and end on another: beside what the thread does, since stretches of a track must not overlap.
  for (let t = 0; t < ids.length; t++) for (const pid of [THREADS, WAITS]) name(pid, t, threadName(t));

  return {
    ran(t, p, from, to, isLooking) {
      const text = isLooking ? 'looks for another thread' : `on processor ${p}`;
      span(PROCESSORS, p, isLooking ? `${threadName(t)}, looking` : threadName(t), from, to);
      span(THREADS, t, text, from, to);
    },
    wasReady: (t, from, to) => span(THREADS, t, 'ready', from, to),
    waited: (t, id, from, to) => span(WAITS, t, lockName(id), from, to),
    held(t, id, from, to) {
      if (!namedLocks.has(id)) {
        namedLocks.add(id);
        name(LOCKS, id, lockName(id));
      }
      span(LOCKS, id, threadName(t), from, to);
    },
    end: () => sink.write(']}'),
  };
}
