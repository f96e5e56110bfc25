/** The machine as a library. */
export { Heap, type HeapProgram, type HeapStop } from './heap/heap.ts';
export { type MachineSettings, parseScript, type Script } from './script/parse.ts';
export {
  type MachineLine,
  MachineRun,
  type MachineRunOptions,
  type MachineStep,
  machineSteps,
  runMachineScript,
  runsOf,
  type ScriptedRun,
} from './script/run.ts';
export { renderView } from './views/view.ts';
export { Historian, type History } from './views/words/history.ts';
export { type MachineSummary, machineSummary, machineSummaryText } from './views/words/summary.ts';
