/** The machine as a library. */
export { Heap, type HeapProgram, type HeapStop } from './heap/heap.ts';
export { type MachineSettings, parseScript, type Script } from './script/parse.ts';
export {
  type MachineLine,
  MachineRun,
  type MachineRunOptions,
  machineSteps,
  runMachineScript,
  runsOf,
  type ScriptedRun,
} from './script/run.ts';
