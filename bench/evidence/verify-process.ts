import { availableParallelism } from 'node:os';
import { parseAllocator } from '../../allocators/spec.ts';
import { resolveWorkload } from '../../workloads/index.ts';
import { type Verification, verify } from './verify/verify.ts';

/*
 * The differential's process: verifies what it is sent, one after the other, and answers each.
 */

export interface VerifyTask {
  readonly workload: string;
  readonly allocator: string;
}

export interface VerifyAnswer {
  readonly verification: Verification | undefined;
  /** Why there is none. */
  readonly failure: string;
}

async function answer(task: VerifyTask): Promise<VerifyAnswer> {
  try {
    const { events, name } = await resolveWorkload(task.workload);
    const spec = parseAllocator(task.allocator, availableParallelism());
    return { verification: await verify({ events, workload: name, spec }), failure: '' };
  } catch (error) {
    return { verification: undefined, failure: (error as Error).message.split('\n')[0]! };
  }
}

process.on('message', async (task: VerifyTask) => process.send!(await answer(task)));
