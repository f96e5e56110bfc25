import { z } from 'zod';
import { EXPLANATION_SCHEMA } from '../study/explain/explanation.ts';
import {
  breakdownSchema,
  recordedProcessSampleSchema,
  runDescriptionSchema,
  runResultSchema,
  sampleSchema,
} from './result.ts';

const bytes = z.number().describe('bytes');
const event = z.number().int().nonnegative().describe('event index');

const floorsSchema = z
  .tuple([bytes, bytes, bytes, bytes])
  .describe('least requested bytes in each quarter of the events');

const areaSchema = z.object({
  name: z.string(),
  kind: z.enum(['heap', 'extent', 'slab', 'chunk', 'mapped', 'metadata']),
  start: z.number().describe('simulated address'),
  end: z.number(),
  mappedBytes: bytes,
  residentBytes: bytes,
  breakdown: breakdownSchema,
  withinSlabsBytes: bytes.default(0),
  liveBlocks: z.number().int(),
  largestFreeBytes: bytes,
  endFreeBytes: bytes.default(0).describe('free memory at its end, resident or not: what a threshold is compared with'),
  wholeFree: z
    .object({
      atEnd: bytes,
      belowFreed: bytes.describe('below freed chunks of thread caches and fastbins alone'),
      belowOwn: bytes.describe('below a structure of the allocator, no live block'),
      belowLive: bytes,
    })
    .nullable()
    .default(null)
    .describe('of a heap: whole free resident pages by what lies above them; adds up to returnable'),
});

const returnSchema = z.object({
  call: z.string(),
  flushesCaches: z.boolean(),
  returnsBytes: bytes.describe('by how much the resident bytes would fall'),
  returnValue: z.boolean().optional(),
  byArea: z.array(z.object({ index: z.number().int().describe('in areas'), area: z.string(), returnsBytes: bytes })),
});

const pinningSchema = z.object({
  area: z.string(),
  blocks: z.array(
    z.object({
      event,
      thread: z.number().int(),
      address: z.number().describe('as the real process would show it'),
      requestedBytes: bytes,
      usableBytes: bytes,
      freedByThread: z.number().int(),
    }),
  ),
  ownBytes: bytes,
  freeReturnsBytes: bytes.describe('measured: the blocks are freed, nothing else is done'),
  purgeReturnsBytes: bytes.describe('measured: freed, then asked for everything; beyond what asking alone returns'),
  returnsBytes: bytes,
  by: z.enum(['free', 'free and trim', 'free, flush and purge']),
  line: z.string().optional().describe('the line of code that allocated the first block; with call sites'),
});

const pasteSchema = z.object({ shell: z.string(), systemd: z.string(), dockerfile: z.string() });

const ordersSchema = z
  .object({
    leastBytes: bytes,
    mostBytes: bytes,
    leftOut: z.number().int().default(0).describe('runs that held more at once than the program did'),
    leftOutMostBytes: bytes.default(0).describe('the most that one of these leaves'),
  })
  .nullable();

const whatIfSchema = z.object({
  setting: z.string(),
  about: z.string(),
  allocator: z.string(),
  rssBytes: bytes,
  orders: ordersSchema.describe(
    'resident bytes over several orders of the threads’ calls and, where jemalloc’s decay makes them chance, other layouts of the process and paces; null: not asked for',
  ),
  rssPeakBytes: bytes,
  vszBytes: bytes,
  breakdown: breakdownSchema,
  faults: z.number().int(),
  syscalls: z.number().int(),
  mechanism: z.string().describe('what it is meant to mend'),
  workNs: z
    .number()
    .default(0)
    .describe(
      'the price of what was counted in file order, locks and waits aside; where one thread was timed, its time, or that as it is and the price of what was counted more',
    ),
  cpuNs: z.number().nullable().describe('work of all threads, virtual time; null: not asked for'),
  cpuMostNs: z
    .number()
    .nullable()
    .default(null)
    .describe('… in the order of the threads’ calls in which it takes most more'),
  lockWaitNs: z.number().nullable(),
  timedFaults: z.number().int().nullable().default(null).describe('as cpuNs'),
  timedSyscalls: z.number().int().nullable().default(null).describe('as cpuNs'),
  failed: z.boolean(),
  thp: z.enum(['never', 'madvise', 'always']).nullable(),
  paste: pasteSchema.nullable(),
});

/** What `sim explain --json` writes. */
export const explanationSchema = z.object({
  schema: z.literal(EXPLANATION_SCHEMA),
  run: runDescriptionSchema,
  event,
  moment: z.object({ kind: z.enum(['label', 'event', 'peak', 'exit', 'end']), about: z.string() }),
  rssPeakBytes: bytes,
  abort: runResultSchema.shape.abort,
  workNs: z
    .number()
    .default(0)
    .describe(
      'the price of what was counted up to there, as that of each setting; the time of one thread that was timed',
    ),
  programNs: z
    .number()
    .nullable()
    .default(null)
    .describe('processor time of the recorded program up to there, without the recorder’s; null: not recorded'),
  sample: sampleSchema,
  areas: z.array(areaSchema),
  returns: z.array(returnSchema).min(1),
  pinning: z.array(pinningSchema),
  heldPages: z.array(
    z.object({ address: z.number(), freeBytes: bytes, events: z.array(event), cached: z.literal(true).optional() }),
  ),
  tunables: z.record(z.string(), z.number()).nullable(),
  tunableChanges: z.array(
    z.object({
      event,
      cause: z.string(),
      causedBy: z.enum(['mallopt', 'free', 'realloc', 'request end']),
      blockBytes: bytes.optional(),
      changes: z.record(z.string(), z.tuple([z.number(), z.number()])),
    }),
  ),
  python: z
    .enum(['arenas', 'malloc'])
    .nullable()
    .default(null)
    .describe('what serves small objects of a program in Python: its own arenas, which no event tells of, or malloc'),
  growth: z.object({
    floors: floorsSchema,
    rises: z.boolean(),
    parts: z
      .array(
        z.object({
          line: z.string().nullable().describe('that allocates it; null without call sites'),
          sizes: z.tuple([bytes, bytes]).nullable().describe('requested, without call sites; null: grown by realloc'),
          bytes: bytes.describe('that it grew by and holds'),
          blocks: z.number().int(),
          steps: z.number().int().describe('allocations and reallocs that it grew by, behind the first quarter'),
          grownByRealloc: z
            .number()
            .int()
            .describe('of the blocks those that realloc made larger, where they are most of it; else 0'),
          hasStopped: z.boolean().describe('next to nothing of it came in the last quarter of the recorded time'),
          floors: floorsSchema,
        }),
      )
      .default([])
      .describe('blocks of a line of code, or of about one size, of which there are ever more'),
    freed: z
      .object({ blocks: z.number().int(), bytes })
      .default({ blocks: 0, bytes: 0 })
      .describe('behind the first quarter of the events'),
    reallocBytes: bytes.default(0).describe('what lives of blocks that realloc made larger'),
  }),
  process: recordedProcessSampleSchema
    .nullable()
    .default(null)
    .describe('at the recorder’s look there, or at the nearest one'),
  processEventsLater: z
    .number()
    .int()
    .default(0)
    .describe('from the moment to that look, negative where it was before'),
  forked: z
    .object({ event, bytes: bytes.describe('resident of the heap there') })
    .nullable()
    .default(null)
    .describe('where another process forked it; null: nowhere'),
  assumedWriteBytes: bytes
    .default(0)
    .describe('of large blocks over the whole run: taken as written, though the recording did not see it'),
  recording: z
    .object({
      under: z.string().nullable().describe('allocator and huge pages of the process, where the run has others'),
      hadHugePages: z.boolean(),
      zeroBytes: bytes.describe('zeros on huge pages, which count as not written'),
      ownHugeBytes: bytes.describe('zeros on huge pages that the program asks for itself, which count as written'),
      advisedBytes: bytes.default(0).describe('for which it asks so: these huge pages are not simulated'),
      peak: z
        .object({ recordedBytes: bytes.describe('VmHWM, without what was beside the heap'), simulatedBytes: bytes })
        .nullable()
        .describe('of the heap up to the look; null: not known'),
    })
    .nullable()
    .default(null)
    .describe('null: not recorded'),
  sites: z
    .array(z.object({ stack: z.array(z.string()), held: bytes, pinned: bytes, freed: bytes }))
    .nullable()
    .describe('resident bytes by call stack, outermost caller first; null for a trace without call sites'),
  threads: z.number().int().default(0).describe('of the program; 0: an older explanation'),
  times: z
    .object({
      cpuNs: z.number(),
      lockWaitNs: z.number().nullable(),
      faults: z.number().int().default(0),
      syscalls: z.number().int().default(0),
      threadNs: z.number(),
    })
    .nullable()
    .default(null)
    .describe('of the run as it is up to there, virtual time, all threads; null: no setting was worth timing'),
  orders: ordersSchema.default(null).describe('of the run as it is; null: not asked for'),
  whatIf: z.array(whatIfSchema),
  partial: z.boolean().default(false).describe('interrupted: of the other settings only those that had been run'),
  verdict: z.object({
    kind: z.enum([
      'in use',
      'rounding',
      'leak',
      'cache',
      'retention by policy',
      'fragmentation by pinning',
      'metadata',
      'nothing',
    ]),
    shares: z.object({
      'in use': bytes.describe('requested: asked for and not freed yet'),
      rounding: bytes.describe('slack: in the same blocks, beyond what was asked for'),
      cache: bytes,
      'retention by policy': bytes,
      'fragmentation by pinning': bytes,
      metadata: bytes,
    }),
    headline: z.string(),
    sentences: z.array(z.string()),
    place: z.array(z.string()).default([]).describe('those of the sentences that say where most of it lies'),
    answer: z.array(z.string()).default([]).describe('those of the sentences that say what would change it'),
    advice: whatIfSchema.nullable(),
    alsoAdvised: whatIfSchema
      .nullable()
      .default(null)
      .describe('the other answer, where one setting lowers the memory and another the page faults'),
    pastes: z
      .array(pasteSchema.extend({ lead: z.string().describe('what it is for; empty where there is one') }))
      .default([])
      .describe('what is advised, ready to paste'),
    remedies: z
      .array(z.object({ place: z.string(), text: z.string() }))
      .default([])
      .describe('what mends it and is no setting of an allocator: php.ini, a pool of php-fpm, the program'),
    mechanisms: z.array(z.object({ name: z.string(), bytes, sentences: z.array(z.string()) })),
  }),
});
