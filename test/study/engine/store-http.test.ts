import { createHash, createHmac } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import type { IncomingHttpHeaders } from 'node:http';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openStore } from '../../../bench/study/engine/open-store.ts';
import { createHttpStore } from '../../../bench/study/engine/store-http.ts';
import { objectServer } from '../../helpers/object-server.ts';
import { freePort } from '../../helpers/redis.ts';
import { temporaryFolder } from '../../helpers/temporary.ts';

const HASH = 'a'.repeat(64);
const KEYS = { AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE', AWS_SECRET_ACCESS_KEY: 'geheim', AWS_REGION: 'eu-west-1' };

/** Signature 4 as its specification has it: canonical request, string to sign, derived key. */
function isSigned(headers: IncomingHttpHeaders, method: string, path: string): boolean {
  const [, credential, names, signature] =
    /^AWS4-HMAC-SHA256 Credential=([^,]+), SignedHeaders=([^,]+), Signature=([0-9a-f]+)$/.exec(
      headers.authorization ?? '',
    ) ?? [];
  if (!credential || !names) return false;
  const [id, day, region, service, end] = credential.split('/');
  const signed = names.split(';').map((name) => `${name}:${headers[name]}\n`);
  const body = String(headers['x-amz-content-sha256']);
  const request = [method, path, '', signed.join(''), names, body].join('\n');
  const scope = [day, region, service, end].join('/');
  const digest = createHash('sha256').update(request).digest('hex');
  const text = ['AWS4-HMAC-SHA256', headers['x-amz-date'], scope, digest].join('\n');
  const hmac = (key: string | Buffer, data: string) => createHmac('sha256', key).update(data).digest();
  const key = hmac(hmac(hmac(hmac(`AWS4${KEYS.AWS_SECRET_ACCESS_KEY}`, day!), region!), service!), end!);
  return id === KEYS.AWS_ACCESS_KEY_ID && service === 's3' && hmac(key, text).toString('hex') === signature;
}

async function roundTrip(store: ReturnType<typeof createHttpStore>): Promise<void> {
  const folder = temporaryFolder();
  const [from, to] = [join(folder, 'from'), join(folder, 'to')];
  writeFileSync(from, Buffer.alloc(300_000, 7));
  expect(await store.has(HASH)).toBe(false);
  expect(await store.get(HASH, to)).toBe(false);
  await store.put(HASH, from);
  expect(await store.has(HASH)).toBe(true);
  expect(await store.get(HASH, to)).toBe(true);
  expect(readFileSync(to).equals(readFileSync(from))).toBe(true);
}

test('s3://, signed', async () => {
  const server = await objectServer(isSigned);
  const environment = { ...KEYS, AWS_ENDPOINT_URL_S3: `http://127.0.0.1:${server.port}` };
  await roundTrip(createHttpStore('s3://bucket/some/prefix', environment));
  expect([...server.objects.keys()]).toEqual([`/bucket/some/prefix/${HASH}.htb.gz`]);
  const wrong = createHttpStore('s3://bucket', { ...environment, AWS_SECRET_ACCESS_KEY: 'falsch' });
  await expect(wrong.has(HASH)).rejects.toThrow('--store s3://bucket: found 403 Forbidden to a HEAD, expected traces');
});

test('http:// with a token, and with a query behind every name', async () => {
  const server = await objectServer(({ authorization }) => authorization === 'Bearer geheim');
  await roundTrip(createHttpStore(`http://127.0.0.1:${server.port}/x`, { ALLOCSIM_STORE_TOKEN: 'geheim' }));
  const shared = await objectServer((_, _method, path) => path.endsWith('?sig=geheim'));
  await roundTrip(createHttpStore(`http://127.0.0.1:${shared.port}/x/?sig=geheim`, {}));
  expect([...shared.objects.keys()]).toEqual([`/x/${HASH}.htb.gz?sig=geheim`]);
});

test.each([
  ['', 'found nothing'],
  ['ftp://u:geheim@h/', 'found an address that begins with ftp:'],
  ['s3://', 'found an S3 address without a bucket'],
  ['https://u:geheim@', 'found an address that cannot be read'],
])('--store %s is refused', (store, message) => {
  const open = () => openStore(store, undefined as never, 'p');
  expect(open).toThrow(message);
  expect(open).not.toThrow('geheim');
});

test('a store that does not answer is one line without what is secret', async () => {
  const store = createHttpStore(`http://u:geheim@127.0.0.1:${await freePort()}/x?sig=geheim`, {});
  await expect(store.has(HASH)).rejects.toThrow(
    /^--store http:\/\/127\.0\.0\.1:\d+\/x: found ECONNREFUSED, expected traces that can be read and written there$/,
  );
});
