import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import type { RedisOptions } from 'ioredis';
import { UserError } from '../../../sim/contract/assert.ts';
import { systemError } from '../../../workloads/files/system-error.ts';

/** A Redis or Valkey server, as `--engine` and the environment name it. */
export interface EngineAddress {
  /** For people: without user, password and options. */
  readonly shown: string;
  /** Before every key, so that several clusters can share one server. */
  readonly prefix: string;
  readonly redis: RedisOptions;
}

type Environment = Readonly<Record<string, string | undefined>>;

const EXPECTED = 'redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE][?prefix=NAME], or rediss:// for TLS';
/** Valkey's own names for the same protocol. */
const SCHEMES: Readonly<Record<string, { readonly tls: boolean }>> = {
  'redis:': { tls: false },
  'rediss:': { tls: true },
  'valkey:': { tls: false },
  'valkeys:': { tls: true },
};
const PREFIX = 'allocsim';
const PORT = 6379;

/**
 * What the address leaves out, the environment may say: ALLOCSIM_REDIS_USERNAME, _PASSWORD, _PREFIX, and for TLS the files
 * _CA, _CERT, _KEY (PEM). Throws a UserError that repeats no secret.
 */
export function parseEngine(text: string, environment: Environment = process.env): EngineAddress {
  const refuse = (found: string) => new UserError(`--engine: found ${found}, expected ${EXPECTED}`);
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw refuse(text === '' ? 'nothing' : /@|:\/\//.test(text) ? 'an address that cannot be read' : `'${text}'`);
  }
  const scheme = SCHEMES[url.protocol];
  if (!scheme) throw refuse(`an address that begins with ${url.protocol}`);
  if (url.hostname === '') throw refuse('an address without a host');
  const database = /^\/?(\d*)$/.exec(url.pathname)?.[1];
  if (database === undefined) throw refuse(`database '${url.pathname.slice(1)}'`);
  const unknown = [...url.searchParams.keys()].find((key) => key !== 'prefix');
  if (unknown !== undefined) throw refuse(`option '${unknown}'`);
  const prefix = url.searchParams.get('prefix') || environment['ALLOCSIM_REDIS_PREFIX'] || PREFIX;
  if (!/^[\w.-]+$/.test(prefix))
    throw new UserError(`--engine: found prefix '${prefix}', expected letters, digits, . _ -`);
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const port = url.port === '' ? PORT : Number(url.port);
  const username = decoded(url.username, refuse) || environment['ALLOCSIM_REDIS_USERNAME'];
  const password = decoded(url.password, refuse) || environment['ALLOCSIM_REDIS_PASSWORD'];
  return {
    shown: `${url.protocol}//${url.hostname}:${port}${database ? `/${database}` : ''}`,
    prefix,
    redis: {
      host,
      port,
      ...(database && { db: Number(database) }),
      ...(username && { username }),
      ...(password && { password }),
      ...(scheme.tls && { tls: { ...(isIP(host) === 0 && { servername: host }), ...tlsFiles(environment) } }),
    },
  };
}

function decoded(text: string, refuse: (found: string) => UserError): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw refuse('a user or password with a % that is not written as %25');
  }
}

function tlsFiles(environment: Environment): { ca?: Buffer; cert?: Buffer; key?: Buffer } {
  const files: { ca?: Buffer; cert?: Buffer; key?: Buffer } = {};
  for (const name of ['ca', 'cert', 'key'] as const) {
    const variable = `ALLOCSIM_REDIS_${name.toUpperCase()}`;
    const path = environment[variable];
    if (!path) continue;
    try {
      files[name] = readFileSync(path);
    } catch (error) {
      throw new UserError(`${variable}: found ${systemError(error)} at ${path}, expected a PEM file`);
    }
  }
  return files;
}
