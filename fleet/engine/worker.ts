import { UserError } from '../../sim/contract/assert.ts';
import { Shard, type ShardResult, type ShardTask } from './shard.ts';

export type ShardOutcome = { readonly result: ShardResult } | { readonly userError: string };

/** Piscina's entry. Errors lose their class between threads, so the user's own mistakes come back as data. */
export default function work(task: ShardTask): ShardOutcome {
  try {
    return { result: new Shard(task.settings).play(task) };
  } catch (error) {
    if (error instanceof UserError) return { userError: error.message };
    throw error;
  }
}
