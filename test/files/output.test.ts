import { execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { describe, expect, test } from 'vitest';
import { UserError } from '../../sim/contract/assert.ts';
import { openLineSink, writeFolder, writeWhole, writeWholeFiles } from '../../workloads/files/line-sink.ts';
import { checkWritable, checkWritableFolder, openOutput } from '../../workloads/files/output-file.ts';
import { fileIdentity } from '../../workloads/files/output-target.ts';
import { readTextFile } from '../../workloads/files/text-file.ts';
import { together } from '../../workloads/files/unfinished.ts';
import { temporaryFolder } from '../helpers/temporary.ts';

const read = (path: string) => readFileSync(path, 'utf8');

describe('a file', () => {
  test('has its name when it is whole, and its old contents until then', () => {
    const folder = temporaryFolder();
    writeFileSync(`${folder}/a`, 'old');
    chmodSync(`${folder}/a`, 0o640);
    const file = openOutput(`${folder}/a`);
    file.write('new');
    expect(read(`${folder}/a`)).toBe('old');
    expect(readdirSync(folder)).toHaveLength(2);
    file.close();
    expect(readdirSync(folder)).toEqual(['a']);
    expect(read(`${folder}/a`)).toBe('new');
    expect(statSync(`${folder}/a`).mode & 0o777).toBe(0o640);
  });

  test('that is partial says so by its name, and leaves the whole one alone', () => {
    const folder = temporaryFolder();
    writeFileSync(`${folder}/a`, 'old');
    const sink = openLineSink(`${folder}/a`);
    sink.write('line');
    sink.close(true);
    expect(read(`${folder}/a`)).toBe('old');
    expect(read(`${folder}/a.partial`)).toBe('line\n');
    mkdirSync(`${folder}/b.partial`);
    const other = openLineSink(`${folder}/b`);
    expect(() => other.close(true)).toThrow(/no regular file/);
    expect(readdirSync(folder).sort()).toEqual(['a', 'a.partial', 'b.partial']);
  });

  test('that is given up leaves nothing', () => {
    const folder = temporaryFolder();
    const file = openOutput(`${folder}/a`);
    file.write('x');
    file.discard();
    file.discard();
    expect(readdirSync(folder)).toEqual([]);
  });

  test('behind links is replaced there, also one that is not there yet', () => {
    const folder = temporaryFolder();
    mkdirSync(`${folder}/d`);
    symlinkSync('d/target', `${folder}/link`);
    symlinkSync(`${folder}/link`, `${folder}/link2`);
    writeWhole(`${folder}/link2`, 'x');
    expect(lstatSync(`${folder}/link2`).isSymbolicLink()).toBe(true);
    expect(read(`${folder}/d/target`)).toBe('x\n');
    expect(fileIdentity(`${folder}/link`)).toBe(fileIdentity(`${folder}/d/../d/target`));
  });

  test('a temporary name that others have made is not followed', () => {
    // The name is drawn anew for every file, and opened only where there is none of it (O_EXCL).
    const folder = temporaryFolder();
    const names = [0, 1].map(() => {
      const file = openOutput(`${folder}/a`);
      const [name] = readdirSync(folder);
      file.discard();
      return name!;
    });
    expect(names[0]).toMatch(/^\.allocsim-[0-9a-f]{24}\.tmp$/);
    expect(names[0]).not.toBe(names[1]);
  });
});

describe('one line says what the system refuses, and nothing is left', () => {
  test('a folder, a circle of links, a path through a file, a name that is too long', () => {
    const folder = temporaryFolder();
    mkdirSync(`${folder}/d`);
    symlinkSync('b', `${folder}/a`);
    symlinkSync('a', `${folder}/b`);
    writeFileSync(`${folder}/f`, '');
    expect(() => openOutput(`${folder}/d`)).toThrow(/found a directory, expected a file that can be written$/);
    expect(() => openOutput(`${folder}/a`)).toThrow(/links that lead in a circle/);
    expect(() => openOutput(`${folder}/f/x`)).toThrow(/through what is no directory/);
    expect(() => writeWhole(`${folder}/${'n'.repeat(300)}`, '')).toThrow(/a name that is too long/);
    expect(readdirSync(folder).sort()).toEqual(['a', 'b', 'd', 'f']);
  });

  test('a device that is full', () => {
    expect(() => writeWhole('/dev/full', 'x')).toThrow(UserError);
    expect(() => writeWhole('/dev/full', 'x')).toThrow(/no space left/);
    expect(lstatSync('/dev/full').isCharacterDevice()).toBe(true);
  });

  test('several files are written all or none', () => {
    const folder = temporaryFolder();
    mkdirSync(`${folder}/d`);
    expect(() => writeWholeFiles([[`${folder}/a`, 'x'], [`${folder}/d`, 'y']])).toThrow(/a directory/); // biome-ignore format: one line
    expect(readdirSync(folder)).toEqual(['d']);
    expect(() => writeFolder(`${folder}/new`, new Map([['a', 'x'], ['no/b', 'y']]))).toThrow(UserError); // biome-ignore format: one line
    expect(existsSync(`${folder}/new`)).toBe(false);
  });
});

describe('several files', () => {
  test('have their names together, or none of them has, and no folder made for them stays', async () => {
    const folder = temporaryFolder();
    writeFileSync(`${folder}/old`, 'old');
    const work = together(() => {
      writeWhole(`${folder}/a`, 'x');
      writeFolder(`${folder}/b/c`, new Map([['d', 'y']]));
      writeWhole(`${folder}/e`, 'z');
      mkdirSync(`${folder}/e`); // what the rename of the last one meets
    });
    await expect(work).rejects.toThrow(/a directory, expected a file that can be written$/);
    expect(readdirSync(folder).sort()).toEqual(['e', 'old']);
    await together(() => writeFolder(`${folder}/b/c`, new Map([['d', 'y']])));
    expect(read(`${folder}/b/c/d`)).toBe('y\n');
  });

  test('of one call likewise', () => {
    const folder = temporaryFolder();
    const files = [[`${folder}/a`, 'x'], [`${folder}/b`, 'y']] as const; // biome-ignore format: one line
    mkdirSync(`${folder}/b.partial`);
    expect(() => writeWholeFiles(files, true)).toThrow(/no regular file/);
    expect(readdirSync(folder)).toEqual(['b.partial']);
  });
});

describe('what is known before the work', () => {
  test('a folder, nobody listening behind a socket, no folder, a file as a folder', () => {
    const folder = temporaryFolder();
    writeFileSync(`${folder}/f`, '');
    expect(() => checkWritable(folder)).toThrow(/found a directory/);
    expect(() => checkWritable(`${folder}/none/a`)).toThrow(/found no such folder/);
    expect(() => checkWritableFolder(`${folder}/f/g`)).toThrow(/through what is no directory, expected a folder/);
    expect(() => checkWritable('/proc/1/none')).toThrow(UserError);
    checkWritable(`${folder}/new`);
    checkWritableFolder(`${folder}/new/and/more`);
    expect(readdirSync(folder)).toEqual(['f']);
  });
});

test('a file behind a descriptor is gone on with, not replaced', () => {
  const folder = temporaryFolder();
  writeFileSync(`${folder}/log`, 'before\n');
  const descriptor = openSync(`${folder}/log`, 'a');
  writeWhole(`/dev/fd/${descriptor}`, 'after');
  writeWhole(`/proc/self/fd/${descriptor}`, 'last');
  closeSync(descriptor);
  expect(read(`${folder}/log`)).toBe('before\nafter\nlast\n');
  expect(readdirSync(folder)).toEqual(['log']);
});

test('a pipe is written in place', async () => {
  const folder = temporaryFolder();
  execFileSync('mkfifo', [`${folder}/p`]);
  const reader = spawn('cat', [`${folder}/p`]);
  let text = '';
  reader.stdout.on('data', (chunk) => (text += chunk));
  writeWhole(`${folder}/p`, 'through');
  await new Promise((resolve) => reader.on('close', resolve));
  expect(text).toBe('through\n');
  expect(lstatSync(`${folder}/p`).isFIFO()).toBe(true);
});

test('a text that has no end is refused', () => {
  expect(() => readTextFile('/dev/zero', 'a JSON file')).toThrow(/found more than 256 MiB, expected a JSON file$/);
  expect(() => readTextFile('/none', 'a JSON file')).toThrow('/none: found no such file, expected a JSON file');
});
