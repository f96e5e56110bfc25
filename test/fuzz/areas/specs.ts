import { formatAllocator, parseAllocator } from '../../../allocators/spec.ts';
import { metricNamed } from '../../../bench/metrics/index.ts';
import { splitAllocators } from '../../../bench/study/compare/allocator-list.ts';
import { parseThreadCounts, withThreads } from '../../../bench/study/scaling/scaling.ts';
import { allocatorAt, combinations, parseGrid } from '../../../bench/study/sweep/grid.ts';
import { parseCosts } from '../../../sim/time/price-list.ts';
import { WORKLOADS } from '../../../workloads/index.ts';
import { parseParameters } from '../../../workloads/workload.ts';
import { type Area, defineArea } from '../area.ts';
import { corpusOf } from '../corpus.ts';
import { mutated } from '../mutation.ts';
import { orRefused } from '../refusal.ts';

const POINTS_MAX = 1000;

async function checkSpec(bytes: Uint8Array): Promise<void> {
  const text = Buffer.from(bytes).toString('utf8').replace(/\n$/, '');
  await orRefused(() => {
    const spec = formatAllocator(parseAllocator(text, 4));
    if (formatAllocator(parseAllocator(spec, 4)) !== spec) throw new Error(`'${spec}' is read as something else`);
  });
  await orRefused(() => splitAllocators(text).map((one) => parseAllocator(one, 1)));
  await orRefused(() => {
    const grid = parseGrid(text.split(' '));
    const points = grid.reduce((product, axis) => product * axis.values.length, 1);
    if (points <= POINTS_MAX) for (const point of combinations(grid)) allocatorAt('zendmm+jemalloc', point, 2);
  });
  await orRefused(() => parseThreadCounts(text));
  await orRefused(() => withThreads(text, 3));
  await orRefused(() => metricNamed(text));
  await orRefused(() => parseCosts(text, 'prices'));
  for (const workload of WORKLOADS) await orRefused(() => parseParameters(workload, text.slice(text.indexOf(':') + 1)));
}

export const specs: Area = defineArea({
  name: 'specs',
  inputs: mutated(
    corpusOf('specs').flatMap((file) =>
      Buffer.from(file)
        .toString()
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => Buffer.from(line)),
    ),
  ),
  check: checkSpec,
  bytesOf: (bytes) => bytes,
});
