import { expect, test } from 'vitest';
import { type EventBuffer, OP_MASK, OP_REQUEST_END, OP_THREAD_EXIT } from '../../sim/contract/event.ts';
import { STRESS_PROFILES } from '../../workloads/generators/stress-profiles.ts';
import { resolveWorkload } from '../../workloads/index.ts';

const generate = async (spec: string) => (await resolveWorkload(`stress:${spec}`)).events;
const columns = ({ head, slot, a, b, length }: EventBuffer) => [head, slot, a, b].map((c) => c.slice(0, length));
const count = (events: EventBuffer, op: number) =>
  events.head.slice(0, events.length).filter((word) => (word & OP_MASK) === op).length;

test.each(Object.keys(STRESS_PROFILES))('profile %s: a legal trace, the same for the same seed', async (profile) => {
  const once = await generate(`profile=${profile},events=3000,threads=6,seed=5`);
  expect(once.length).toBeGreaterThanOrEqual(3000);
  expect(once.labels.at(-1)).toBe('end');
  expect(columns(await generate(`profile=${profile},events=3000,threads=6,seed=5`))).toEqual(columns(once));
  expect(columns(await generate(`profile=${profile},events=3000,threads=6,seed=6`))).not.toEqual(columns(once));
});

test('the profiles reach what they aim at', async () => {
  expect((await generate('profile=threads,threads=70')).threadSlots).toBe(70);
  expect(count(await generate('profile=exits,threads=12'), OP_THREAD_EXIT)).toBeGreaterThan(50);
  expect(count(await generate('profile=requests'), OP_REQUEST_END)).toBeGreaterThan(20);
  expect((await generate('profile=mmap')).requestedPeakBytes).toBeGreaterThan(50e6);
  expect((await generate('profile=mix,touch=none')).touch).toBe('none');
});

test('a mistyped profile gets a suggestion', async () => {
  await expect(generate('profile=tcach')).rejects.toThrow(
    "stress: found profile=tcach, expected one of tcache, fastbin, bins, mmap, trim, realloc, aligned, calloc, prodcons, threads, exits, decay, requests, mix (did you mean 'tcache'?)",
  );
});
