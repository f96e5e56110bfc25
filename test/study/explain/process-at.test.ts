import { expect, test } from 'vitest';
import { explain } from '../../../bench/study/explain/explain.ts';
import { explanationText } from '../../../bench/study/explain/text.ts';
import { bumpOptions } from '../../helpers/bump-run.ts';

const look = (blocks: number) =>
  `! VmRSS ${blocks + 409_600} blocks ${blocks} anonymous 204800 stack 102400 data 4096 files 98304 recorder 0`;
const HALVES = [
  ...Array.from({ length: 10 }, (_, i) => `m 0 ${i} 8192`),
  '= early',
  look(81_920),
  ...Array.from({ length: 10 }, (_, i) => `m 0 ${10 + i} 8192`),
  '= middle',
  ...Array.from({ length: 5 }, (_, i) => `f 0 ${i}`),
  '= late',
  look(163_840),
];

const of = (at: string) => explain({ ...bumpOptions(HALVES), at, whatIf: false });

test('the process is that of the look at the moment', () => {
  const e = of('early');
  expect(e).toMatchObject({ process: { label: 'early', heap: e.sample.rssBytes }, processEventsLater: 0 });
  expect(explanationText(e)).toContain("The recorded process at 'early'\n");
  expect(e.verdict.sentences.join(' ')).toMatch(/The recorded process has 304\.0 KiB of its own beside it/);
});

test('where nobody looked it is that of the nearest look, with what is simulated there, and both say so', () => {
  const later = of('middle');
  expect(later).toMatchObject({ process: { label: 'late' }, processEventsLater: 5 });
  expect(later.process!.heap).toBe(of('late').sample.rssBytes);
  expect(explanationText(later, undefined, { width: 200 })).toContain(
    "The recorded process at 'late', 5 events later: ",
  );
  const earlier = of('#12');
  expect(earlier).toMatchObject({ process: { label: 'early' }, processEventsLater: -3 });
  expect(earlier.process!.heap).toBe(of('early').sample.rssBytes);
  expect(earlier.process!.heap).toBeLessThan(earlier.sample.rssBytes);
  expect(earlier.verdict.sentences.join(' ')).toMatch(/when the recorder looked nearest to here \(3 events earlier\)/);
});

test('a process that was forked says what it had from its parent, and that pages may be in memory once for both', () => {
  const lines = ['m 0 1 80000', 'fork 0', 'm 0 2 80000'];
  const e = explain({ ...bumpOptions(lines), whatIf: false });
  const atFork = explain({ ...bumpOptions(lines), at: '#0', whatIf: false });
  expect(e.forked).toEqual({ event: 1, bytes: atFork.sample.rssBytes });
  expect(e.verdict.sentences.join(' ')).toMatch(/forked at event 1, when 80\.0 KiB of its heap were resident/);
  expect(atFork.forked).toBeNull();
});
