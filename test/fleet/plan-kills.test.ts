import { expect, test } from 'vitest';
import { planFleet } from '../../fleet/plan.ts';
import { fleetPlanText } from '../../fleet/report/plan-text.ts';
import { plainStyle } from '../helpers/plain-style.ts';

const here = { workers: 1 } as const;
const style = plainStyle(100);

/** Eight workers whose requests each leave blocks behind. */
const pool = (max: string, memory = '2G') => `duration: 40m
samples: 21
machine: { memory: ${memory} }
cgroups: [{ name: php, max: ${max} }]
pools:
  - { name: www, group: php, allocator: zendmm+glibc, pm: { max_children: 8 }, worker: { anonymous: 16M } }
requests:
  - { name: page, pool: www, workload: "php-pool:requests=1,kept=8192,calls=5,blocks=100,strings=1,baseline=60000", time: 20ms, rate: 1/s }
`;

test('where somebody is killed on the way, a plan is for the workers and the requests that the scenario has', async () => {
  const options = { ...here, horizons: ['40m'], risk: 1e-4, settings: 'none' as const };
  const [wide] = (await planFleet(pool('1G'), 's.yaml', options)).rows;
  expect(wide!.killed).toBe(0);
  const max = `${Math.floor((wide!.limitBytes - wide!.inProgressBytes) / 2 ** 20) - 8}M`;
  const [tight] = (await planFleet(pool(max), 's.yaml', options)).rows;
  expect(tight!.killed).toBeGreaterThan(0);
  expect(tight!.tried).toBe(true);
  // What is needed does not depend on what there is.
  for (const word of ['workerBytes', 'inProgressBytes', 'limitBytes', 'limitWorkers'] as const)
    expect(tight![word]).toBe(wide![word]);
  expect(tight!.limitWorkers).toBe(tight!.workers);
  // What fits does.
  expect(tight!.fits).toBeLessThan(tight!.workers);
  expect(tight!.fits).toBeGreaterThan(0);
});

test('where all memory is too small, what a plan says of a smaller pool is marked with its size', async () => {
  const options = { ...here, horizons: ['40m'], risk: 1e-4, settings: 'none' as const };
  const text = pool('1G', '192M');
  const plan = await planFleet(text, 's.yaml', options);
  const [row] = plan.rows;
  expect(row!.killed).toBeGreaterThan(0);
  expect(row!.limitWorkers).toBeLessThan(row!.workers);
  const shown = fleetPlanText(plan, style);
  expect(shown).toContain(`(for ${row!.limitWorkers})`);
  expect(shown).toContain('is of a pool of N)');
});
