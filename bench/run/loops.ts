import { setFlagsFromString } from 'node:v8';

/**
 * V8 can put optimised code in the place of a running loop (on-stack replacement). Such code knows less about its closure
 * and is half as fast, and up to V8 11 (Node 20) a function that has it once is not compiled for its next call any more.
 */
const LOOPS_GET_STUCK = Number(process.versions.v8.split('.')[0]) < 12;

let isReplacingNone = false;

/**
 * Calls `work`, whose loops are short and entered often: V8 replaces functions at their calls, and no loop that runs. Within a longer `work` it costs
 * nothing; each change of the switch takes 3 µs.
 */
export function replacingNoLoop<T>(work: () => T): T {
  if (!LOOPS_GET_STUCK || isReplacingNone) return work();
  isReplacingNone = true;
  setFlagsFromString('--no-use-osr');
  try {
    return work();
  } finally {
    setFlagsFromString('--use-osr');
    isReplacingNone = false;
  }
}
