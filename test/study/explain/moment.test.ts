import { describe, expect, test } from 'vitest';
import { parseAllocator } from '../../../allocators/spec.ts';
import { explain } from '../../../bench/study/explain/explain.ts';
import { momentOf } from '../../../bench/study/explain/moment/moment-in-run.ts';
import { bumpOptions, eventsOf } from '../../helpers/bump-run.ts';

const EXIT_ALONE = 'just before the program began to exit';
const RECORDED = 'recorded with LD_PRELOAD, linux x64';

function moment(lines: readonly string[], at?: string, source = RECORDED) {
  const options = bumpOptions(lines);
  return momentOf({ ...options, events: { ...options.events, source } }, at);
}

describe('the moment that is judged', () => {
  const torn = ['m 0 1 100', 'm 0 2 100', '= busy', 'm 0 3 8', 'f 0 1', 'f 0 3', 'f 0 2', '= end'];

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

  test('a program that a signal ended is judged where it stood, whatever it freed last', () => {
    const ended = [...torn.slice(0, -1), '= ended by signal 2'];
    const end = { kind: 'end', end: ended.length };
    expect(moment(ended)).toMatchObject({
      ...end,
      about: 'at the end of the trace, where the program was ended by signal 2',
    });
    expect(moment(ended, undefined, 'by hand')).toMatchObject({ ...end, about: 'at the end of the trace' });
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
    expect(moment(['m 0 1 8', '= ', 'm 0 2 8'], undefined)).toMatchObject({ kind: 'end', end: 3 });
    expect(() => moment(torn, 'bussy')).toThrow(/no sample point 'bussy'/);
  });

  test('the peak is the event with which the most became resident', () => {
    const lines = ['m 0 1 5000', 'm 0 2 900000', 'f 0 2', 'm 0 3 10', 'm 0 4 10'];
    expect(moment(lines, 'peak')).toMatchObject({ kind: 'peak', end: 2 });
  });

  describe('main() frees what it holds before the exit begins', () => {
    const held = Array.from({ length: 40 }, (_, i) => `m 0 ${i + 1} 200000`);
    const freed = (from: number) => Array.from({ length: 40 - from }, (_, i) => `f 0 ${i + from + 1}`);
    const KEEPS = 'glibc.malloc.mmap_threshold=4000000:glibc.malloc.trim_threshold=90000000';
    const exiting = (lines: readonly string[], at?: string, tunables = '', allocator = 'glibc') => {
      const events = eventsOf([...(tunables && [`%env GLIBC_TUNABLES ${tunables}`]), ...lines, '= end']);
      const recorded = { ...events, source: RECORDED, exitRow: lines.length };
      return momentOf({ ...bumpOptions(['m 0 1 8']), events: recorded, spec: parseAllocator(allocator, 2) }, at);
    };

    test('at once: the moment before is judged, whatever is left', () => {
      for (const tunables of ['', KEEPS]) {
        const found = exiting([...held, ...freed(0), '+ 10000', '= exit'], undefined, tunables);
        expect(found).toMatchObject({ kind: 'exit', end: 40 });
        expect(found.about).toMatch(/taken for the end of main/);
      }
    });

    test('a little before: a heap that is empty then is judged before, and both are named', () => {
      const found = exiting([...held, ...freed(0), '+ 90000']);
      expect(found).toMatchObject({ kind: 'exit', end: 40 });
      expect(found.about).toMatch(/before the last 40 frees.*leave 4.00 KiB of 7\.\d+ MiB.*--at exit/);
      expect(exiting([...held, ...freed(0), '+ 90000'], 'exit').end).toBe(81);
    });

    test('one that is still large is judged as it is', () => {
      const found = exiting([...held, ...freed(0), '+ 50000'], undefined, KEEPS);
      expect(found).toMatchObject({ kind: 'exit', end: 81 });
      expect(found.about).toMatch(/the last 40 frees end .* earlier.*--at #39/);
    });

    test('it is the same moment whatever allocator it is judged under', () => {
      const lines = [...held, ...freed(0), '+ 90000'];
      const setting = 'glibc:mmap_threshold=4000000,trim_threshold=90000000';
      expect(exiting(lines, undefined, '', setting)).toMatchObject({ kind: 'exit', end: 40 });
      expect(exiting(lines, undefined, '', setting).about).toMatch(/leave 4.00 KiB of .* resident under glibc@2.36/);
      expect(exiting(lines, undefined, KEEPS).end).toBe(81);
    });

    test('a last word behind them, with a buffer of its own, goes with them where the heap is empty', () => {
      const found = exiting([...held, ...freed(0), 'm 0 98 100', 'f 0 98', '+ 30000', 'm 0 99 1024', '= exit']);
      expect(found).toMatchObject({ kind: 'exit', end: 40 });
      expect(found.about).toMatch(/before 40 frees \(and 1 other call behind them\).*leave .* of 7\.\d+ MiB/);
      const more = Array.from({ length: 40 }, (_, i) => `m 0 ${100 + i} 200000`);
      expect(exiting([...held, ...freed(0), ...more])).toMatchObject({ end: 120 });
    });

    test('a pause between them ends them: what the earlier ones left is the program’s life', () => {
      const [early, late] = [freed(0).slice(0, 38), freed(38)];
      const found = exiting([...held, ...early, '+ 1500000000', ...late, '+ 10000']);
      expect(found).toMatchObject({ kind: 'exit', end: 40 + 38 + 1 });
      const alone = exiting([...held, ...freed(0).slice(0, 39), '+ 1500000000', 'f 0 40']);
      expect(alone.about).toMatch(/^before the last free, with no allocation between, that comes right .* after it\)$/);
      const near = exiting([...held, ...early, '+ 300000000', ...late, '+ 10000']);
      expect(near).toMatchObject({ kind: 'exit', end: 82 });
      expect(near.about).toMatch(/38 frees \(and 2 other calls behind them\) end 300 ms earlier/);
      // A processor that others have for a while is no pause of the program's.
      expect(exiting([...held, ...early, '+ 40000000', ...late])).toMatchObject({ end: 40 });
    });

    test('a few small blocks that are freed at once do not end them, and more do', () => {
      const word = ['m 0 99 57', 'm 0 98 57', 'f 0 99', 'f 0 98'];
      const behind = (words: readonly string[]) =>
        exiting([...held, ...freed(0).slice(0, 39), ...words, 'f 0 40'], undefined, KEEPS);
      expect(behind([...word, ...word])).toMatchObject({ kind: 'exit', end: 40 });
      expect(behind([...word, ...word]).about).toMatch(
        /before the last 40 frees, with no allocation that stays between/,
      );
      // Behind them the program said something before it freed the rest: it lived without what it freed first.
      const more = Array.from({ length: 80 }, (_, i) => `m 0 ${200 + i} 200000`);
      const dropped = more.map((line) => line.replace(/^m (\d+ \d+) .*/, 'f $1'));
      expect(
        exiting([...held, ...more, ...dropped, ...word, ...freed(0)], undefined, KEEPS).end,
      ).toBeGreaterThanOrEqual(200);
      for (const work of [
        Array.from({ length: 17 }, () => word).flat(),
        ['m 0 99 200000', 'f 0 99'],
        ['m 0 99 57', '+ 2000000', 'f 0 99'],
        ['m 0 99 57'],
      ]) {
        expect(behind(work).end).toBeGreaterThan(79);
      }
    });

    test('what the last free itself takes is no time behind it', () => {
      const nodes = Array.from({ length: 20_000 }, (_, i) => `${i + 10} 100`);
      const heap = ['m 0 1 100000', ...nodes.map((node) => `m 0 ${node}`), 'm 0 2 50'];
      const freed = nodes.map((node) => `f 0 ${node.replace(/ .*/, '')}`);
      // The table is large, so its free consolidates what went before.
      expect(exiting([...heap, ...freed, 'f 0 1', '+ 500000'])).toMatchObject({ kind: 'exit', end: heap.length });
      expect(exiting([...heap, 'f 0 1', ...freed, '+ 500000'])).toMatchObject({ end: heap.length + freed.length + 2 });
      expect(exiting([...heap, ...freed, 'f 0 1', '+ 50000000']).end).toBeGreaterThan(heap.length);
      const told = ['%machine idle-at-exit 5000', ...heap, ...freed, 'f 0 1', '+ 50000000'];
      expect(exiting(told)).toMatchObject({ end: heap.length });
    });

    test('frees of few blocks, a trim or time behind them, are the program’s own', () => {
      for (const lines of [
        freed(25),
        [...freed(0), 'trim 0 0'],
        [...freed(0), '+ 2000000000'],
        [...freed(0), ...Array.from({ length: 33 }, (_, i) => `m 0 ${100 + i} 8`)],
      ]) {
        expect(exiting([...held, ...lines])).toMatchObject({ end: 40 + lines.length, about: EXIT_ALONE });
      }
    });
  });

  describe('threads end before the moment', () => {
    /** Each thread fills its cache and keeps every other block of a page: what it freed goes when the thread ends. */
    const work = (thread: number) => {
      const own = Array.from({ length: 7 }, (_, i) => thread * 100 + i);
      return [...own.map((id) => `m ${thread} ${id} 1000`), ...own.map((id) => `f ${thread} ${id}`)];
    };
    const glibc = (lines: readonly string[], at?: string) =>
      momentOf({ ...bumpOptions(lines), spec: parseAllocator('glibc:trim_threshold=4096,top_pad=0', 2) }, at);
    const working = [...work(1), ...work(2), 'm 0 1 1000'];
    const before = working.length - 1;

    test('how much was resident while they lived is said, and where to look at it', () => {
      const found = glibc([...working, 'te 2', 'm 0 2 10', 'te 1', 'm 0 3 10']);
      expect(found).toMatchObject({ kind: 'end', end: working.length + 4 });
      expect(found.about).toMatch(
        new RegExp(`; 2 threads ended before: while they lived [\\d.]+ KiB were resident, .*\\(--at #${before}\\)$`),
      );
    });

    test('of several, that where most was resident', () => {
      const found = glibc([...working, 'te 2', 'm 0 2 100000', 'te 1', 'f 0 2']);
      expect(found.about).toMatch(
        new RegExp(`; 2 threads ended before: while the last of them lived 1\\d\\d.* \\(--at #${before + 2}\\)$`),
      );
    });

    test('those that others replaced are not spoken of, unless few were left', () => {
      expect(glibc([...working, 'te 2', 'te 1', ...work(3), ...work(4)]).about).not.toContain('ended');
      expect(glibc([...working, 'te 2', ...work(3), 'te 3', 'te 1']).about).toContain('2 threads ended');
      expect(glibc([...working, ...work(3), 'te 1', 'te 2', 'te 3', ...work(4), 'te 4']).about).toMatch(/4 threads/);
    });

    test('a moment that was asked for by its place is told by it alone', () => {
      const lines = [...working, 'te 2', 'te 1', '= after'];
      for (const at of ['after', `#${lines.length - 1}`]) expect(glibc(lines, at).about).not.toContain('ended');
      expect(glibc([...work(0), 'm 0 1 8']).about).not.toContain('ended');
    });
  });

  describe('threads end with which the program goes down', () => {
    /** Two threads hold blocks and are joined: their ends, what main() frees of them, a last line. */
    const held = (thread: number) => Array.from({ length: 30 }, (_, i) => `m ${thread} ${thread * 100 + i} 1000`);
    const working = ['m 0 1 1000', ...held(1), ...held(2)];
    const ends = ['te 1', '+ 200000', 'te 2', 'f 0 100', '+ 5000000', 'm 0 2 472', 'm 0 3 1024', 'f 0 3', 'f 0 2'];
    const exiting = (lines: readonly string[], at?: string, source = RECORDED) => {
      const events = { ...eventsOf([...lines, '= end']), source, exitRow: lines.length };
      return momentOf({ ...bumpOptions(['m 0 1 8']), events }, at);
    };

    test('the moment before the first of them is judged, and that is said', () => {
      const found = exiting([...working, ...ends]);
      expect(found).toMatchObject({ kind: 'exit', end: working.length });
      expect(found.about).toBe(
        'before the ends of 2 threads, with which the program goes down (3 frees and 2 other calls behind; --at exit judges after them)',
      );
      expect(exiting([...working, ...ends], 'exit')).toMatchObject({ end: working.length + ends.length });
    });

    test.each([
      ['an allocation as large as work takes', ['m 0 9 200000']],
      ['many that are small', Array.from({ length: 200 }, (_, i) => `m 0 ${1000 + i} 800`)],
      ['a pause', ['+ 1500000000']],
      ['a sample of the program’s own', ['= half']],
      ['a trim', ['trim 0 0']],
    ])('%s behind them is work: the program went on', (_, lines) => {
      const found = exiting([...working, ...ends, ...lines]);
      expect(found).toMatchObject({ end: working.length + ends.length + lines.length });
      expect(found.about).toMatch(/2 threads ended before/);
    });

    describe('what main() frees of theirs is life where it waits behind that, for nobody', () => {
      const some = Array.from({ length: 6 }, (_, i) => `f 0 ${100 + i}`);
      const most = [1, 2].flatMap((thread) => Array.from({ length: 29 }, (_, i) => `f 0 ${thread * 100 + i}`));

      test.each([
        ['a cache that is shrunk', some, 802_000_000, 'm 0 900 4096'],
        ['most of it, and a wait', most, 822_000_000, undefined],
        ['most of it, and a short wait', most, 20_000_000, undefined],
      ])('%s', (_, freed, ns, word) => {
        const lines = [...working, 'te 1', 'te 2', ...freed, `+ ${ns}`, ...(word ? [word] : [])];
        const about = expect.stringMatching(/^just before the program began to exit;.* 2 threads ended before/);
        expect(exiting(lines)).toMatchObject({ kind: 'exit', end: lines.length, about });
      });
      test('but where it has not stopped, or waits for the next thread, it goes down', () => {
        for (const [behind, between, freed] of [
          [50_000_000, 5000, some],
          [5000, 802_000_000, some],
          [500_000, 5000, most],
        ] as const) {
          const lines = [...working, 'te 1', `+ ${between}`, 'te 2', ...freed, `+ ${behind}`];
          expect(exiting(lines)).toMatchObject({ kind: 'exit', end: working.length });
        }
      });
    });

    test('a wait that was no join is life behind what main() freed; one that was may be long', () => {
      const ids = [1, 2].flatMap((thread) => Array.from({ length: 29 }, (_, i) => `f 0 ${thread * 100 + i}`));
      const [first, last] = [
        ['te 1', '+ 1000', 'tj 0 1 1000'],
        ['te 2', '+ 1000'],
      ];
      const lines = (joined: string) => [...working, ...first, ...ids, '+ 900000000', ...last, joined];
      const slept = lines('tj 0 2 1500');
      expect(exiting(slept)).toMatchObject({ end: slept.length - 3 });
      expect(exiting(slept).about).toMatch(/^before the end of 1 thread, .*the last 58 frees end 900 ms earlier/);
      for (const joined of ['tj 0 2 900001000', 'tj 0 2 4294967295', 'm 0 900 8']) {
        expect(exiting(lines(joined))).toMatchObject({ end: working.length });
      }
    });

    test('a main thread that goes on with calls far apart is at work, one that frees in order to end is not', () => {
      const each = (lines: (i: number) => string[]) => Array.from({ length: 28 }, (_, i) => lines(i)).flat();
      const words = (i: number) => [`m 0 ${900 + i} 40`, `m 0 ${950 + i} 40`, `f 0 ${900 + i}`, `f 0 ${950 + i}`];
      const end = ['te 1', '+ 1000', 'te 2'];
      // Two lines of a log for each block that it drops, and for nothing else.
      const logs = each((i) => ['+ 10000000', `f 0 ${100 + i}`, ...words(i)]);
      const rare = each((i) => ['+ 20000000', ...words(i)]);
      for (const quiet of [logs, rare]) {
        const lines = [...working, ...end, ...quiet];
        expect(exiting(lines)).toMatchObject({ end: lines.length });
      }
      // Frees with a last word, on a machine that is slow or gives the processor to others now and then.
      const slow = each((i) => ['+ 10000000', `f 0 ${100 + i}`]);
      const stopped = each((i) => [i % 5 === 0 ? '+ 60000000' : '+ 4000000', `f 0 ${100 + i}`]);
      const busy = each((i) => ['+ 900000', `f 0 ${100 + i}`, '+ 900000', `f 0 ${200 + i}`, ...words(i)]);
      for (const frees of [[...slow, 'm 0 2 100', 'm 0 3 1000'], slow, stopped, busy]) {
        expect(exiting([...working, ...end, ...frees])).toMatchObject({ end: working.length });
      }
    });

    test('so is a thread that begins', () => {
      const lines = [...working, ...ends, 'm 3 300 10', 'f 3 300'];
      expect(exiting(lines)).toMatchObject({ end: lines.length, about: EXIT_ALONE });
    });

    test('of those between which it works only the last ones are', () => {
      const found = exiting([...working, 'te 1', 'm 0 9 200000', 'te 2']);
      expect(found).toMatchObject({ end: working.length + 2 });
      expect(found.about).toMatch(/before the end of 1 thread, .*; 1 thread ended before/);
    });

    test('threads that work off what others gave them are at work: the moment is behind that', () => {
      const given = Array.from({ length: 200 }, (_, i) => `m 0 ${1000 + i} 1000`);
      const freed = Array.from({ length: 200 }, (_, i) => `f ${1 + (i % 2)} ${1000 + i}`);
      const history = freed.flatMap((line, i) => [line, ...(i % 40 === 0 ? [`m 2 ${2000 + i} 30`] : [])]);
      const start = ['m 0 1 1000', ...held(1), ...held(2), 'm 3 3000 8', ...given];
      for (const drain of [freed, history]) {
        // The states of the threads are the main thread's, too.
        const down = ['f 1 1000', 'te 1', 'f 2 1001', 'te 2', 'f 0 100'];
        const lines = [...start, 'te 3', ...drain.filter((line) => !/ 100[01]$/.test(line)), ...down];
        const found = exiting(lines);
        expect(found).toMatchObject({ kind: 'exit', end: lines.length - 4 });
        expect(found.about).toMatch(/^before the ends of 2 threads, .*; 1 thread ended before/);
      }
    });

    test('what main() frees of theirs in each round is its work', () => {
      const rounds = [1, 2, 3].flatMap((round) => {
        const blocks = Array.from({ length: 200 }, (_, i) => round * 1000 + i);
        return [...blocks.map((id) => `m ${round} ${id} 1000`), `te ${round}`, ...blocks.map((id) => `f 0 ${id}`)];
      });
      const lines = ['m 0 1 1000', ...rounds];
      expect(exiting([...lines, '+ 60000'])).toMatchObject({ end: lines.length + 1 });
      expect(exiting(lines.slice(0, 402))).toMatchObject({ end: 201 });
    });

    test('what threads free at their ends in each round is their work', () => {
      const table = (thread: number) => Array.from({ length: 200 }, (_, i) => thread * 1000 + i);
      const rounds = [1, 2, 3].flatMap((round) => [
        `m ${round} ${90 + round} 1000`,
        ...table(round).map((id) => `m ${round} ${id} 1000`),
        ...table(round).map((id) => `f ${round} ${id}`),
        `te ${round}`,
      ]);
      const lines = ['m 0 1 1000', ...rounds];
      const found = exiting([...lines, 'f 0 91', 'f 0 92', 'f 0 93']);
      expect(found).toMatchObject({ end: lines.length - 1 });
      expect(found.about).toMatch(/^before the end of 1 thread/);
      // Of a single round it is what ends with them.
      expect(exiting(lines.slice(0, 403))).toMatchObject({ end: 202 });
    });

    test('frees of most blocks right before them go with them, and a little before where they empty the heap', () => {
      const mapped = working.map((line) => line.replace(/1000$/, '200000'));
      const freed = working.map((line) => line.replace(/^m (\d+ \d+) .*/, 'f $1'));
      for (const pause of [[], ['+ 50000']]) {
        const found = exiting([...mapped, ...freed, ...pause, 'te 1', '+ 500000', 'te 2', '+ 9000000']);
        expect(found).toMatchObject({ kind: 'exit', end: working.length });
        expect(found.about).toMatch(/before the last 61 frees.* right before the ends of 2 threads/);
      }
      const found = exiting([...mapped, ...freed, '+ 20000000', 'te 1', 'te 2']);
      expect(found).toMatchObject({ end: working.length * 2 + 1 });
      expect(found.about).toMatch(/^before the ends of 2 threads.*61 frees end 20.0 ms earlier/);
    });

    test('before an interpreter that takes itself down, and at the end of a recording in frees, too', () => {
      const down = [...working, 'te 1', 'te 2', '= Py_FinalizeEx', 'f 0 1'];
      expect(exiting(down)).toMatchObject({ kind: 'exit', end: working.length });
      const freed = working.map((line) => line.replace(/^m \d+ (\d+) .*/, 'f 0 $1'));
      const events = { ...eventsOf([...working, 'te 1', 'te 2', ...freed, '= end']), source: RECORDED };
      expect(momentOf({ ...bumpOptions(['m 0 1 8']), events }, undefined)).toMatchObject({ end: working.length });
    });

    test('a trace that was not recorded, and one that a signal ended, are judged where they end', () => {
      expect(exiting([...working, ...ends], undefined, 'by hand').about).toMatch(/2 threads ended before/);
      const events = { ...eventsOf([...working, 'te 1', 'te 2', '= ended by signal 9']), source: RECORDED };
      expect(momentOf({ ...bumpOptions(['m 0 1 8']), events }, undefined)).toMatchObject({ kind: 'end' });
    });
  });

  test('what frees leave is told from right behind them, not from where threads have ended too', () => {
    const held = Array.from({ length: 600 }, (_, i) => `m 1 ${i + 1} 1000`);
    const freed = held.map((_, i) => `f 1 ${i + 1}`);
    const lines = ['m 0 9999 8', ...held, ...freed, '+ 3000000', 'te 1', 'm 0 9998 200000', '= exit'];
    const tunables = '%env GLIBC_TUNABLES glibc.malloc.tcache_count=600';
    const events = { ...eventsOf([tunables, ...lines, '= end']), source: RECORDED, exitRow: lines.length };
    const spec = parseAllocator('glibc:tcache_count=600', 2);
    const { about } = momentOf({ ...bumpOptions(['m 0 1 8']), events, spec }, undefined);
    const [, leave] = /600 frees .*leave (\S+ KiB) of \S+ KiB resident/.exec(about)!;
    const [, living] = /1 thread ended before: while it lived (\S+ KiB)/.exec(about)!;
    expect(leave).toBe(living);
  });

  describe('an interpreter takes itself down before the exit', () => {
    const held = Array.from({ length: 40 }, (_, i) => `m 0 ${i + 1} 1000`);
    /** Frees what it holds, and takes something small meanwhile. */
    const teardown = held.flatMap((_, i) => [`f 0 ${i + 1}`, ...(i % 5 === 0 ? [`m 0 ${1000 + i} 50`] : [])]);
    const exiting = (lines: readonly string[], source = RECORDED, exitRow = lines.length) => {
      const events = { ...eventsOf([...lines, '= end']), source, exitRow };
      return momentOf({ ...bumpOptions(['m 0 1 8']), events }, undefined);
    };

    test.each([
      ['Py_FinalizeEx', 'Python'],
      ['php_request_shutdown', 'PHP'],
      ['php_module_shutdown', 'PHP'],
    ])('%s: the moment when it begins is judged', (label, name) => {
      const found = exiting([...held, `= ${label}`, ...teardown, '= exit']);
      expect(found).toMatchObject({ kind: 'exit', end: 40 });
      expect(found.about).toContain(`when ${name} began to take itself down (${label})`);
    });

    test('before the frees of what main() held, with a word that is freed at once between', () => {
      const word = ['m 0 99 57', 'f 0 99'];
      const freed = held.slice(1).map((line) => line.replace(/^m (\d+ \d+) .*/, 'f $1'));
      const found = exiting([
        ...held,
        ...freed.slice(1),
        ...word,
        freed[0]!,
        ...word,
        '= Py_FinalizeEx',
        'f 0 1',
        '= exit',
      ]);
      expect(found).toMatchObject({ kind: 'exit', end: 40 });
      expect(found.about).toMatch(
        /before the last 39 frees, .* right before Python takes itself down: taken for the end of the script/,
      );
    });

    test('those frees may be few of all blocks, most of which are the interpreter’s, but more than last words', () => {
      const few = (count: number) => held.slice(0, count).map((line) => line.replace(/^m (\d+ \d+) .*/, 'f $1'));
      const engine = Array.from({ length: 400 }, (_, i) => `m 0 ${2000 + i} 200`);
      const at = (lines: readonly string[]) =>
        exiting([...engine, ...held, ...lines, '= Py_FinalizeEx', ...teardown.slice(40)]).end;
      expect(at(few(33))).toBe(440);
      expect(at(few(32))).toBe(472);
      // Behind work they were the program's own.
      expect(at([...few(33), 'm 0 999 8'])).toBe(474);
      expect(at([...few(33), '+ 50000'])).toBe(474);
    });

    test('PHP ends its script’s request first, then its modules: the first is judged', () => {
      const found = exiting([
        ...held,
        '= php_request_shutdown',
        ...teardown,
        '= php_module_shutdown',
        'f 0 1000',
        '= exit',
      ]);
      expect(found).toMatchObject({ kind: 'exit', end: 40 });
      const again = Array.from({ length: 40 }, (_, i) => `m 0 ${500 + i} 1000`);
      const next = [...held, '= php_request_shutdown', ...teardown, ...again, '= php_module_shutdown', '= exit'];
      expect(exiting(next)).toMatchObject({ end: 40 + teardown.length + 1 + 40 });
    });

    test('where its threads go on meanwhile, the last such moment is', () => {
      const work = Array.from({ length: 20 }, (_, i) => [`m 0 ${500 + i} 1000`]).flat();
      const found = exiting([...held, '= Py_FinalizeEx', ...work, '= Py_FinalizeEx', ...teardown, '= exit']);
      expect(found).toMatchObject({ kind: 'exit', end: 61 });
    });

    test('a process that takes as much again has begun anew: its own exit is judged', () => {
      const again = Array.from({ length: 40 }, (_, i) => `m 0 ${500 + i} 1000`);
      const lines = [...held, '= php_module_shutdown', ...teardown, ...again, '= exit'];
      expect(exiting(lines)).toMatchObject({ end: lines.length, about: EXIT_ALONE });
    });

    test('one that a signal ended on the way has no exit', () => {
      const found = exiting([...held, '= Py_FinalizeEx', ...teardown.slice(0, 10), '= s1', 'm 0 999 8'], RECORDED, -1);
      expect(found).toMatchObject({ kind: 'end' });
    });
  });
});

test('a program that has given back nearly all before it exits is told so, with the moment to ask for', () => {
  const about = (kept: number) => {
    const blocks = Array.from({ length: 100 }, (_, i) => i);
    const lines = [
      ...blocks.map((i) => `m 0 ${i} 10000`),
      ...blocks.slice(kept).map((i) => `f 0 ${i}`),
      '+ 2000000000',
      'm 0 200 10',
    ];
    const events = { ...eventsOf([...lines, '= end']), source: RECORDED, exitRow: lines.length };
    return explain({ ...bumpOptions(['m 0 1 8']), events, whatIf: false }).moment.about;
  };
  expect(about(4)).toMatch(/; of the 976\.6 KiB that the program held at most it has given back nearly all by then/);
  expect(about(20)).not.toContain('given back');
});

test('what a program drops last as it did at the end of each turn is no end of main()', () => {
  const turn = (i: number) => [
    ...Array.from({ length: 60 }, (_, k) => `m 0 ${i * 100 + k} 1000`),
    ...Array.from({ length: 60 }, (_, k) => `f 0 ${i * 100 + k}`),
  ];
  const judged = (turns: number, before: readonly string[] = []) => {
    const lines = ['m 0 9999 500', ...before, ...Array.from({ length: turns }, (_, i) => turn(i)).flat()];
    const events = { ...eventsOf([...lines, '= end']), source: RECORDED, exitRow: lines.length };
    return { ...momentOf({ ...bumpOptions(['m 0 1 8']), events }, undefined), lines: lines.length };
  };
  const often = judged(3);
  expect(often.end).toBe(often.lines);
  expect(often.about).toMatch(/the last 60 frees end .* \(before them: --at #/);
  const twice = judged(2);
  expect(twice.end).toBe(twice.lines - 60);
  // A few that go at once say nothing where far more lived.
  const more = Array.from({ length: 500 }, (_, i) => `m 0 ${5000 + i} 100`);
  const few = judged(3, [...more, ...more.map((_, i) => `f 0 ${5000 + i}`)]);
  expect(few.end).toBe(few.lines - 60);
});
