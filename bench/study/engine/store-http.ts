import { createWriteStream, openAsBlob } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream } from 'node:stream/web';
import { UserError } from '../../../sim/contract/assert.ts';
import { storedName, type TraceStore } from './trace-store.ts';

type Environment = Readonly<Record<string, string | undefined>>;
type Send = (url: string, init: RequestInit) => Promise<Response>;

interface Target {
  /** For people: without user, password and query. */
  readonly shown: string;
  /** The objects' folder. */
  readonly base: URL;
  readonly send: Send;
}

/**
 * `HASH.htb.gz` below an address, by GET, HEAD and PUT. http(s): user and password of the address, or ALLOCSIM_STORE_TOKEN as
 * a bearer token; a query (a shared access signature) stays behind every name. s3://BUCKET/PREFIX: signed (Signature 4) with
 * AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_REGION; AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL for
 * what is not Amazon's. Throws UserErrors that repeat no secret.
 */
export function createHttpStore(address: string, environment: Environment = process.env): TraceStore {
  const target = /^s3:/i.test(address) ? s3Target(address, environment) : httpTarget(address, environment);
  const shown = `--store ${target.shown}`;
  const expected = 'traces that can be read and written there';

  async function request(method: string, hash: string, body?: Blob): Promise<Response> {
    const url = new URL(target.base);
    url.pathname = `${url.pathname.replace(/\/+$/, '')}/${storedName(hash)}`;
    let response: Response;
    try {
      response = await target.send(url.href, { method, ...(body && { body }) });
    } catch (error) {
      const { message, cause } = error as Error & { cause?: NodeJS.ErrnoException };
      throw new UserError(`${shown}: found ${cause?.code ?? cause?.message ?? message}, expected ${expected}`);
    }
    if (response.ok || (response.status === 404 && method !== 'PUT')) return response;
    await response.body?.cancel();
    throw new UserError(
      `${shown}: found ${response.status} ${response.statusText} to a ${method}, expected ${expected}`,
    );
  }

  return {
    shown,
    has: async (hash) => (await request('HEAD', hash)).ok,
    async put(hash, file) {
      const response = await request('PUT', hash, await openAsBlob(file));
      await response.body?.cancel();
    },
    async get(hash, file) {
      const response = await request('GET', hash);
      if (!response.ok || !response.body) return false;
      await pipeline(Readable.fromWeb(response.body as ReadableStream), createWriteStream(file));
      return true;
    },
  };
}

function httpTarget(address: string, environment: Environment): Target {
  let base: URL;
  try {
    base = new URL(address);
  } catch {
    throw new UserError('--store: found an address that cannot be read, expected http(s)://HOST[:PORT]/PATH');
  }
  const { username, password } = base;
  const token = environment['ALLOCSIM_STORE_TOKEN'];
  const basic = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64');
  const authorization = username || password ? `Basic ${basic}` : token ? `Bearer ${token}` : undefined;
  base.username = '';
  base.password = '';
  return {
    shown: base.origin + base.pathname,
    base,
    send: (url, init) => fetch(url, { ...init, ...(authorization && { headers: { authorization } }) }),
  };
}

function s3Target(address: string, environment: Environment): Target {
  const [, bucket, prefix = ''] = /^s3:\/\/([^/?#@:]+)\/?([^?#]*)$/i.exec(address) ?? [];
  if (bucket === undefined)
    throw new UserError('--store: found an S3 address without a bucket, expected s3://BUCKET[/PREFIX]');
  const accessKeyId = environment['AWS_ACCESS_KEY_ID'];
  const secretAccessKey = environment['AWS_SECRET_ACCESS_KEY'];
  if (!accessKeyId || !secretAccessKey) {
    throw new UserError(
      `--store ${address}: found no AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, expected them in the environment`,
    );
  }
  const sessionToken = environment['AWS_SESSION_TOKEN'];
  const region = environment['AWS_REGION'] || environment['AWS_DEFAULT_REGION'] || 'us-east-1';
  const endpoint = environment['AWS_ENDPOINT_URL_S3'] || environment['AWS_ENDPOINT_URL'];
  const base = new URL(
    endpoint
      ? `${endpoint.replace(/\/+$/, '')}/${bucket}/${prefix}`
      : `https://${bucket}.s3.${region}.amazonaws.com/${prefix}`,
  );
  let client: Promise<{ fetch: Send }> | undefined;
  return {
    shown: address,
    base,
    async send(url, init) {
      client ??= import('aws4fetch').then(
        ({ AwsClient }) =>
          new AwsClient({ accessKeyId, secretAccessKey, ...(sessionToken && { sessionToken }), region, service: 's3' }),
      );
      return (await client).fetch(url, init);
    },
  };
}
