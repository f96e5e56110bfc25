import { z } from 'zod';
import { UserError } from '../../sim/contract/assert.ts';
import { issueText } from '../../sim/contract/issue-text.ts';
import { STARTS } from '../../sim/contract/start.ts';
import { SYSCALLS } from '../../sim/kernel/kernel.ts';
import { RESULT_SCHEMA, type RunResult } from '../run/result.ts';

const bytes = z.number().describe('bytes');
const ns = z.number().describe('nanoseconds of virtual time');
const count = z.number().int().nonnegative();
const share = z.number().describe('0 to 1');

export const breakdownSchema = z
  .object({
    requested: bytes,
    slack: bytes,
    metadata: bytes,
    cached: bytes,
    pinned: bytes,
    returnable: bytes,
  })
  .describe('every resident byte in exactly one class; the classes add up to rssBytes');

const statsSchema = z.record(z.string(), z.json()).describe('the model’s statistics under the real allocator’s names');

const syscallsSchema = z.object(
  Object.fromEntries(SYSCALLS.map((name) => [name, count])) as Record<(typeof SYSCALLS)[number], typeof count>,
);

const sampleFields = {
  virtualNs: ns,
  rssBytes: bytes,
  vszBytes: bytes,
  requestedBytes: bytes,
  usableBytes: bytes,
  liveBlocks: count,
  breakdown: breakdownSchema,
  withinSlabsBytes: bytes
    .default(0)
    .describe('of returnable: pages of slabs and chunks that hold something else, given back only with the whole'),
  internalFragmentation: share,
  externalFragmentation: share,
  faults: count,
  hugeFaults: count,
};

export const sampleSchema = z.object({
  label: z.string(),
  event: count.describe('event index of the sample point; the number of events for the one at the end'),
  ...sampleFields,
  syscalls: syscallsSchema,
  stats: statsSchema,
});

const recordedFields = {
  label: z.string(),
  event: count,
};

export const recordedProcessSampleSchema = z.object({
  ...recordedFields,
  heap: bytes.describe('simulated'),
  anonymous: bytes,
  stack: bytes,
  data: bytes.describe('pages of files that the process has written'),
  files: bytes,
  recorder: bytes.describe('there for the recording alone'),
  vmRss: bytes.describe('recorded: the sum of the above and the difference'),
  difference: bytes,
  inBlocks: bytes.describe('of the difference, what lies in mappings with blocks'),
});

const phpNumbersSchema = z.object({ usage: bytes, realUsage: bytes });

const recordedProcessSchema = z
  .object({
    samples: z.array(recordedProcessSampleSchema),
    phpHeap: z
      .array(z.object({ ...recordedFields, recorded: phpNumbersSchema, simulated: phpNumbersSchema }))
      .describe('memory_get_usage() and memory_get_usage(true)'),
    peakBytes: bytes
      .nullable()
      .default(null)
      .describe(
        'most of the heap: VmHWM, without what was beside it; null: not known, or the run has another allocator',
      ),
  })
  .describe('a recorded process at its samples, resident bytes');

const percentilesSchema = z.object({ count, p50: ns, p99: ns, p999: ns, max: ns });

export const runDescriptionSchema = z.object({
  workload: z.string(),
  parameters: z.record(z.string(), z.union([z.number(), z.string(), z.boolean()])),
  allocator: z.string().describe('as it may be given to --allocator again'),
  options: z.record(z.string(), z.json()).describe('every option resolved; of a layer below under `below`'),
  mode: z.enum(['lockstep', 'virtual', 'threads']),
  cpus: count,
  pace: z.enum(['asap', 'recorded', 'replay']),
  timeReason: z.string().nullable().default(null).describe('why this mode and pace'),
  until: z.string().nullable().default(null).describe('the moment that it ends at, as in --at; null: the end'),
  touch: z.enum(['full', 'first', 'none']),
  kernel: z.enum(['6.1', '6.18']),
  seed: z.number().int(),
  version: z.string(),
});

const lockSchema = z.object({
  name: z.string(),
  acquisitions: count,
  contended: count,
  failedTries: count.describe('attempts that found it taken and did not wait'),
  waitNs: z
    .object({ total: ns, p50: ns, p99: ns, max: ns })
    .describe('from the call to the acquisition, time without a processor included'),
  holdNs: ns,
  ownerSwitches: count,
  futexWaits: count,
  futexWakes: count,
});

const concurrencySchema = z
  .object({
    processors: z
      .object({
        topology: z.string().describe('where they lie to each other'),
        prices: z
          .object({
            name: z.string(),
            origin: z.enum(['calibrated', 'published', 'stated']),
            cpus: count.nullable().describe('processors that they were measured with'),
          })
          .optional(),
        hz: count,
        start: z.enum(STARTS),
        busyNs: ns,
        kernelNs: ns.describe('of these in the kernel, where they may wait for its locks'),
        idleNs: ns,
      })
      .optional()
      .describe('all together, in virtual time'),
    threads: z.array(
      z.object({
        thread: count,
        events: count,
        runningNs: ns,
        waitingNs: ns.describe('for locks, asleep or spinning'),
        readyNs: ns.describe('with no processor free, whatever it waited for before'),
        blockedNs: ns.describe('for what another thread had yet to do'),
        contextSwitches: count,
      }),
    ),
    timeline: z
      .object({
        widthNs: ns,
        locks: z.array(ns),
        kernelLocks: z.array(ns),
        processors: z.array(ns),
        otherThreads: z.array(ns),
      })
      .nullable()
      .describe('waiting, summed over the threads, in each stretch of the run'),
    allocations: count,
    frees: count,
    crossThreadFrees: count,
    threadCacheHitRate: z.number(),
    lockHitRate: z.number(),
    operations: z.record(z.string(), z.number()),
  })
  .nullable()
  .describe('null in lockstep, which has no contention');

const geometry = z.object({ entries: count, ways: count });

const tlbSchema = z
  .object({
    settings: z.object({
      name: z.string(),
      l1: geometry,
      l1Huge: geometry.describe('no entries where huge pages share those of l1'),
      l2: geometry,
      walkCache: count,
      l2Cycles: count,
      refCycles: count,
      loadsAre: z.enum(['accesses', 'l1-misses']),
      reads: count,
      step: bytes,
    }),
    counts: z.object({
      loads: count,
      stores: count,
      loadL1Misses: count,
      storeL1Misses: count,
      loadWalks: count,
      storeWalks: count,
      faultWalks: count,
      walkRefs: count,
      flushes: count,
    }),
  })
  .describe('the data TLBs of all threads, where --tlb asked for them');

/** What `sim run --json` writes. */
export const runResultSchema = z.object({
  schema: z.literal(RESULT_SCHEMA),
  run: runDescriptionSchema,
  partial: z.boolean().describe('true where the run was interrupted'),
  abort: z
    .object({ event: count, message: z.string() })
    .nullable()
    .describe('what the real allocator would have written before it aborted'),
  summary: z.object({
    ...sampleFields,
    rssPeakBytes: bytes,
    vszPeakBytes: bytes,
    requestedPeakBytes: bytes,
    blowup: z.number().nullable(),
    syscalls: syscallsSchema.extend({ futex: count }),
    failedAllocations: count,
    skippedEvents: count,
    latencyNs: z.object({ malloc: percentilesSchema, free: percentilesSchema }).nullable(),
    cpuNs: ns.nullable(),
    waitNs: ns.nullable(),
  }),
  samples: z.array(sampleSchema),
  recordedProcess: recordedProcessSchema.nullable().default(null),
  locks: z.array(lockSchema),
  concurrency: concurrencySchema,
  operations: z.record(z.string(), z.number()).optional().describe('in file order: how often each was counted'),
  outOfOrder: z
    .object({ requestedPeakBytes: bytes })
    .optional()
    .describe('threads got out of the order of the trace, in which the program asks for so much at most'),
  tlb: tlbSchema.optional(),
  stats: statsSchema,
  notModelled: z.array(z.string()),
  engine: z
    .object({ events: count, replayNs: z.number(), loadNs: z.number(), hostRssBytes: z.number() })
    .describe('host figures: the only part that differs from run to run'),
});

/** Reads a result back; `source` stands before the message. */
export function parseResult(value: unknown, source: string): RunResult {
  return parseWith(runResultSchema, value, source) as RunResult;
}

/** One line that says where the value departs from the schema. */
export function parseWith<T>(schema: z.ZodType<T>, value: unknown, source: string): T {
  const parsed = schema.safeParse(value, { reportInput: true });
  if (parsed.success) return parsed.data;
  const { issues } = parsed.error;
  // A word that is not known explains why another one is missing.
  const issue = issues.find(({ code }) => code === 'unrecognized_keys') ?? issues[0]!;
  throw new UserError(`${source}: ${issueText(issue, schema)}`);
}
