import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { comparePlacements, parsePlacements } from '../../sim/replay/compare-placements.ts';
import { requireShared } from '../helpers/require.ts';
import { readBytes, readEvents, runZend, sampleFigures } from '../helpers/zend-run.ts';

// Whole recorded traces, where the shared ones lie beside the checkout.
const RUNS = [
  ['composer-list', 'php8.2', 'zendmm@8.2'],
  ['composer-list', 'php7.1', 'zendmm@7.1'],
  ['composer-list', 'php5-malloc', 'zendmm@5.6'],
  ['composer-list', 'php5-mmap_anon', 'zendmm@5.6:mem_type=mmap_anon'],
  ['zend-stress', 'php8.2', 'zendmm@8.2'],
  ['twig-page', 'php5-malloc', 'zendmm@5.6'],
] as const;

for (const [trace, version, allocator] of RUNS) {
  it(`${trace} as recorded with ${version}`, (context) => {
    const traces = requireShared(context, 'traces/zend');
    const truth = join(requireShared(context, 'truth/zend/placements'), `${trace}.${version}`);
    const run = runZend(allocator, readEvents(join(traces, `${trace}.htrace.gz`)));
    const real = withoutPrefix(readBytes(`${truth}.placements.gz`));
    const outcome = comparePlacements(parsePlacements(run.placements), parsePlacements(real));
    expect(outcome.reasons).toEqual({});
    const figures = sampleFigures(run, readFileSync(`${truth}.samples.jsonl`, 'utf8'));
    expect(figures.model).toEqual(figures.real);
  });
}

/** The recorder wrote addresses with 0x. */
function withoutPrefix(text: Uint8Array): Uint8Array {
  return new TextEncoder().encode(new TextDecoder().decode(text).replaceAll(' 0x', ' '));
}
