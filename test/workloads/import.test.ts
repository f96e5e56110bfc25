import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { UserError } from '../../sim/contract/assert.ts';
import { importTrace } from '../../workloads/import/index.ts';
import { linesOf } from '../../workloads/import/lines.ts';
import { unpacked } from '../../workloads/trace/unpacked.ts';
import { formatTrace } from '../../workloads/trace/writer.ts';
import { temporaryFolder } from '../helpers/temporary.ts';

async function imported(log: string, quantumNs = 1000) {
  const path = `${temporaryFolder()}/log`;
  writeFileSync(path, log);
  const { events, oddities, format } = await importTrace(path, { quantumNs });
  const text = Buffer.concat([...formatTrace(events)]).toString();
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('%'));
  return { lines, oddities, format, frames: events.frames.slice(1) };
}

describe('the log of mtrace', () => {
  it('becomes a trace of the main thread', async () => {
    const { lines, oddities, format } = await imported(
      [
        '= Start',
        '@ ./a:[0x5639a1] + 0x5580 0xa',
        '@ /lib/x86_64-linux-gnu/libc.so.6:(reallocarray+0x1f)[0x7f] + 0x55a0 0x15',
        '@ ./a:[0x5639a2] < 0x5580',
        '@ ./a:[0x5639a2] > 0x55c0 0x1388',
        '- 0x55a0',
        '@ ./a:[0x5639a3] ! 0x55c0 0x7fffffffffff',
        '@ ./a:[0x5639a3] - 0x9999',
        '@ ./a:[0x5639a3] - 0x55c0',
        '= End',
      ].join('\n'),
    );
    expect(format).toBe('mtrace');
    expect(lines).toEqual(['m 0 1 10', 'm 0 2 21', 'r 0 1 5000', 'f 0 2', 'f 0 1', '= end']);
    expect(oddities).toEqual({ 'frees of blocks that were not seen': 1 });
  });

  it('is refused where it is broken', async () => {
    await expect(imported('= Start\n+ 0x10\n')).rejects.toThrow(/log:2: found "\+ 0x10", expected a line of mtrace$/);
    await expect(imported('= Start\n= End\n')).rejects.toThrow(/found no call of the malloc family/);
  });
});

describe('the log of ltrace', () => {
  it('has processes as threads, times, callers, and calls that others interrupt', async () => {
    const { lines, format } = await imported(
      [
        '[pid 70] 1700000000.000000 main->malloc(24)                  = 0x1000',
        '[pid 71] 1700000000.000500 libX.so.2->calloc(3, 8)           = 0x2000',
        '[pid 70] 1700000000.000500 realloc(0x1000, 100 <unfinished ...>',
        '[pid 71] 1700000000.000500 malloc(5)                         = 0x1000',
        '[pid 70] 1700000000.000600 <... realloc resumed> )           = 0x3000',
        '[pid 70] 1700000000.000600 strlen("malloc(3) = 0x5")         = 15',
        '[pid 71] 1700000000.000600 free(0x3000)                      = <void>',
        '[pid 71] 1700000000.000600 free(nil)                         = <void>',
        '[pid 70] 1700000000.000600 realloc(nil, 7)                   = 0x4000',
        '[pid 70] 1700000000.000600 memalign(64, 128)                 = 0x5000',
        '+++ exited (status 0) +++',
      ].join('\n'),
    );
    expect(format).toBe('ltrace');
    expect(lines).toEqual([
      'm 0 1 24',
      '+ 500000',
      'c 1 2 3 8',
      'm 1 3 5',
      '+ 100000',
      'r 0 1 100',
      'f 1 1',
      'm 0 1 7',
      'a 0 4 64 128',
      '= end',
    ]);
  });

  it('needs neither processes nor times', async () => {
    expect((await imported('malloc(24) = 0x1000\nfree(0x1000) = <void>\n')).lines).toEqual([
      'm 0 1 24',
      'f 0 1',
      '= end',
    ]);
    expect((await imported('812 malloc(24) = 0x1000\n813 free(0x1000) = <void>\n')).lines).toEqual([
      'm 0 1 24',
      'f 1 1',
      '= end',
    ]);
  });
});

describe('the data of heaptrack', () => {
  it('are read raw, by address', async () => {
    const { lines, format } = await imported(
      [
        'v 10500 3',
        'x /usr/bin/a',
        't 1 0',
        'c 0',
        '+ a 1 5580',
        '+ 20 1 55a0',
        'c 5',
        '- 5580',
        '- 55a0',
        'R 10',
      ].join('\n'),
    );
    expect(format).toBe('heaptrack');
    expect(lines).toEqual(['m 0 1 10 @1', 'm 0 2 32 @1', '+ 5000000', 'f 0 1', 'f 0 2', '= end']);
  });

  it('have each address in the module that lies there now', async () => {
    const { frames } = await imported(
      [
        'v 10500 3',
        'x /usr/bin/a',
        'm 1 x 1000 0 500 800 500',
        'm 4 b.so 9000 0 0 10 20',
        't 1801 0',
        't 9000 0', // a segment without length
        't 9015 0',
        'm 1 -',
        'm 4 c.so 9000 0 100',
        't 9015 0',
        't 1501 0', // between two
        '+ a 1 5580',
      ].join('\n'),
    );
    expect(frames.map(({ module, functionName }) => `${module} ${functionName}`)).toEqual([
      '/usr/bin/a 0x801',
      ' 0x9000',
      'b.so 0x15',
      'c.so 0x15',
      ' 0x1501',
    ]);
  });

  it('have the segments and call stacks of one process, or end in one line', async () => {
    const segments = `m 1 a 0 ${Array.from({ length: 65_531 }, (_, i) => `${(i * 16).toString(16)} 8`).join(' ')}`;
    await expect(imported(['v 10500 3', segments, '+ a 0 5580'].join('\n'))).rejects.toThrow(
      ':2: found more than 65530 segments of modules',
    );
    const inlined = `i 10 1${' 1 1 1'.repeat(100_000)}`;
    const deep = Array.from({ length: 2000 }, (_, i) => `t 1 ${i.toString(16)}`);
    await expect(imported(['v 10500 3', 's 1 a', inlined, ...deep, 'a 8 1', '+ 0'].join('\n'))).rejects.toThrow(
      ':45: found more than 4194304 call sites',
    );
  });

  it('are read interpreted, by kind: the block just allocated, else the oldest', async () => {
    const { lines, oddities } = await imported(
      ['v 10500 3', 'a a 1', '+ 0', '+ 0', 'a 20 2', '+ 1', '- 0', '+ 0', '- 0 1', '- 0', '- 0', '- 1'].join('\n'),
    );
    expect(lines).toEqual([
      'm 0 1 10',
      'm 0 2 10',
      'm 0 3 32',
      'f 0 1',
      'm 0 1 10',
      'f 0 1',
      'f 0 2',
      'f 0 3',
      '= end',
    ]);
    expect(oddities).toEqual({ 'call stacks that were not listed': 2, 'frees of blocks that were not seen': 1 });
    await expect(imported('v 10500 3\n+ 7\n')).rejects.toThrow(/log:2: found allocation kind 7, expected one of 0$/);
  });
});

describe('CSV', () => {
  it('has the columns that its first line names', async () => {
    const { lines, oddities, format } = await imported(
      [
        'time,thread,op,address,size,old,count,align',
        '100,9,malloc,0x1000,24,,,',
        '100,9,calloc,0x2000,8,,3,',
        '5100,7,memalign,12288,100,,,48',
        '5100,7,realloc,0x4000,50,0x1000,,',
        '5100,7,realloc,0,1000,0x2000,,',
        '5100,9,realloc,0x5000,60,0x7777,,',
        '5100,9,malloc,0x2000,1,,,',
        '5200,7,free,0x4000,,,,',
        '5200,7,exit,0,,,,',
        '5200,9,malloc,0x8000,5000000000,,,',
        '5200,9,malloc,0,10,,,',
      ].join('\n'),
    );
    expect(format).toBe('csv');
    expect(lines).toEqual([
      'm 0 1 24',
      'c 0 2 3 8',
      '+ 5000',
      'a 1 3 64 100',
      'r 1 1 50',
      'r 1 2 1000 !',
      'm 0 4 60',
      'f 0 2',
      'm 0 2 1',
      'f 1 1',
      'te 1',
      'm 0 1 5000000000',
      'm 0 0 10 !',
      '= end',
    ]);
    expect(oddities).toEqual({
      'reallocs of blocks that were not seen': 1,
      'blocks whose free was not seen': 1,
    });
  });

  it.each([
    ['op,addr\nmalloc,1\n', /log:1: found "op,addr", expected column names: op,address,/],
    ['op,address\nmaloc,1\n', /log:2: found op "maloc", expected one of malloc, calloc/],
    ['op,address,size\nmalloc,1,x\n', /log:2: found size "x", expected a number/],
    ['', /found no call of the malloc family, expected a log of heaptrack, mtrace, csv, ltrace/],
  ])('%j is refused', async (log, message) => {
    await expect(imported(log)).rejects.toThrow(UserError);
    await expect(imported(log)).rejects.toThrow(message);
  });
});

describe('any log', () => {
  it('may be compressed, and is refused when it is missing or cut off', async () => {
    const folder = temporaryFolder();
    const packed = gzipSync('malloc(24) = 0x1000\n'.repeat(50));
    writeFileSync(`${folder}/log.gz`, packed);
    expect((await importTrace(`${folder}/log.gz`, { quantumNs: 1 })).events.length).toBe(100);
    writeFileSync(`${folder}/cut.gz`, readFileSync(`${folder}/log.gz`).subarray(0, packed.length - 9));
    await expect(importTrace(`${folder}/cut.gz`, { quantumNs: 1 })).rejects.toThrow(UserError);
    await expect(importTrace(`${folder}/none`, { quantumNs: 1 })).rejects.toThrow(/found no such file/);
  });
});

describe('numbers that no trace can have', () => {
  it.each([
    ['op,address\nmalloc,-1\n', /log:2: found address "-1", expected a number from 0 to 9007199254740991$/],
    ['op,address\nmalloc,18446744073709551615\n', /log:2: found address "18446744073709551615", expected a number/],
    ['op,address\nmalloc,1e3\n', /log:2: found address "1e3", expected a number$/],
    ['op,address,thread\nmalloc,16,99999999999999999999999\n', /log:2: found thread "9+", expected a number$/],
    ['1700000000.000001 malloc(5) = 0x2000\n1800000000.000001 free(0x2000) = <void>\n', /log:2: found nanoseconds/],
    ['malloc(5) = 0x2000\nmalloc(abc) = 0x3000\n', /log:2: found size "abc", expected a number$/],
    ['malloc(5) = 0xfffffffffffffff0\n', /log:1: found address "0xfffffffffffffff0", expected a number from 0/],
    ['- 0x1fffffffffffffffffffff\n', /log:1: found address "1fffffffffffffffffffff", expected a number$/],
    ['v 10500 3\n+ zz 1 55\n', /log:2: found size "zz", expected a number$/],
    ['v 10500 3\n+\n', /log:2: found "\+", expected a line of heaptrack$/],
    ['v 10500 3\n- \n', /log:2: found address "", expected a number$/],
    ['v 10500 3\nc fffffffffffff\n+ 1 0 5\nc 1fffffffffffff\n', /log:4: found nanoseconds|log:2: found nanoseconds/],
    ['v 10500 3\nt 5 9\n', /log:2: found caller 9, expected one of 0$/],
    [`op,address\nmalloc,16\n${'x'.repeat(1100000)}`, /log:3: found a line of more than 1048576 characters/],
  ])('%#: one line, with its place', async (log, message) => {
    await expect(imported(log)).rejects.toThrow(UserError);
    await expect(imported(log)).rejects.toThrow(message);
  });

  it('where they are sizes, are sizes that cannot be had', async () => {
    const { lines, oddities } = await imported(
      [
        'malloc(18446744073709551615) = 0',
        'calloc(-1, 8) = nil',
        'malloc(99999999999999999) = 0x10',
        'memalign(2147483649, 8) = 0x20',
        'posix_memalign(0x7ffc, 64, 100) = 0',
        '\u2028bad\u2029line',
        'malloc(7) = 0x30',
      ].join('\n'),
    );
    expect(lines).toEqual(['m 0 0 9007199254740991 !', 'c 0 0 1 9007199254740991 !', 'm 0 1 7', '= end']);
    expect(oddities).toEqual({
      'blocks larger than any address space': 1,
      'blocks with an alignment above 2 GiB': 1,
      'blocks of posix_memalign, whose addresses ltrace does not show': 1,
    });
  });
});

describe('call stacks of heaptrack', () => {
  const sitesOf = async (log: string) => {
    const path = `${temporaryFolder()}/log`;
    writeFileSync(path, log);
    const { events } = await importTrace(path, { quantumNs: 1000 });
    const stack = (site: number): string[] => {
      if (site === 0) return [];
      const { functionName, file, line, module } = events.frames[events.siteFrame[site]!]!;
      return [`${functionName} ${file}:${line} ${module}`, ...stack(events.siteParent[site]!)];
    };
    return [...events.sites!.slice(0, events.length)].map(stack);
  };

  it('are kept with functions that were inlined, from the inside', async () => {
    const log = [
      'v 10400 3',
      's 3 app',
      's 4 main',
      's 3 a.c',
      's 5 inner',
      's 5 outer',
      'i 1185 1 2 3 6',
      't 1 0',
      'i 1165 1 4 3 3 5 3 5',
      't 2 1',
      'a 10 2',
      '+ 0',
      'i 99 1',
      't 3 0',
      'a 20 3',
      '+ 1',
    ];
    expect(await sitesOf(log.join('\n'))).toEqual([
      ['inner a.c:3 app', 'outer a.c:5 app', 'main a.c:6 app'],
      ['0x99 :0 app'],
      [],
    ]);
  });

  it('are places in modules where the data are raw', async () => {
    const log = [
      'v 10400 3',
      'x 5 /x/ap',
      'm 1 -',
      'm 1 x 1000 0 500',
      'm 7 /lib/c6 7000 0 100 200 100',
      't 1165 0',
      't 7210 1',
      't 6fff 0',
      '+ 10 2 55',
      '+ 10 3 66',
    ];
    expect(await sitesOf(log.join('\n'))).toEqual([['0x210 :0 /lib/c6', '0x165 :0 /x/ap'], ['0x6fff :0 '], []]);
  });
});

it('a log means the same in pieces of one byte, packed, and from a pipe', async () => {
  const log = '812 malloc(24) = 0x1000\r\n812 free(0x1000) = <void>\n812 puts("ä€") = 1\n813 malloc(1) = 0x10';
  const expected = (await imported(log)).lines;
  const folder = temporaryFolder();
  const commands = [`cat`, `gzip -c`, `(gzip -c; printf "" | gzip -c)`];
  for (const command of commands) {
    const bytes = execFileSync('sh', ['-c', command], { input: log });
    const parts: string[] = [];
    async function* single() {
      for (const byte of bytes) yield Uint8Array.of(byte);
    }
    for await (const line of linesOf(unpacked(Readable.from(single()), 'T', 'a log'), 'T')) parts.push(line);
    expect(parts.slice(0, 3), command).toEqual([
      '812 malloc(24) = 0x1000',
      '812 free(0x1000) = <void>',
      '812 puts("ä€") = 1',
    ]);
    writeFileSync(`${folder}/log`, bytes);
    const { events } = await importTrace(`${folder}/log`, { quantumNs: 1000 });
    expect(events.length, command).toBe(expected.length);
  }
});

it('takes a line of ltrace with many spaces in the time that it takes to read it', async () => {
  const spaces = ' '.repeat(500_000);
  await expect(imported(`x->malloc(${spaces}\n1${spaces})\n`)).rejects.toThrow('found no call of the malloc family');
  const { lines } = await imported(`malloc(24${' '.repeat(1000)})${' '.repeat(1000)} = 0x55d0c0\n`);
  expect(lines[0]).toBe('m 0 1 24');
});
