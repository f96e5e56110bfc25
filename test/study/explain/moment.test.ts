import { describe, expect, test } from 'vitest';
import { momentOf } from '../../../bench/study/explain/moment.ts';
import { bumpOptions } from '../../helpers/bump-run.ts';

const RECORDED = 'recorded with LD_PRELOAD, linux x64';

function moment(lines: readonly string[], at?: string, source = RECORDED) {
  const options = bumpOptions(lines);
  return momentOf({ ...options, events: { ...options.events, source } }, at);
}

describe('the moment that is judged', () => {
  const torn = ['m 0 1 100', 'm 0 2 100', '= busy', 'm 0 3 8', 'f 0 3', 'f 0 1', 'f 0 2', '= end'];

  test('a recording that ends with frees of most blocks is judged before them, and says so', () => {
    expect(moment(torn)).toMatchObject({ kind: 'exit', end: 4 });
    expect(moment(torn).about).toContain('3 frees');
    expect(moment(torn, 'exit').end).toBe(4);
  });

  test('a trace that was not recorded ends where its author wanted', () => {
    expect(moment(torn, undefined, 'by hand')).toMatchObject({ kind: 'end', end: torn.length });
  });

  test('frees before a sample of the program’s own, and a few at the end, are no exit', () => {
    expect(moment(['m 0 1 100', 'f 0 1', '= freed', '= end'])).toMatchObject({ kind: 'end', end: 4 });
    expect(moment(['m 0 1 9', 'm 0 2 9', 'm 0 3 9', 'f 0 1', '= end'])).toMatchObject({ kind: 'end', end: 5 });
  });

  test('the end of the only request is the exit of a script; of one among many it is not', () => {
    const script = ['eb 0', 'em 0 1 100', 'ee 0', '= after'];
    expect(moment(script, undefined, '')).toMatchObject({ kind: 'exit', end: 2 });
    expect(moment([...script, 'eb 0', 'ee 0'], undefined, '')).toMatchObject({ kind: 'end', end: 6 });
  });

  test('an event that says that the exit begins goes before what is told from frees', () => {
    const options = bumpOptions(torn);
    const events = { ...options.events, source: RECORDED, exitRow: 2 };
    expect(momentOf({ ...options, events }, undefined)).toMatchObject({ kind: 'exit', end: 2 });
  });

  test('labels, events, the end; a label goes before a word', () => {
    expect(moment(torn, 'busy')).toMatchObject({ kind: 'label', end: 3 });
    expect(moment(torn, '#1')).toMatchObject({ kind: 'event', end: 2 });
    expect(moment(['m 0 1 8', '= end', 'm 0 2 8'], 'end')).toMatchObject({ kind: 'label', end: 2 });
    expect(moment(['m 0 1 8', 'm 0 2 8'], 'end')).toMatchObject({ kind: 'end', end: 2 });
    expect(() => moment(torn, 'bussy')).toThrow(/no sample point 'bussy'/);
  });

  test('the peak is the event with which the most became resident', () => {
    const lines = ['m 0 1 5000', 'm 0 2 900000', 'f 0 2', 'm 0 3 10', 'm 0 4 10'];
    expect(moment(lines, 'peak')).toMatchObject({ kind: 'peak', end: 2 });
  });
});
