import type { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { buildIdentity } from '../parallel/build-identity.ts';
import type { EngineAddress } from './address.ts';
import { buildsKey, queueName } from './names.ts';

/** Says once, until somebody works again, that nobody takes the runs, and which other builds have workers. */
export interface WorkerWatch {
  atWork(): void;
  look(): Promise<void>;
}

export function createWorkerWatch(
  queue: Queue,
  redis: Redis,
  { shown, prefix }: EngineAddress,
  onNote: (line: string) => void,
): WorkerWatch {
  let said = '';
  return {
    atWork() {
      said = '';
    },
    async look() {
      if ((await queue.getWorkersCount()) > 0) return;
      const others = await otherBuilds(redis, prefix);
      const line =
        others.length === 0
          ? `no worker at ${shown}; start one: sim worker --engine ${shown}`
          : `no worker of this build (${buildIdentity()}) at ${shown}; there are workers of ${others.join(', ')}, which are refused`;
      if (line !== said) onNote(line);
      said = line;
    },
  };
}

/** Builds that have workers now. */
async function otherBuilds(redis: Redis, prefix: string): Promise<string[]> {
  const { Queue } = await import('bullmq');
  const found: string[] = [];
  for (const build of (await redis.smembers(buildsKey(prefix))).sort()) {
    if (build === buildIdentity()) continue;
    const queue = new Queue(queueName(build), { connection: redis, prefix, skipMetasUpdate: true });
    queue.on('error', () => {});
    const count = await queue.getWorkersCount();
    if (count > 0) found.push(build);
    await queue.close();
  }
  return found;
}
