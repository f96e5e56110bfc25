import { readFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { stringify } from 'yaml';
import { isUnnamed, type Mapping, type PoolMemory, type ProcessMemory } from './pool-memory.ts';
import { ACCESS_LOG } from './real-pool.ts';

const isShared = ({ name, access }: Mapping) => access[3] === 's' && isUnnamed(name);

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
const page = (bytes: number) => Math.ceil(bytes / 4096) * 4096;

/** Anonymous bytes of a process, as far as they are its master's too, and as far as they are not. */
export interface AnonymousBytes {
  readonly shared: number;
  readonly own: number;
}

/** What a worker has beside its heap, and writes without a call of the allocator; bytes. */
export interface BesideHeap {
  /** Of one that has served nobody. */
  readonly rested: AnonymousBytes;
  /** By its first request of a script. */
  readonly first: readonly { readonly request: string; readonly anonymous: number; readonly writes: number }[];
}

/** By the mapping table. */
export function anonymousOf({ mappings }: ProcessMemory): AnonymousBytes {
  const shared = mappings.reduce((sum, { anonymous, sharedDirty }) => sum + Math.min(anonymous, sharedDirty), 0);
  return { shared, own: mappings.reduce((sum, { anonymous }) => sum + anonymous, 0) - shared };
}

/**
 * The recorded pool as a scenario. The heaps are the recording's calls, replayed. What no heap holds is measured: files (program and libraries)
 * and shared regions (opcache, APCu), with what a request adds to them, by the mapping tables at the first count; anonymous memory beside the heaps
 * (libraries' data, bss, stacks) and what first requests write by `beside`.
 */
export function poolScenario(
  memory: readonly PoolMemory[],
  { rested, first }: BesideHeap,
  durationUs: number,
  samples: number,
): string {
  const [start] = memory;
  const workers = start!.workers;
  return stringify({
    about: `a pool of php-fpm as it was recorded; files and shared regions as the mapping tables say at ${start!.requests} requests`,
    duration: `${Math.round(durationUs / 1e3)}ms`,
    samples,
    machine: { memory: `${Math.floor(totalmem() / 2 ** 20)}M`, processors: cpus().length, kernel: kernelProfile() },
    pools: [
      {
        name: 'www',
        allocator: 'zendmm@8.2+glibc@2.36',
        recorded: 'pool.json',
        served: ACCESS_LOG,
        pm: { max_children: workers.length },
        files: filesOf(workers.map(({ mappings }) => mappings)),
        shared: sharedOf(start!, memory.at(-1)!),
        preload: { size: page(rested.shared) },
        worker: { anonymous: page(rested.own) },
        first,
      },
    ],
  });
}

/** By its lists of pages: since 6.12 Debian's kernels have generations, others may have been built without. */
function kernelProfile(): string {
  try {
    return readFileSync('/sys/kernel/mm/lru_gen/enabled', 'utf8').trim() === '0x0000' ? '6.1' : '6.12';
  } catch {
    return '6.1';
  }
}

/** What each worker has of a file on average, behind the parts that it has written. */
function filesOf(workers: readonly (readonly Mapping[])[]): { path: string; size: number; mapped: number }[] {
  const sizes = new Map<string, number>();
  const resident = new Map<string, number>();
  for (const mappings of workers) {
    for (const { name, start, end, rss, anonymous } of mappings) {
      if (!name.startsWith('/')) continue;
      if (mappings === workers[0]) sizes.set(name, (sizes.get(name) ?? 0) + end - start);
      resident.set(name, (resident.get(name) ?? 0) + (rss - anonymous) / workers.length);
    }
  }
  return [...sizes]
    .map(([path, size]) => ({ path, size, mapped: Math.min(1, (resident.get(path) ?? 0) / size) }))
    .filter(({ mapped }) => mapped > 0);
}

const usedAt = ({ shared }: PoolMemory, address: number) => shared.find(({ start }) => start === address)?.bytes ?? 0;

function sharedOf(first: PoolMemory, last: PoolMemory): object[] {
  const regions = first.workers[0]!.mappings.filter(isShared);
  return regions.flatMap(({ start, end }, i) => {
    const usedThen = usedAt(first, start);
    if (usedThen === 0) return [];
    const seen = mean(
      last.workers.map(({ mappings }) => mappings.find((mapping) => mapping.start === start)?.rss ?? 0),
    );
    const after = usedAt(last, start);
    const grows = Math.round((after - usedThen) / Math.max(1, last.requests - first.requests));
    return [
      {
        name: `region${i + 1}`,
        size: end - start,
        used: Math.max(0, usedThen - grows * first.requests),
        worker: Math.min(1, seen / after),
        grows,
      },
    ];
  });
}
