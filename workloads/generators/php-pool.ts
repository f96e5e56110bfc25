import { createRandom } from '../../sim/contract/random.ts';
import { BREATH_STEPS } from '../breathing.ts';
import type { BlockId } from '../builder.ts';
import { createEventBuilder } from '../builder.ts';
import { defineWorkload, numberParameter, seedParameter } from '../workload.ts';
import { baselineBytes, engineBlocks, PHP_PARAMETERS, stringBytes } from './php-process.ts';

/**
 * A worker of a pool that serves one request after the other. Each takes memory of both kinds: PHP's own by emalloc,
 * which the request's end releases as a whole; and a library's by malloc, which PHP neither counts nor limits. The
 * library gives its buffers back, but keeps a small block of each call (a cache entry, a profile, a locale) that lies
 * behind them: the libc heap below cannot shrink.
 */
export const phpPool = defineWorkload({
  name: 'php-pool',
  about: 'PHP: a pool worker whose requests also call a C library that uses malloc',
  parameters: {
    ...PHP_PARAMETERS,
    requests: numberParameter(40, 'requests', 'that the worker serves', { min: 1, max: 1e6 }),
    blocks: numberParameter(3000, 'blocks', 'by emalloc in a request, on average', { min: 1, max: 1e7 }),
    strings: numberParameter(6, 'strings', 'of up to 4 MiB by emalloc in a request', { min: 0, max: 1e4 }),
    calls: numberParameter(200, 'calls', 'of the library in a request', { min: 0, max: 1e6 }),
    buffer: numberParameter(98304, 'bytes', 'of a buffer of the library', { min: 16, max: 2 ** 30 }),
    kept: numberParameter(64, 'bytes', 'that the library keeps of each call; 0 for none', { min: 0, max: 2 ** 20 }),
    seed: seedParameter(),
  },
  cpus: () => 1,
  *generate({ php, baseline, requests, blocks, strings, calls, buffer, kept, seed }) {
    const usage = baselineBytes('php-pool', php, baseline);
    const events = createEventBuilder({
      name: `php-pool: ${requests} requests, ${calls} library calls each, PHP ${php}`,
      rows: requests * (2 * blocks + 3 * calls + 2 * strings + 2048),
    });
    const random = createRandom(seed, 'php-pool/requests');
    for (let request = 1; request <= requests; request++) {
      events.requestBegin(0);
      engineBlocks(events, php, usage);
      yield* script(random.integer(Math.ceil(blocks / 2), Math.ceil(blocks * 1.5)));
      library();
      events.sample(`request ${request} before its end`);
      events.requestEnd(0);
      events.sample(`request ${request} ended`);
    }
    return events.finish();

    /** Most values are small and short-lived; what is still live at the end goes with the request. */
    function* script(count: number): Generator<void> {
      const live: BlockId[] = [];
      for (let i = 0; i < count; i++) {
        if (i % BREATH_STEPS === 0) yield;
        live.push(events.emalloc(0, random.octaves(8, random.chance(0.95) ? 512 : 16384)));
        if (live.length > 400) events.efree(0, live.splice(random.integer(0, live.length - 1), 1)[0]!);
      }
      for (let i = 0; i < strings; i++) live.push(events.emalloc(0, stringBytes(php, random.integer(100, 4194304))));
    }

    /** A buffer a call, all held until the last one; behind each lies a small block that stays. */
    function library(): void {
      const buffers: BlockId[] = [];
      for (let call = 0; call < calls; call++) {
        buffers.push(events.malloc(0, buffer));
        if (kept > 0) events.malloc(0, kept);
      }
      for (const block of buffers) events.free(0, block);
    }
  },
});
