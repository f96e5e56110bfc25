import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/** Of processor time, for one input, on a machine that starts Node in NODE_START_MS. */
const SLOW_MS = 2000;
/** The faster of the two machines of docs/results/speed.md. */
const NODE_START_MS = 50;
const STARTS = 5;

const PROGRAM = 'const { user, system } = process.cpuUsage(); console.log((user + system) / 1000)';

/** Processor time that Node takes to start here and now, the median of a few: the program is the same on all machines, and no part of what is tested. */
async function nodeStartMs(): Promise<number> {
  const starts: number[] = [];
  for (let i = 0; i < STARTS; i++) starts.push(Number((await execute(process.execPath, ['-e', PROGRAM])).stdout));
  return starts.sort((a, b) => a - b)[STARTS >> 1]!;
}

/** How much processor time an input may take here and now: forty starts of Node, 2 s at least. */
export const timeLimitMs = async (): Promise<number> =>
  Math.max(SLOW_MS, (SLOW_MS / NODE_START_MS) * (await nodeStartMs()));
