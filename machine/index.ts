/** The machine as a library. */
export { type MachineSettings, parseScript, type Script } from './script/parse.ts';
export { type MachineLine, MachineRun, type MachineRunOptions, runMachineScript } from './script/run.ts';
