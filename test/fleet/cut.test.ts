import { describe, expect, test } from 'vitest';
import { fleetPage } from '../../bench/report/fleet-page.ts';
import { fleetPlanCsv, planFleet } from '../../fleet/plan.ts';
import { fleetCsv } from '../../fleet/report/csv.ts';
import { fleetOpenMetrics } from '../../fleet/report/openmetrics.ts';
import { fleetPlanText } from '../../fleet/report/plan-text.ts';
import { fleetText } from '../../fleet/report/text.ts';
import { type FleetResult, studyFleet } from '../../fleet/study.ts';
import { plainStyle } from '../helpers/plain-style.ts';

const here = { workers: 1 } as const;
const style = plainStyle(100);
const POOL = (name: string) =>
  `  - { name: ${name}, group: web, allocator: glibc, pm: { max_children: 2 }, worker: { anonymous: 4M } }\n`;
const REQUEST = (pool: string, buffer: number) =>
  `  - { name: of-${pool}, pool: ${pool}, workload: "php-pool:requests=1,kept=0,calls=20,blocks=50,strings=0,buffer=${buffer},baseline=20000", time: 300ms, rate: 2/s }\n`;
const TWO = `duration: 20m
samples: 5
machine: { memory: 512M }
cgroups: [{ name: web, max: 256M }]
pools:
${POOL('www')}${POOL('api')}requests:
${REQUEST('www', 400_000)}${REQUEST('api', 900_000)}`;

describe('a run that ends at the moment that is asked for', () => {
  const outputs = (result: FleetResult) => ({
    text: fleetText(result, style),
    csv: fleetCsv(result).trimEnd().split('\n'),
    metrics: fleetOpenMetrics(result),
    page: fleetPage(result),
  });

  test('says so in every output, and a whole one says nothing of it', async () => {
    const look = { views: [], at: '10m', steps: false, stopAtUs: 600e6 };
    const cut = (await studyFleet(TWO, 's.yaml', { ...here, look })).result;
    expect([cut.untilUs, cut.durationUs, cut.partial]).toEqual([600e6, 1200e6, false]);
    const { text, csv, metrics, page } = outputs(cut);
    expect(text).toContain('s: the first 10m of 20m on ');
    expect(text).toContain('what comes later was not looked at');
    expect(csv[0]).toMatch(/^seconds,of_seconds,MemTotal_bytes,/);
    for (const row of csv.slice(1)) expect(row.split(',')[1]).toBe('1200');
    expect(csv.at(-1)!.split(',')[0]).toBe('600');
    expect(metrics).toMatch(/\nallocsim_scenario_duration_seconds\{.*\} 1200 600\.000\n/);
    expect(page).toContain('s (the first 10m of 20m)');

    const whole = (await studyFleet(TWO, 's.yaml', here)).result;
    const all = outputs(whole);
    expect(all.text).toContain('s: 20m on ');
    expect(all.text + all.csv[0]! + all.metrics + all.page).not.toMatch(
      /the first 10m of|of_seconds|scenario_duration|not looked at/,
    );
    expect(all.csv[0]!.split(',').filter((name) => /^(www|api|web)_/.test(name))).toEqual(
      ['www', 'api']
        .flatMap((name) => [`${name}_private_bytes`, `${name}_pss_bytes`, `${name}_largest_bytes`])
        .concat('web_current_bytes'),
    );
  });
});

test('a plan of two pools in one group tells what both need there, and its table has units, whole bytes and the risk', async () => {
  const options = { ...here, horizons: ['10m', '20m'], risk: 0.0001, settings: 'none' } as const;
  const plan = await planFleet(TWO, 's.yaml', options);
  const [www, api] = plan.rows;
  expect([www!.group, api!.group]).toEqual(['web', 'web']);
  expect(www!.groupLimitBytes).toBe(api!.groupLimitBytes);
  expect(www!.groupLimitBytes).toBeGreaterThan(Math.max(www!.limitBytes, api!.limitBytes));
  expect(www!.groupLimitBytes).toBeLessThanOrEqual(
    Math.max(www!.limitBytes + api!.inProgressBytes, api!.limitBytes + www!.inProgressBytes) + 2 ** 20,
  );
  expect(fleetPlanText(plan, style)).toContain('memory.max of web is for www and api together');
  const [head, ...rows] = fleetPlanCsv(plan)
    .trimEnd()
    .split('\n')
    .map((line) => line.split(','));
  const column = (name: string) => rows.map((row) => row[head!.indexOf(name)]);
  expect(column('risk')).toEqual(['0.0001', '0.0001', '0.0001', '0.0001']);
  expect(column('horizon_hours')).toEqual(['0.166667', '0.166667', '0.333333', '0.333333']);
  for (const name of head!.filter((word) => word.endsWith('_bytes')))
    expect(column(name)).toEqual(column(name).map((value) => `${Math.round(Number(value))}`));
  // With a limit for both nobody is killed, though both come together.
  const max = Math.ceil(www!.groupLimitBytes / 2 ** 20);
  const { result } = await studyFleet(TWO.replace('256M', `${max}M`), 's.yaml', here);
  expect(result.figures.kills).toBe(0);
});
