import { readFileSync, writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { UserError } from '../../sim/contract/assert.ts';
import { importTrace } from '../../workloads/import/index.ts';
import { formatTrace } from '../../workloads/trace/writer.ts';
import { temporaryFolder } from '../helpers/temporary.ts';

async function imported(log: string, quantumNs = 1000) {
  const path = `${temporaryFolder()}/log`;
  writeFileSync(path, log);
  const { events, oddities, format } = await importTrace(path, { quantumNs });
  const text = Buffer.concat([...formatTrace(events)]).toString();
  return { lines: text.split('\n').filter((line) => line !== '' && !line.startsWith('%')), oddities, format };
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
    expect(lines).toEqual(['m 0 1 10', 'm 0 2 32', '+ 5000000', 'f 0 1', 'f 0 2', '= end']);
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
    expect(oddities).toEqual({ 'frees of blocks that were not seen': 1 });
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
      'm 0 4 60',
      'f 0 2',
      'm 0 2 1',
      'f 1 1',
      'te 1',
      '= end',
    ]);
    expect(oddities).toEqual({
      'failed allocations': 2,
      'reallocs of blocks that were not seen': 1,
      'blocks whose free was not seen': 1,
      'blocks above 4 GiB': 1,
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
