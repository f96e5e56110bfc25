import type { MachineRun } from '../script/machine-run.ts';
import { renderView } from './view.ts';

/** What a tool printed at a moment. */
export interface ViewText {
  readonly view: string;
  readonly at: string;
  readonly text: string;
  /** The script's names of the processes that are alive, by their numbers: tools show a fork under its parent's. */
  readonly processes: Readonly<Record<number, string>>;
}

/** What a tool prints on the machine as it is now. */
export const viewOf = (run: MachineRun, view: string, at: string): ViewText => ({
  view,
  at,
  text: renderView(run, view),
  processes: namesOf(run),
});

export const namesOf = ({ processes }: MachineRun): Readonly<Record<number, string>> =>
  Object.fromEntries(processes.filter(({ alive }) => alive).map(({ name, task }) => [task.pid, name]));
