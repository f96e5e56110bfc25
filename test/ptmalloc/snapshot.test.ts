import { expect, it } from 'vitest';
import { eventsFrom, fixture, glibcRun } from './run.ts';

it.each(['mix', 'exits', 'any-5', 'any-35'])('replays on from a snapshot of %s with the same result', (name) => {
  const events = eventsFrom(fixture(`${name}.htrace.gz`));
  const half = Math.floor(events.length / 2);
  const whole = glibcRun(events);
  whole.run.advance(Infinity);

  const observed = glibcRun(events);
  const { memory } = observed.run.assembled.machine;
  observed.run.advance(half);
  const snapshot = memory.snapshot();
  const before = observed.placements.length;
  // Somebody else's future, then back.
  observed.run.assembled.allocator.trim(0, 0);
  for (let i = 0; i < 2000; i++) observed.run.assembled.allocator.malloc(0, i * 37);
  memory.restore(snapshot);
  observed.run.assembled.allocator.check();
  observed.run.advance(Infinity);
  expect(observed.run.samples).toEqual(whole.run.samples);
  observed.run.assembled.allocator.check();
  expect(observed.placements.slice(0, before)).toEqual(whole.placements.slice(0, before));
  expect(observed.placements).toEqual(whole.placements);
  expect(observed.run.assembled.allocator.stats()).toEqual(whole.run.assembled.allocator.stats());
  expect(observed.run.assembled.machine.kernel.residency.residentPages()).toBe(
    whole.run.assembled.machine.kernel.residency.residentPages(),
  );
});
