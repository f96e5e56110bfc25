import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { parseAllocator } from '../../allocators/spec.ts';
import { GATE_DEFAULTS } from '../../bench/gate/check.ts';
import { METRICS } from '../../bench/metrics/index.ts';
import { runLockstep } from '../../bench/run/modes/lockstep.ts';
import { gateConfigSchema, suiteSchema } from '../../bench/schema/gate.ts';
import { explain } from '../../bench/study/explain/explain.ts';
import { explanationText } from '../../bench/study/explain/text.ts';
import { hookLog } from '../../docs/examples/hook-log.ts';
import { tour } from '../../docs/examples/library.ts';
import { overheadPerBlock } from '../../docs/examples/overhead.ts';
import { ring } from '../../docs/examples/ring.ts';
import { IMPORTERS, importTrace } from '../../workloads/import/index.ts';
import { readTrace } from '../../workloads/trace/reader.ts';
import { parseParameters } from '../../workloads/workload.ts';
import { bumpOptions } from '../helpers/bump-run.ts';
import { temporaryFolder } from '../helpers/temporary.ts';

const folder = new URL('../../docs/', import.meta.url);
const readDoc = (name: string) => readFileSync(new URL(name, folder), 'utf8');

/** As a user writes it: from the package, not from its source. */
const published = (code: string) => code.replace("'../../bench/index.ts'", "'allocsim'");

const PIN = ['m 0 1 1048576', 'm 3 2 4112', 'm 0 3 500000', 'f 0 1', 'f 0 3'];
const SAMPLE = 'workloads/samples/lanczos-3-sizes.htrace.gz';
const sample = await readTrace(fileURLToPath(new URL(`../../${SAMPLE}`, import.meta.url)));
const OUTPUTS: Readonly<Record<string, () => string>> = {
  sample: () =>
    explanationText(explain({ events: sample, workload: SAMPLE, spec: parseAllocator('glibc@2.36', 2), cpus: 2 })),
  bump: () => explanationText(explain({ ...bumpOptions(PIN), workload: 'example', whatIf: false })),
};

/** `<!-- file: examples/x.ts -->` or `<!-- output: x -->` before a fenced block says what the block must hold. */
const BLOCK = /(<!-- (file|output): (\S+) -->\n```\w+\n)([\s\S]*?)(```)/g;

describe('documents', () => {
  // ALLOCSIM_UPDATE=1 writes the blocks anew after a deliberate change.
  test.each(readdirSync(folder).filter((name) => name.endsWith('.md')))('%s shows its examples as they are', (name) => {
    const text = readDoc(name);
    const wanted = text.replace(
      BLOCK,
      (_all, head: string, kind: string, what: string, _body: string, tail: string) => {
        const body = kind === 'file' ? published(readDoc(what)) : OUTPUTS[what]!();
        return head + body + tail;
      },
    );
    if (process.env['ALLOCSIM_UPDATE']) writeFileSync(new URL(name, folder), wanted);
    expect(readDoc(name)).toBe(wanted);
  });

  test('the example of an allocator keeps its invariants, and explains its pin', async () => {
    const lines = Array.from({ length: 3000 }, (_, i) =>
      i % 2 === 1 ? `f 0 ${i - 1}` : `m 0 ${i} ${(i * 31) % 9000}`,
    );
    const result = await runLockstep({ ...bumpOptions(lines), check: 'events' });
    expect(result.summary.liveBlocks).toBe(0);
    expect(OUTPUTS['bump']!()).toContain('1 block of 4,112 bytes');
  });

  test('the example of a workload: the same parameters, the same events; its blocks are all freed', async () => {
    const parameters = parseParameters(ring, 'messages=500,kept=20', { seed: 3 });
    const events = ring.generate(parameters);
    expect(ring.generate(parameters).a.slice(0, 900)).toEqual(events.a.slice(0, 900));
    const spec = parseAllocator('glibc@2.36', 1);
    const { summary, samples } = await runLockstep({ events, workload: ring.name, spec, cpus: 1, check: 'samples' });
    expect(summary.liveBlocks).toBe(0);
    expect(samples.find((s) => s.label === 'full')!.liveBlocks).toBe(20);
  });

  test('the example of a metric is a figure of a run, and is not taken yet', async () => {
    const run = await runLockstep(bumpOptions(['m 0 1 100', 'm 0 2 100']));
    expect(overheadPerBlock.of(run)).toBe((4096 - 200) / 2);
    expect(METRICS.some((m) => m.name === overheadPerBlock.name)).toBe(false);
  });

  test('the example of an importer is found by its first line, and refuses what it does not know', async () => {
    const importers = [hookLog, ...IMPORTERS];
    const path = `${temporaryFolder()}/log`;
    writeFileSync(path, 'hook-log 1\n0 +7f00 24\n1 +7f40 100\n1 -7f00\n');
    const { events, format } = await importTrace(path, { quantumNs: 1000, importers });
    expect(format).toBe('hook-log');
    expect(events.length).toBe(4); // and a sample at the end
    writeFileSync(path, 'hook-log 1\n0 +7f00\n');
    await expect(importTrace(path, { quantumNs: 1000, importers })).rejects.toThrow(
      /log:2: found "0 \+7f00", expected/,
    );
  });

  test('the tour through the library', async () => {
    const { peakBytes, explanation, gate } = await tour('rows:threads=2,rounds=50');
    expect(peakBytes).toBeGreaterThan(0);
    expect(explanation).toContain('glibc@2.36');
    expect(gate).toMatch(/rssPeakBytes/);
  });

  test('the example files of the gate pass their schemas', () => {
    expect(() => suiteSchema.parse(JSON.parse(readDoc('examples/suite.json')))).not.toThrow();
    expect(() => gateConfigSchema.parse(JSON.parse(readDoc('examples/gate.json')))).not.toThrow();
    expect(() => gateConfigSchema.parse(GATE_DEFAULTS)).not.toThrow();
  });

  test('the workflow uses options that the gate has', () => {
    const commands = readDoc('workflow-gate.yml')
      .replace(/\\\n\s*|>\n\s*/g, '')
      .match(/^.*(allocsim gate|config=).*(\n +--.*)*/gm)!;
    const used = commands.flatMap((line) => [...line.matchAll(/--(?:no-)?([a-z-]+)/g)].map((m) => m[1]!));
    expect(used).toEqual(expect.arrayContaining(['suite', 'save', 'config', 'junit', 'markdown', 'bencher']));
    const source = readFileSync(new URL('../../bench/commands/gate.ts', import.meta.url), 'utf8');
    // The base is no result of its own: no summary, no notice.
    expect(commands.find((line) => line.includes('../base'))).toContain('--no-github');
    for (const option of used) expect(source).toMatch(new RegExp(`option\\('${option}'`));
  });
});
