import type { Redis } from 'ioredis';
import { UserError } from '../../../sim/contract/assert.ts';
import { createFolderStore } from './store-folder.ts';
import { createHttpStore } from './store-http.ts';
import { createRedisStore } from './store-redis.ts';
import type { TraceStore } from './trace-store.ts';

/** `--store`: a folder that all machines share, an HTTP(S) address, an S3 bucket; without it the engine itself. */
export function openStore(store: string | undefined, redis: Redis, prefix: string): TraceStore {
  if (store === undefined) return createRedisStore(redis, prefix);
  if (store === '')
    throw new UserError('--store: found nothing, expected a folder, http(s)://… or s3://BUCKET[/PREFIX]');
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(store)?.[1]?.toLowerCase();
  if (scheme === 'http' || scheme === 'https' || scheme === 's3') return createHttpStore(store);
  if (scheme === 'file') return createFolderStore(new URL(store).pathname);
  if (scheme !== undefined) {
    throw new UserError(
      `--store: found an address that begins with ${scheme}:, expected a folder, http(s)://… or s3://…`,
    );
  }
  return createFolderStore(store);
}
