import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseEngine } from '../../../bench/study/engine/address.ts';
import { temporaryFolder } from '../../helpers/temporary.ts';

test('an address, and what the environment adds to it', () => {
  expect(parseEngine('redis://h', {})).toEqual({
    shown: 'redis://h:6379',
    prefix: 'allocsim',
    redis: { host: 'h', port: 6379 },
  });
  expect(parseEngine('redis://u:p%40ss@h:1234/3?prefix=team', {})).toEqual({
    shown: 'redis://h:1234/3',
    prefix: 'team',
    redis: { host: 'h', port: 1234, db: 3, username: 'u', password: 'p@ss' },
  });
  const environment = { ALLOCSIM_REDIS_USERNAME: 'e', ALLOCSIM_REDIS_PASSWORD: 's', ALLOCSIM_REDIS_PREFIX: 'x' };
  expect(parseEngine('valkeys://[::1]', environment)).toEqual({
    shown: 'valkeys://[::1]:6379',
    prefix: 'x',
    redis: { host: '::1', port: 6379, username: 'e', password: 's', tls: {} },
  });
  expect(parseEngine('redis://:own@h', environment).redis.password).toBe('own');
});

test('files for TLS', () => {
  const ca = join(temporaryFolder(), 'ca.pem');
  writeFileSync(ca, 'PEM');
  expect(parseEngine('rediss://h', { ALLOCSIM_REDIS_CA: ca }).redis.tls).toEqual({
    servername: 'h',
    ca: Buffer.from('PEM'),
  });
  expect(() => parseEngine('rediss://h', { ALLOCSIM_REDIS_CA: `${ca}.not` })).toThrow(
    /^ALLOCSIM_REDIS_CA: found no such file at/,
  );
});

test.each([
  '',
  'host',
  'host:6379',
  'http://u:geheim@h',
  'redis://',
  'redis://u:geheim@',
  'redis://u:geheim@h:99999',
  'redis://u:ge%heim@h',
  'redis://u:geheim@h/name',
  'redis://u:geheim@h?password=geheim',
  'redis://u:geheim@h?prefix=a:b',
  'u:geheim@h',
])('%s is refused without what is secret', (text) => {
  expect(() => parseEngine(text, {})).toThrow(/^--engine: found .*, expected /);
  try {
    parseEngine(text, {});
  } catch (error) {
    expect((error as Error).message).not.toContain('geheim');
  }
});
