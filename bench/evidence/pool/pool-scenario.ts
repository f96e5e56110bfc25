import { readFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { stringify } from 'yaml';
import { isUnnamed, type Mapping, type PoolMemory } from './pool-memory.ts';

/** Larger than any bss: what has a block of PHP's heap or of malloc in it. */
const LEAST_HEAP_BYTES = 1.9 * 2 ** 20;

const isHeap = ({ name, access, start, end }: Mapping) =>
  name === '[heap]' || (name === '' && access[3] === 'p' && end - start >= LEAST_HEAP_BYTES);
const isShared = ({ name, access }: Mapping) => access[3] === 's' && isUnnamed(name);

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
const page = (bytes: number) => Math.ceil(bytes / 4096) * 4096;

/**
 * The recorded pool as a scenario. The heaps are the recording's calls, replayed. What no heap holds comes from the mapping tables at the first
 * count: files (program and libraries), anonymous memory beside the heaps (libraries' data, bss, stacks), as far as it is the master's too
 * (preload) and as far as it is not (worker), and the shared regions (opcache, APCu) with what a request adds to them. `writtenBytes`: of the
 * master's heap, what a worker writes without a call of the allocator.
 */
export function poolScenario(
  memory: readonly PoolMemory[],
  durationUs: number,
  samples: number,
  writtenBytes: number,
): string {
  const first = memory[0]!;
  const last = memory.at(-1)!;
  const workers = first.workers;
  const beside = workers.map(({ mappings }) => mappings.filter((mapping) => !isHeap(mapping) && !isShared(mapping)));
  const shares = beside.map((mappings) => ({
    shared: mappings.reduce((sum, { anonymous, sharedDirty }) => sum + Math.min(anonymous, sharedDirty), 0),
    own: mappings.reduce((sum, { anonymous, sharedDirty }) => sum + anonymous - Math.min(anonymous, sharedDirty), 0),
  }));
  return stringify({
    about: `a pool of php-fpm as it was recorded; files, stacks, libraries' data and shared regions as the mapping tables say at ${first.requests} requests`,
    duration: `${Math.round(durationUs / 1e3)}ms`,
    samples,
    machine: { memory: `${Math.floor(totalmem() / 2 ** 20)}M`, processors: cpus().length, kernel: kernelProfile() },
    pools: [
      {
        name: 'www',
        allocator: 'zendmm@8.2+glibc@2.36',
        recorded: 'pool.json',
        pm: { max_children: workers.length },
        files: filesOf(beside),
        shared: sharedOf(first, last),
        preload: { size: page(mean(shares.map(({ shared }) => shared))) },
        worker: { anonymous: page(mean(shares.map(({ own }) => own))), writes: page(writtenBytes) },
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

/** Bytes of a worker's heap that are the master's too, by its mapping table. */
export const sharedHeapBytes = ({ mappings }: PoolMemory['workers'][number]): number =>
  mappings.filter(isHeap).reduce((sum, { anonymous, sharedDirty }) => sum + Math.min(anonymous, sharedDirty), 0);
