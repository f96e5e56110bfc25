import { expect, it } from 'vitest';
import { eventsFrom, fixture, glibcSession } from './run.ts';

it.each(['mix', 'exits', 'any-5', 'any-35'])('replays on from a snapshot of %s with the same result', (name) => {
  const events = eventsFrom(fixture(`${name}.htrace.gz`));
  const half = Math.floor(events.length / 2);
  const whole = glibcSession(events);
  whole.session.advance(Infinity);

  const run = glibcSession(events);
  const { memory } = run.session.assembled.machine;
  run.session.advance(half);
  const snapshot = memory.snapshot();
  const before = run.placements.length;
  // Somebody else's future, then back.
  run.session.assembled.allocator.trim(0, 0);
  for (let i = 0; i < 2000; i++) run.session.assembled.allocator.malloc(0, i * 37);
  memory.restore(snapshot);
  run.session.assembled.allocator.check();
  run.session.advance(Infinity);
  run.session.assembled.allocator.check();
  expect(run.placements.slice(0, before)).toEqual(whole.placements.slice(0, before));
  expect(run.placements).toEqual(whole.placements);
  expect(run.session.assembled.allocator.stats()).toEqual(whole.session.assembled.allocator.stats());
  expect(run.session.assembled.machine.kernel.residency.residentPages()).toBe(
    whole.session.assembled.machine.kernel.residency.residentPages(),
  );
});
