import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { runWithViews } from '../../bench/cli/machine-views.ts';
import { checkGate } from '../../bench/gate/check.ts';
import { runLockstep } from '../../bench/run/modes/lockstep.ts';
import { explanationSchema } from '../../bench/schema/explanation.ts';
import { gateResultSchema } from '../../bench/schema/gate.ts';
import { machineSchema } from '../../bench/schema/machine.ts';
import { PUBLISHED, publishedText } from '../../bench/schema/published.ts';
import { parseResult, runResultSchema } from '../../bench/schema/result.ts';
import { planSchema, sweepSchema, tuneSchema } from '../../bench/schema/search.ts';
import { explain } from '../../bench/study/explain/explain.ts';
import { machineAnswer } from '../../bench/study/machine/machine-answer.ts';
import { machineJson } from '../../bench/study/machine/machine-json.ts';
import { plan } from '../../bench/study/plan/plan.ts';
import { sweep } from '../../bench/study/sweep/sweep.ts';
import { tune } from '../../bench/study/tune/tune.ts';
import { bumpOptions, eventsOf } from '../helpers/bump-run.ts';

const folder = new URL('../../schema/', import.meta.url);
const LINES = ['m 0 1 100000', 'm 1 2 50', '= middle', 'f 0 1', 'm 0 3 7'];

describe('published schemas', () => {
  // ALLOCSIM_UPDATE=1 writes the files anew after a deliberate change.
  test.each(Object.keys(PUBLISHED))('schema/%s.json is what the code says', (name) => {
    const file = new URL(`${name}.json`, folder);
    if (process.env['ALLOCSIM_UPDATE']) writeFileSync(file, publishedText(name));
    expect(existsSync(file)).toBe(true);
    expect(readFileSync(file, 'utf8')).toBe(publishedText(name));
  });

  test('nothing else lies in schema/', () => {
    expect(readdirSync(folder).sort()).toEqual(
      Object.keys(PUBLISHED)
        .map((n) => `${n}.json`)
        .sort(),
    );
  });

  test('a result passes its schema and loses nothing', async () => {
    const result = JSON.parse(JSON.stringify(await runLockstep(bumpOptions(LINES))));
    expect(runResultSchema.parse(result)).toEqual(result);
  });

  test('an explanation passes its schema and loses nothing', () => {
    const e = JSON.parse(JSON.stringify(explain(bumpOptions(LINES))));
    expect(explanationSchema.parse(e)).toEqual(e);
  });

  test('sweep, tune, plan and gate pass theirs and lose nothing', async () => {
    const task = {
      events: eventsOf(LINES),
      workload: 'test',
      parameters: {},
      cpus: 1,
      mode: 'lockstep',
      pace: 'asap',
    } as const;
    const allocators = ['glibc', 'jemalloc'];
    const plain = (value: unknown) => JSON.parse(JSON.stringify(value));
    const swept = await sweep({ load: async () => task, allocators, metrics: ['rssBytes', 'lockWaitNs'], workers: 1 });
    expect(sweepSchema.parse(plain(swept))).toEqual(plain(swept));
    const seeded = { ...task, seed: 0 };
    const tuned = await tune({
      task: seeded,
      allocator: 'glibc',
      objective: 'rssBytes',
      options: ['top_pad'],
      keep: [{ metric: 'faults', percent: 5, slack: 0 }],
      workers: 1,
    });
    expect(tuneSchema.parse(plain(tuned))).toEqual(plain(tuned));
    const planned = await plan({ task: seeded, allocators, memory: 1e9, processes: 2, workers: 1 });
    expect(planSchema.parse(plain(planned))).toEqual(plain(planned));
    const result = await runLockstep(bumpOptions(LINES));
    const gate = checkGate([result], [result]);
    expect(gateResultSchema.parse(plain(gate))).toEqual(plain(gate));
  });

  test.each([
    {
      kind: 'with a finding',
      script: 'new a\na mmap S 64M shared\na touch S 0 64M\na fork b\nb touch S 0 64M\nsample s\n',
    },
    { kind: 'without one', script: 'new a\nsample s\n' },
  ])('a machine $kind passes its schema and loses nothing', async ({ script }) => {
    const question = {
      text: script,
      name: 'test',
      views: ['free -m'],
      at: ['s'],
      steps: false,
      texts: [],
    };
    const answer = machineAnswer(await runWithViews(question), question);
    const written = JSON.parse(JSON.stringify(machineJson(answer)));
    expect(machineSchema.parse(written)).toEqual(written);
    expect(written.findings.length > 0).toBe(written.otherwise === null);
    expect(written.views[0].text).toMatch(/^ +total +used/);
  });

  test('a departure is told with its place', async () => {
    const result = JSON.parse(JSON.stringify(await runLockstep(bumpOptions(LINES))));
    result.summary.rssBytes = 'many';
    expect(() => parseResult(result, 'head.json')).toThrow(
      /^head\.json: summary\.rssBytes: found .many., expected a number$/,
    );
  });
});
