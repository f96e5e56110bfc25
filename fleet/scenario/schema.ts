import { z } from 'zod';
import { durationUs, ratePerSecond, sizeBytes } from '../../sim/contract/quantities.ts';
import { parseLogLine } from '../requests/log-line.ts';

// The file's own words. Every object is strict: a word that is not known is a mistake, and is said with its line.
// `error` says what was expected (sim/contract/issue-text.ts).

/** `published`: what the JSON Schema says of it, so that an editor marks what `parse` refuses (test/schema holds them together). */
const quantity = (
  parse: (text: string | number) => number | undefined,
  expected: string,
  published: Readonly<Record<string, unknown>>,
) =>
  z
    .union([z.string(), z.number()], { error: expected })
    .refine((value) => parse(value) !== undefined, { error: expected })
    .meta({ description: expected, ...published });

const exactlyOne = (...words: string[]) => ({ oneOf: words.map((word) => ({ required: [word] })) });

const size = quantity(sizeBytes, 'a size such as 4096, 64K, 128M or 32G', {
  examples: ['128M'],
  pattern: '^\\s*\\d+(\\.\\d+)?\\s*[KMGTkmgt]?([Ii]?[Bb])?\\s*$',
  minimum: 0,
});
// Of numbers alone nothing but 0 is one.
const duration = quantity(durationUs, 'a duration such as 80ms, 10s, 5m, 72h or 30d', {
  examples: ['72h'],
  pattern: '^\\s*(0|(\\d+(\\.\\d+)?(us|ms|s|m|h|d))+)\\s*$',
  minimum: 0,
  maximum: 0,
});
const rate = quantity(ratePerSecond, 'a rate such as 2/s, 90/m or 50/h', {
  examples: ['2/s'],
  type: 'string',
  anyOf: undefined,
  pattern: '^\\s*\\d+(\\.\\d+)?\\s*/\\s*[smhd]\\s*$',
});
const name = z.string().regex(/^[A-Za-z][A-Za-z0-9_-]*$/, { error: 'a name of letters, digits, - and _' });
const count = z.number().int().min(0);
const share = z.number().min(0).max(1);

const path = z.string().regex(/^\/?[^\s/]+(\/[^\s/]+)*$/, { error: 'a path of names without spaces' });

const machineSchema = z.strictObject({
  memory: size.describe('of the machine'),
  processors: z.number().int().min(1).max(4096).default(1).describe('that it has'),
  kernel: z.enum(['6.1', '6.12', '6.18']).default('6.1').describe('version of Linux'),
  thp: z.enum(['always', 'madvise', 'never']).default('madvise').describe('transparent huge pages'),
  swap: size.default(0).describe('0: none'),
  swappiness: count.max(200).optional().describe('vm.swappiness'),
  reserve: size.default(0).describe('vm.min_free_kbytes: what the kernel keeps free; 0 for its own choice'),
  overcommit: z
    .union([z.literal(0), z.literal(1), z.literal(2)])
    .default(0)
    .describe('vm.overcommit_memory'),
});

const groupSchema = z.strictObject({
  name: z
    .string()
    .regex(/^[A-Za-z][\w./-]*$/, { error: 'a name of letters, digits, -, _, . and /' })
    .describe('a child of a group is named parent/child, and comes after it'),
  max: size.optional().describe('memory.max'),
  high: size.optional().describe('memory.high'),
  low: size.optional().describe('memory.low'),
  min: size.optional().describe('memory.min'),
  oom_group: z.boolean().default(false).describe('memory.oom.group'),
});

const fileSchema = z.strictObject({
  path: path.describe('of the file, on the machine'),
  size: size.describe('of the file'),
  mapped: share.default(1).describe('of it that is mapped and looked at'),
});

const sharedSchema = z.strictObject({
  name: name.describe('of the region: opcache, apcu, shared_buffers'),
  size: size.describe('of the shared mapping'),
  used: size.optional().describe('written by the master; what it is not says that nothing is'),
  worker: share.default(1).describe('of what is used: how much of it a worker looks at'),
  grows: size
    .default(0)
    .describe('that each request adds to what is used, until the mapping is full (APCu without a limit of time)'),
});

const preloadSchema = z.strictObject({
  size: size.describe('anonymous memory that the master fills before it forks'),
  writes: size
    .default(0)
    .describe('of it that a request writes to, at places drawn evenly: the worker then has its own copy'),
});

const workerSchema = z.strictObject({
  anonymous: size.default(0).describe('beside the heap: data of the program and its libraries, stacks'),
  writes: size
    .default(0)
    .describe(
      "of the master's heap: what a worker writes to with its first request, whatever it is, without a call of the allocator, and so has a copy of",
    ),
  threads: z.number().int().min(1).max(4096).default(1).describe('of a worker, with its first'),
  sockets: count.default(0).describe('open ones'),
  files: count.default(0).describe('open descriptors'),
});

const firstSchema = z.strictObject({
  request: z
    .string()
    .min(1)
    .describe(
      'the name of one of the requests; of a recorded pool: the script, as the last part of its path in `served`',
    ),
  anonymous: size.default(0).describe('beside the heap: deeper stacks, data of libraries that nobody had touched'),
  writes: size
    .default(0)
    .describe(
      "of what it has from its master: of the master's heap, then of what was preloaded; the process then has a copy",
    ),
});

const pmSchema = z.strictObject({
  mode: z
    .enum(['static', 'dynamic', 'ondemand'])
    .default('static')
    .describe('all workers from the start, as many as are busy and some spare ones, or one when a request finds none'),
  max_children: z.number().int().min(1).max(4096).describe('workers at most'),
  start_servers: count.optional().describe('dynamic: workers at the start'),
  min_spare_servers: count.optional().describe('dynamic: idle workers at least'),
  max_spare_servers: count.optional().describe('dynamic: idle workers at most'),
  process_idle_timeout: duration.default('10s').describe('ondemand: an idle worker ends after it'),
  max_requests: count.default(0).describe('a worker ends after so many; 0: never'),
  backlog: count.default(511).describe('requests that may wait for a worker'),
});

const poolSchema = z.strictObject({
  name: name.describe('its workers are called name-1, name-2, …'),
  group: z.string().optional().describe('the cgroup of the pool'),
  allocator: z.string().default('glibc').describe('as in --allocator'),
  recorded: z
    .string()
    .optional()
    .describe(
      'the list of processes that sim record --json wrote, from the place of this file: each worker does again what it did, when it did it',
    ),
  served: z
    .string()
    .optional()
    .describe(
      'of a recorded pool: the access log that php-fpm wrote meanwhile with access.format = "%p %f", which says what script each request was',
    ),
  pm: pmSchema.describe('the process manager, by the names of php-fpm'),
  files: z.array(fileSchema).default([]).describe('program and libraries, mapped by every process of the pool'),
  shared: z.array(sharedSchema).default([]).describe('opcache, APCu, shared_buffers: made by the master, counted once'),
  preload: preloadSchema.optional().describe('what the master has before it forks: an application that is imported'),
  startup: z
    .string()
    .optional()
    .describe('a workload that the master replays before it forks: every worker begins with its heap'),
  worker: workerSchema
    .default({ anonymous: 0, writes: 0, threads: 1, sockets: 0, files: 0 })
    .describe('what each worker has beside its heap'),
  first: z
    .array(firstSchema)
    .default([])
    .describe(
      "what a process writes to with its first request of a kind, without a call of the allocator; of several kinds' the most, as the pages are largely the same",
    ),
  recycle: size
    .optional()
    .describe(
      'a worker ends after a request that leaves its heap (what the allocator has of memory, not the RSS) larger; 0: never',
    ),
  respawn: z.boolean().default(true).describe('a worker that the kernel killed is replaced'),
  oom_score_adj: z.number().int().min(-1000).max(1000).default(0).describe('of the workers; -1000: never killed'),
  after_request: z
    .enum(['nothing', 'malloc_trim', 'gc_mem_caches'])
    .default('nothing')
    .describe('what a worker calls behind each request'),
});

const requestObject = z.strictObject({
  name: name.describe('of this kind of request'),
  pool: name.describe('the pool that serves it'),
  workload: z.string().optional().describe('a built-in workload with its parameters: what one request allocates'),
  trace: z.string().optional().describe('a recorded trace, from the place of this file'),
  variants: z
    .number()
    .int()
    .min(1)
    .max(1000)
    .default(1)
    .describe('of a built-in workload: so many seeds, drawn evenly'),
  time: duration.describe('that a worker is busy with it'),
  spread: share.default(0).describe('the time varies evenly by this share up and down'),
  rate: rate.optional().describe('Poisson arrivals'),
  daily: z
    .array(z.number().min(0))
    .length(24)
    .optional()
    .describe('weight of each hour of the day; their mean stands for the rate'),
  cron: z
    .strictObject({
      every: duration.describe('from burst to burst'),
      count: z.number().int().min(1).describe('requests of a burst'),
      over: duration.default('0').describe('they come evenly within this time'),
      first: duration.default('0').describe('when the first burst comes'),
    })
    .optional()
    .describe('bursts'),
  log: z
    .union([z.string(), z.array(z.string()).min(1)])
    .optional()
    .describe(
      'a recorded arrival log, or several (rotated ones, packed by gzip or not), from the place of this file: one request a line, with the time that nginx or Apache writes, seconds since 1970 or seconds from the start',
    ),
  match: z
    .string()
    .optional()
    .describe(
      'of a log: a regular expression for the path with its query; of the requests of a log the first one that it finds something in has the line',
    ),
  share: z
    .number()
    .min(0)
    .optional()
    .describe(
      'of a log: how much of what matches no request is this one, in proportion to the others; default: 1 without match, else 0',
    ),
});

/** For editors; the program says it in its own words (contradictions.ts). */
const requestSchema = requestObject.meta({
  allOf: [exactlyOne('workload', 'trace'), exactlyOne('rate', 'cron', 'log')],
});

const logsSchema = z.strictObject({
  start: z
    .string()
    .refine((text) => parseLogLine(text)?.isDated === true, { error: 'a time such as 2026-11-29T00:00:00Z' })
    .optional()
    .describe('when the scenario begins, for logs with dates; default: with their earliest request'),
  unmatched: z
    .enum(['error', 'ignore'])
    .default('error')
    .describe('what a line is that no request of its log takes (a picture, another host)'),
});

const serviceSchema = z.strictObject({
  name: name.describe('of its process'),
  group: z.string().optional().describe('its cgroup'),
  anonymous: size.default(0).describe('private memory from the start'),
  grows: size.default(0).describe('private memory that it takes in each step and never gives back'),
  rewrites: size
    .default(0)
    .describe('of `anonymous` written again in each step, at even distances, each time one page further'),
  shared: size.default(0).describe('shared memory that it fills (shared_buffers)'),
  tmpfs: size.default(0).describe('files in /dev/shm from the start'),
  tmpfs_grows: size.default(0).describe('in each step'),
  reads: z
    .array(
      z.strictObject({
        path: path.describe('of the file'),
        size: size.describe('of the file'),
        per_step: size.optional().describe('read in each step; default: all'),
      }),
    )
    .default([])
    .describe('files read, in turn from their beginning'),
  writes: z
    .array(
      z.strictObject({
        path: path.describe('of the file'),
        per_step: size.describe('written in each step'),
        keep: size.default('64G').describe('a file larger than this begins anew'),
      }),
    )
    .default([])
    .describe('files that it writes in each step, from their beginning on'),
  sockets: count.default(0).describe('open ones'),
  files: count.default(0).describe('open descriptors'),
  descriptors_grow: count.default(0).describe('opened in each step and never closed'),
  dentries: count.default(0).describe('names looked up'),
  threads: z.number().int().min(1).default(1).describe('with its first'),
  every: duration.default('10m').describe('length of a step'),
  snapshot: z
    .strictObject({
      every: duration.describe('a child is forked that reads all of the private memory'),
      takes: duration.describe('how long the child lives'),
      first: duration.default('0').describe('when the first one is made; 0: after `every`'),
      writes: size.describe('a second: what the parent writes meanwhile, at places drawn evenly'),
    })
    .optional(),
  oom_score_adj: z.number().int().min(-1000).max(1000).default(0).describe('-1000: never killed'),
});

/** A change to the scenario that is tried: what it is called, and the new values by their paths. */
const settingSchema = z.strictObject({
  name: z.string().min(1).describe('of its row in the table'),
  change: z
    .record(z.string(), z.unknown())
    .describe('`pools.www.allocator: glibc:arena_max=2`; parts of a list by their names'),
});

export const scenarioSchema = z.strictObject({
  name: z
    .string()
    .regex(/^[\w.-]+$/, { error: 'a name of letters, digits, -, _ and .' })
    .optional()
    .describe('default: that of the file'),
  about: z.string().default('').describe('one sentence, which the answer begins with'),
  duration: duration.describe('how long the machine is followed'),
  seed: count.default(1).describe('of all that is drawn'),
  samples: z.number().int().min(2).max(5000).default(288).describe('points of the timeline'),
  machine: machineSchema.describe('what it all runs on'),
  cgroups: z.array(groupSchema).default([]).describe('with their limits'),
  pools: z.array(poolSchema).default([]).describe('masters with their workers'),
  requests: z.array(requestSchema).default([]).describe('what the pools serve'),
  logs: logsSchema.default({ unmatched: 'error' }),
  services: z.array(serviceSchema).default([]).describe('processes that are no pool: databases, caches, jobs'),
  settings: z.array(settingSchema).default([]).describe('changes that are run beside the scenario as it is'),
});

export type ScenarioFile = z.infer<typeof scenarioSchema>;
export type FirstFile = z.infer<typeof firstSchema>;
export type PoolFile = ScenarioFile['pools'][number];
export type RequestFile = ScenarioFile['requests'][number];
export type ServiceFile = ScenarioFile['services'][number];
