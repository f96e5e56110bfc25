import type { Redis, RedisOptions } from 'ioredis';
import { UserError } from '../../../sim/contract/assert.ts';
import type { EngineAddress } from './address.ts';

/** Where nothing answers at first, it is the address that is wrong. */
const FIRST_ANSWER_MS = 1500;
/** One that is there may have to load its data first. */
const READY_MS = 5000;
const RETRY_MS_MAX = 2000;
/** The server lives, but not for us; what it says holds no secret. */
const REFUSALS = /^(WRONGPASS|NOAUTH|NOPERM|ERR AUTH|ERR DB index|ERR invalid DB|ERR invalid password)/;

/**
 * Connects; throws a UserError where nobody answers or the server refuses. From then on a connection that is lost is made
 * again for as long as it takes, and `onLost` hears of it.
 */
export async function connectEngine(
  address: EngineAddress,
  onLost: (line: string) => void = () => {},
  options: RedisOptions = {},
): Promise<Redis> {
  const { Redis } = await import('ioredis');
  let isReady = false;
  let last = '';
  let lastCode = '';
  const client = new Redis({
    ...address.redis,
    ...options,
    lazyConnect: true,
    maxRetriesPerRequest: null,
    retryStrategy: (times) => Math.min(100 * times, RETRY_MS_MAX),
  });
  const refused = new Promise<never>((_, reject) => {
    const refuse = (found: string) =>
      reject(new UserError(`--engine ${address.shown}: found ${found}, expected a Redis or Valkey server`));
    const { host, port } = address.redis;
    const nobody = (code: string) =>
      reject(new UserError(`--engine: nobody answers at ${host}:${port} (${code}), expected a Redis or Valkey server`));
    let timer = setTimeout(() => {
      if (client.status !== 'connect') nobody(lastCode || 'no answer');
      else timer = setTimeout(() => refuse(last || 'a server that is not ready'), READY_MS - FIRST_ANSWER_MS);
    }, FIRST_ANSWER_MS);
    client.on('error', (error: NodeJS.ErrnoException) => {
      const said = oneLine(error);
      if (!isReady && (REFUSALS.test(said) || isFinal(error))) refuse(said);
      if (isReady && said !== last) onLost(`${address.shown}: found ${said}; trying again`);
      last = said;
      lastCode = error.code ?? said;
    });
    client.once('ready', () => {
      isReady = true;
      last = '';
      clearTimeout(timer);
    });
    client.on('ready', () => {
      if (last !== '') onLost(`${address.shown}: is there again`);
      last = '';
    });
  });
  try {
    await Promise.race([
      refused,
      client.connect().catch(() => new Promise<void>((resolve) => client.once('ready', () => resolve()))),
    ]);
  } catch (error) {
    client.disconnect();
    throw error;
  }
  return client;
}

/** Names that nobody knows, certificates that nobody trusts, and what is no Redis do not become better by waiting. */
function isFinal(error: NodeJS.ErrnoException): boolean {
  return (
    ['ENOTFOUND', 'ERR_TLS_CERT_ALTNAME_INVALID', 'SELF_SIGNED_CERT_IN_CHAIN', 'DEPTH_ZERO_SELF_SIGNED_CERT'].includes(
      error.code ?? '',
    ) ||
    /UNABLE_TO_VERIFY|CERT_|WRONG_VERSION_NUMBER|ERR_SSL/.test(error.code ?? '') ||
    error.name === 'ParserError'
  );
}

/** An AggregateError of several addresses has no message of its own. */
function oneLine(error: Error): string {
  const inner = (error as AggregateError).errors?.[0] as Error | undefined;
  return (inner?.message || error.message || error.name).split('\n')[0]!;
}

/** What the server refuses (no memory, no right, a replica) is the user's to mend. */
export function refusalOf(error: unknown, { shown }: EngineAddress): unknown {
  if (!(error instanceof Error) || error.name !== 'ReplyError') return error;
  return new UserError(`--engine ${shown}: found ${replyText(error)}, expected a server that takes runs`);
}

/** What a server answers, without the script in which it happened. */
export const replyText = (error: Error): string =>
  error.message
    .replace(/[.:]? script: .*/s, '')
    .split('\n')[0]!
    .replace(/\.$/, '');
