import { expect, test } from 'vitest';
import { parseAllocator } from '../../../allocators/spec.ts';
import { nativeObstacle } from '../../../bench/evidence/native/native.ts';
import { findOriginal } from '../../../bench/evidence/verify/real.ts';
import { verificationText } from '../../../bench/evidence/verify/text.ts';
import { verify } from '../../../bench/evidence/verify/verify.ts';
import { createRandom } from '../../../sim/contract/random.ts';
import { createTraceParser } from '../../../workloads/trace/text/parser.ts';
import { requireThat } from '../../helpers/require.ts';

const SIZES = [16, 48, 100, 3000, 20000, 60000, 200000];
const PURGES = ['arena.<i>.purge', 'arena.<i>.decay', 'arena.4096.purge', 'arena.4096.decay', 'thread.tcache.flush'];
const SETTINGS = [
  ...['arena.<i>.dirty_decay_ms 500', 'arena.<i>.dirty_decay_ms 0', 'arena.<i>.dirty_decay_ms -1'],
  ...['arena.<i>.muzzy_decay_ms 300', 'arena.<i>.muzzy_decay_ms 0', 'arenas.dirty_decay_ms 2000'],
  ...['arenas.muzzy_decay_ms 100', 'background_thread 1', 'max_background_threads 2', 'background_thread 0'],
];

/** Three threads that allocate and free while time passes, and call mallctl now and then. */
function program(seed: number): string {
  const random = createRandom(seed, 'mallctl');
  const below = (n: number) => random.integer(0, n - 1);
  const live: number[] = [];
  const lines = ['%htrace 2'];
  for (let i = 0; i < 4000; i++) {
    const thread = below(3);
    if (live.length > 0 && below(100) < 49) {
      const [block] = live.splice(below(live.length), 1);
      lines.push(`f ${thread} ${block}`);
    } else {
      live.push(i);
      lines.push(`m ${thread} ${i} ${random.pick(SIZES) + below(500)}`);
    }
    if (i % 20 === 0) lines.push(`+ ${below(200_000_000)}`);
    if (i % 60 === 30) {
      lines.push(`ctl ${thread} ${random.pick([...PURGES, ...SETTINGS]).replace('<i>', String(below(6)))}`);
    }
    if (i % 800 === 0) lines.push(`= s${i}`);
  }
  return `${lines.join('\n')}\n`;
}

test.for([1, 2, 3])('every call of mallctl does what it does in the real one: seed %i', async (seed, context) => {
  const obstacle = nativeObstacle();
  requireThat(context, obstacle === undefined, obstacle ?? '');
  const spec = parseAllocator('jemalloc', 2);
  try {
    findOriginal(spec);
  } catch (error) {
    requireThat(context, false, (error as Error).message);
  }
  const parser = createTraceParser({ source: 'T' });
  parser.push(new TextEncoder().encode(program(seed)));
  const events = parser.finish();
  const v = await verify({ events, workload: 'mallctl', spec });
  expect(v.passed, verificationText(v, events)).toBe(true);
  expect(v.remarks.join()).toMatch(/background_thread was left out/);
});
