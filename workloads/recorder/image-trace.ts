import { UserError } from '../../sim/contract/assert.ts';
import { type EventBuffer, MALLOPT_NAMES, type MalloptName, type RecordedFacts } from '../../sim/contract/event.ts';
import { unpackMallctl } from '../../sim/contract/mallctl.ts';
import { type BlockId, createEventBuilder, type EventBuilder } from '../builder.ts';
import type { Oddities } from '../import/address-trace.ts';
import { ASSUMED_WRITES, OWN_HUGE_PAGES, OWN_HUGE_ZEROS, ZEROS_UNWRITTEN } from '../trace/assumed-writes.ts';
import { mostRows } from '../trace/columns.ts';
import { IDLE_AT_EXIT } from '../trace/idle-at-exit.ts';
import { PROCESSOR_WAITS } from '../trace/processor-waits.ts';
import { type CallFamily, createBlockRecords } from './block-records.ts';
import { endedBySignal } from './end-label.ts';
import { forEachRecord, LOG, type LogPart, type LogRecord } from './log.ts';
import { type BlockWrite, type Lookahead, lookAhead } from './lookahead.ts';
import { type ObservationText, observedTimes, observedValues, parseObservation } from './observation-text.ts';
import type { PageRun } from './page-runs.ts';
import { createRecordedJoins } from './recorded-joins.ts';
import { createRecordedSites } from './recorded-sites.ts';
import type { Symbolizer } from './symbols/symbolizer.ts';
import { createUnseenSum } from './unseen-writes.ts';
import { createZendRecords, isOfZend } from './zend-records.ts';

/** mallopt's parameters by their numbers in malloc.h. */
const PARAMETERS: ReadonlyMap<number, MalloptName> = new Map(
  ([1, -1, -2, -3, -4, -5, -6, -7, -8] as const).map((number, i) => [number, MALLOPT_NAMES[i]!]),
);

/** Blocks are found again by the mebibytes that they lie in. */
const GRANULE_BYTES = 2 ** 20;

export interface ImageTraceOptions {
  readonly name: string;
  readonly source: string;
  readonly quantumNs: number;
  /** Sample points, spread evenly over the events, beside those that were recorded. */
  readonly samples: number;
  readonly nsPerTick: number;
  readonly pageBytes: number;
  /** The log of the image, behind the parts of the logs that it shares with those that it was forked from. */
  readonly parts: readonly LogPart[];
  /** The thread that a fork's child goes on with. */
  readonly forkThread: number;
  /** Whether the allocator clears up in a destructor of its own (jemalloc's tsd_cleanup), not behind all of them (glibc's __libc_thread_freeres). */
  readonly clearsUpFirst: boolean;
  /** The signal that ended the process, where one did. */
  readonly signal: number | undefined;
  readonly symbolizer: Symbolizer;
  readonly isRecorder: (mappingName: string) => boolean;
  /** The header's facts, from what was seen at the start. */
  readonly facts: (start: ObservationText | undefined, threadNames: RecordedFacts['threadNames']) => RecordedFacts;
}

export interface ImageTrace {
  readonly events: EventBuffer;
  readonly oddities: Oddities;
  readonly threads: number;
  /** Allocations and frees of the image itself. */
  readonly calls: number;
  readonly residentPeakBytes: number;
  /** Bytes of large blocks of which it is assumed what was written. */
  readonly assumedBytes: number;
  /** Of these, of blocks that were not looked at. */
  readonly unseenBytes: number;
  /** Bytes of zeros in huge pages, taken as not written. */
  readonly zeroBytes: number;
  /** What exit was given, where it was seen. */
  readonly exitStatus: number | undefined;
  readonly start: ObservationText | undefined;
}

/** Rows that room is made for beforehand; a trace with more of them makes more. */
const ROWS_AHEAD_MAX = 2 ** 24;

/** Only a log that is not whole has such times: doubles count nanoseconds up to here, for 104 days. */
const TIME_END_NS = 2 ** 53;

/** Makes the trace of one process image, in two passes over its log: the first finds what later records say of earlier ones. */
export function traceOfImage(options: ImageTraceOptions): ImageTrace {
  const { parts, quantumNs, nsPerTick, pageBytes } = options;
  const sites = createRecordedSites();
  const ahead = lookAhead(parts, pageBytes, sites);
  const builder = createEventBuilder({
    name: options.name,
    source: options.source,
    wide: true,
    rows: Math.min(ahead.records, ROWS_AHEAD_MAX, mostRows()),
  });
  if (sites.count > 0) sites.symbolize(options.symbolizer);
  const { lastOf, exitOf, ownFrom } = ahead;
  const every = Math.max(1, Math.floor((ahead.records - ownFrom) / Math.max(1, options.samples)));

  const oddities: Record<string, number> = {};
  const unseen = createUnseenSum();
  const granules = new Set<number>();
  const exiting = new Set<number>();
  const gone = new Set<number>();
  const threads = new Set<number>();
  /** By thread, the site of its allocations from here on. */
  const siteOf = new Map<number, number>();
  const threadOfId = new Map<number, number>();
  const threadNames = new Map<number, string>();
  const joins = createRecordedJoins(builder, nsPerTick);
  let lastGranule = -1;
  let clock: number | undefined;
  let [index, partIndex] = [-1, 0];
  let isOwn = false;
  let [residentPeakBytes, waitedNs] = [0, 0];
  let [lastThread, exitThread] = [0, -1];
  let [exitStatus, idleNs]: [number | undefined, number] = [undefined, 0];
  let start: ObservationText | undefined;

  function odd(what: string): void {
    oddities[what] = (oddities[what] ?? 0) + 1;
  }

  function tick(ns: number): void {
    clock ??= ns;
    if (ns - clock < quantumNs) return;
    if (ns >= TIME_END_NS) {
      throw new UserError(`${options.name}: found ${ns} ns in the log of its recording, expected less than 2^53`);
    }
    builder.clock(Math.round(ns - clock));
    clock = ns;
  }

  function write(thread: number, block: BlockId, address: number, run: PageRun): void {
    const size = builder.sizeOf(block);
    const into = (address * 8) % pageBytes;
    const found = writtenBytes(size, into, run, pageBytes);
    if (found) builder.write(thread, block, found.from, found.length);
  }

  function placed(address: number, size: number): void {
    const granule = Math.floor(address / (GRANULE_BYTES / 8));
    if (granule === lastGranule && size <= GRANULE_BYTES) return;
    lastGranule = granule;
    const count = Math.min(4096, Math.max(1, Math.ceil(size / GRANULE_BYTES)));
    for (let i = 0; i < count; i++) granules.add(granule + i);
  }

  const context = {
    annotate: builder.annotate,
    odd,
    siteOf: (thread: number) => siteOf.get(thread) ?? 0,
    writtenAtOnce: () => ahead.atAllocation.get(index),
    unseen: unseen.note,
    write,
    placed,
  };
  const blocks = createBlockRecords(mallocsOf(builder), context);
  const zend = createZendRecords(builder, { ...context, unseen: () => {} }, ahead.zendCounts);

  function sample(r: LogRecord): void {
    const observed = parseObservation(r.text);
    for (const [id, name] of observed.threadNames) {
      const thread = threadOfId.get(id);
      if (thread !== undefined) threadNames.set(thread, name);
    }
    if (observed.label === 'start') {
      start = observed;
    } else if (isOwn) {
      // A fork's child has the first look of what it was forked from, and waits of its own.
      const before = parts.length === 1 && start ? waitedIn(start) : 0;
      waitedNs = threads.size > 1 ? 0 : Math.max(waitedNs, waitedIn(observed) - before);
      residentPeakBytes = Math.max(residentPeakBytes, observed.status.get('VmHWM') ?? 0);
      builder.sample(observed.label);
      const holdsBlocks = (from: number, end: number) => {
        for (let g = Math.floor(from / GRANULE_BYTES); g * GRANULE_BYTES < end; g++) if (granules.has(g)) return true;
        return false;
      };
      const seen = observedValues(observed, holdsBlocks, options.isRecorder);
      const values = [...seen, ...observedTimes(observed, parts.length > 1 ? undefined : start, nsPerTick)];
      if (values.length > 0) builder.observe(values);
      endLife();
    }
    for (const behind of ahead.behindSample.get(index) ?? []) writeBehind(behind);
  }

  function writeBehind(behind: BlockWrite): void {
    const own = blocks.at(behind.address);
    const block = own >= 0 ? own : zend.at(behind.address);
    if (block >= 0) write(lastThread, block, behind.address, behind);
  }

  function endLife(): void {
    if (exitThread < 0) return;
    builder.exit(exitThread);
    exitThread = -1;
  }

  /** The exit is logged by a destructor in each of their rounds; what the thread did after it comes before the exit here. */
  function leave({ thread }: LogRecord): void {
    const end = (options.clearsUpFirst ? exitOf.get(thread) : undefined) ?? lastOf.get(thread) ?? 0;
    if (!exiting.has(thread) || index < end) return;
    exiting.delete(thread);
    gone.add(thread);
    builder.threadExit(thread);
  }

  function visit(r: LogRecord): void {
    index++;
    if (r.op === LOG.SAMPLE) {
      sample(r);
      return;
    }
    if (isOwn && options.samples > 0 && index > ownFrom && (index - ownFrom) % every === 0) {
      const number = (index - ownFrom) / every;
      if (number < options.samples) builder.sample(`s${number}`);
    }
    if (r.op !== LOG.SEEN && r.op !== LOG.CUT) tick(r.ticks * nsPerTick);
    lastThread = r.thread;
    if (isOfZend(r.op)) zend.event(r, isOwn);
    else event(r);
    if (isOwn) threads.add(r.thread);
    if (exiting.size > 0) leave(r);
  }

  function event(r: LogRecord): void {
    switch (r.op) {
      case LOG.MALLOC:
        blocks.allocate(r);
        return;
      case LOG.FREE:
        blocks.free(r);
        return;
      case LOG.CALLOC:
        blocks.allocateCleared(r);
        return;
      case LOG.MEMALIGN:
        blocks.memalign(r);
        return;
      case LOG.REALLOC_BEGIN:
        blocks.resizeBegin(r);
        return;
      case LOG.REALLOC_END:
        blocks.resizeEnd(r);
        return;
      case LOG.SITE:
        siteOf.set(r.thread, sites.siteIn(partIndex, r.a, builder));
        return;
      case LOG.TRIM:
        builder.trim(r.thread, Math.min(r.a, 0xffffffff));
        return;
      case LOG.MALLOPT:
      case LOG.MALLCTL:
        setOption(r, builder, odd);
        return;
      case LOG.THREAD:
        threadOfId.set(r.a, r.thread);
        gone.delete(r.thread);
        joins.begins(r);
        return;
      case LOG.THREAD_EXIT:
        threadNames.set(r.thread, r.text);
        if (!gone.has(r.thread)) exiting.add(r.thread);
        joins.exits(r);
        return;
      case LOG.CREATES:
        joins.creates(r, ahead.madeAt.get(index));
        return;
      case LOG.JOINED:
        joins.joined(r);
        return;
      case LOG.EXIT:
        endLife();
        exitThread = r.thread;
        [exitStatus, idleNs] = [r.a & 0xff, r.b * nsPerTick];
        return;
      case LOG.CUT:
        odd('calls that were cut short');
    }
  }

  parts.forEach((part, i) => {
    partIndex = i;
    siteOf.clear();
    isOwn = i === parts.length - 1;
    if (isOwn && i > 0) {
      blocks.settleMoving();
      zend.settleMoving();
      exiting.clear();
      blocks.takeCalls();
      zend.takeCalls();
      endLife();
      builder.fork(options.forkThread);
      threads.add(options.forkThread);
    }
    forEachRecord(part, visit);
  });
  endLife();
  blocks.finish();
  zend.finish();
  builder.sample(options.signal !== undefined && exitStatus === undefined ? endedBySignal(options.signal) : 'end');
  const assumedBytes = ahead.assumedBytes + unseen.guessedBytes();
  const facts = options.facts(start, namesOf(threads, threadNames));
  return {
    events: builder.finish(withKnown(facts, { ...ahead, assumedBytes, idleNs, waitedNs })),
    oddities,
    threads: threads.size,
    calls: blocks.takeCalls() + zend.takeCalls(),
    residentPeakBytes,
    assumedBytes: ahead.assumedBytes + unseen.bytes(),
    unseenBytes: unseen.bytes(),
    zeroBytes: ahead.zeroBytes,
    exitStatus,
    start,
  };
}

const mallocsOf = ({ malloc, calloc, realloc, free, memalign }: EventBuilder): CallFamily => ({
  allocate: malloc,
  allocateCleared: calloc,
  resize: realloc,
  free,
  memalign,
});

/** 0 where the kernel does not tell. */
const waitedIn = ({ times }: ObservationText): number => times.get('WaitedNs') ?? 0;

type Known = Pick<Lookahead, 'assumedBytes' | 'zeroBytes' | 'advisedBytes' | 'ownHugeBytes'> & {
  readonly idleNs: number;
  readonly waitedNs: number;
};

/** With those of them that there are. */
function withKnown(facts: RecordedFacts, k: Known): RecordedFacts {
  const known: [string, number][] = [
    [ASSUMED_WRITES, k.assumedBytes],
    [ZEROS_UNWRITTEN, k.zeroBytes],
    [OWN_HUGE_PAGES, k.advisedBytes],
    [OWN_HUGE_ZEROS, k.ownHugeBytes],
    [IDLE_AT_EXIT, k.idleNs],
    [PROCESSOR_WAITS, k.waitedNs],
  ];
  const told = known.flatMap(([key, n]) => (n === 0 ? [] : [[key, String(Math.round(n))] as const]));
  return { ...facts, machine: [...facts.machine, ...told] };
}

/** Calls of mallctl that are told by name alone: as native/mallctl.c has them, which counts them from 128 on. */
const MALLCTLS_NOT_REPLAYED = [
  'arenas.create', 'arena.<i>.reset', 'arena.<i>.destroy', 'thread.idle', 'tcache.create', 'tcache.flush', 'tcache.destroy',
  'thread.arena', 'thread.tcache.enabled', 'arena.<i>.dss', 'arena.<i>.extent_hooks', 'arena.<i>.retain_grow_limit',
]; // biome-ignore format: a table
const NOT_REPLAYED_FROM = 128;

/** A call that sets something in the allocator, or asks it for something. */
function setOption(r: LogRecord, builder: EventBuilder, odd: (what: string) => void): void {
  if (r.op === LOG.MALLOPT) {
    const name = PARAMETERS.get(r.a | 0);
    if (name) builder.mallopt(r.thread, name, r.b | 0);
    else odd('calls of mallopt with a parameter that does nothing');
    return;
  }
  const call = unpackMallctl(r.a, r.b);
  if (call) builder.mallctl(r.thread, call);
  else odd(`calls of mallctl("${MALLCTLS_NOT_REPLAYED[r.a - NOT_REPLAYED_FROM] ?? '?'}"), which are not replayed`);
}

function namesOf(threads: ReadonlySet<number>, names: ReadonlyMap<number, string>): RecordedFacts['threadNames'] {
  return [...names]
    .filter(([thread, name]) => threads.has(thread) && name !== '')
    .sort(([one], [other]) => one - other);
}

/**
 * Of a block that begins `into` its first page. Where in a page something was written is not known: a run reaches so far that it is as many pages
 * wherever the block lies in another run. What was written to both ends was written in full.
 */
function writtenBytes(
  size: number,
  into: number,
  run: PageRun,
  pageBytes: number,
): { readonly from: number; readonly length: number } | undefined {
  const count = Math.min(run.count, Math.ceil((into + size) / pageBytes) - run.first);
  if (count <= 0) return undefined;
  const from = run.first * pageBytes - into;
  const isToEnd = from + count * pageBytes >= size;
  const length = (count - 1) * pageBytes + 1; // from a byte of the first page to the same of the last one
  if (from <= 0) return { from: 0, length: isToEnd ? size : length };
  return { from: isToEnd ? size - length : from + pageBytes / 2, length };
}
