import type { HeapProgram } from '../../../machine/heap/heap.ts';
import { type MachineRun, type MachineStep, machineSteps, parseScript } from '../../../machine/index.ts';
import { namesOf, type ViewText, viewOf } from '../../../machine/views/view-text.ts';
import { Historian, type History } from '../../../machine/views/words/history.ts';
import { UserError } from '../../../sim/contract/assert.ts';
import { type MachineMoment, machineMoment } from './machine-moment.ts';

export interface ViewedRun {
  readonly name: string;
  readonly run: MachineRun;
  readonly history: History;
  readonly views: readonly ViewText[];
  /** Stopped by Ctrl-C, between two commands or in one. */
  readonly partial: boolean;
}

export interface ViewedScript {
  /** As errors and headlines call it. */
  readonly name: string;
  readonly text: string;
  readonly views: readonly string[];
  /** Moments: each view at each of them, at the end where none is named. */
  readonly at: readonly string[];
}

/** A script that runs while it is looked at; who drives its steps may stop between two of them. */
export function viewScript(
  { name, text, views, at }: ViewedScript,
  program: ((workload: string, allocator: string) => HeapProgram) | undefined,
): { readonly steps: Generator<MachineStep, MachineRun, void>; finish(partial: boolean): ViewedRun } {
  const script = parseScript(text, name);
  const moments = (at.length > 0 ? at : ['end']).map((word) => ({ word, moment: machineMoment(script, word) }));
  const historian = new Historian();
  const texts: ViewText[] = [];
  const shown = new Set<string>();
  const missing = new Map<string, UserError>();
  let run: MachineRun | undefined;
  const look = (isNow: (moment: MachineMoment) => boolean) => {
    for (const { word, moment } of moments)
      if (isNow(moment)) for (const view of views) texts.push(viewHere(view, word));
  };
  /** At one of several moments a process may be gone: a view that is of nothing there says so, if it is of something at another. */
  const viewHere = (view: string, word: string): ViewText => {
    try {
      const text = viewOf(run!, view, word);
      missing.delete(view);
      shown.add(view);
      return text;
    } catch (error) {
      if (!(error instanceof UserError) || moments.length === 1) throw error;
      if (!shown.has(view) && !missing.has(view)) missing.set(view, error);
      return { view, at: word, text: `${error.message}\n`, processes: namesOf(run!) };
    }
  };
  const steps = machineSteps(text, {
    name,
    ...(program && { program }),
    onStart: (started) => {
      run = started;
      historian.start(started);
    },
    afterCommand: (running, command) => {
      const label = /^m?sample$/.test(command.words[0]!) ? command.words[1] : undefined;
      const isStep = (moment: MachineMoment) => moment !== 'end' && 'step' in moment && moment.step === running.step;
      const isNamed = moments.some(({ moment }) => isStep(moment));
      historian.afterCommand(running, command, isNamed ? `#${running.step}` : undefined);
      look((moment) => isStep(moment) || (moment !== 'end' && 'label' in moment && moment.label === label));
    },
  });
  return {
    steps,
    finish(partial) {
      if (!partial) look((moment) => moment === 'end');
      else for (const view of views) texts.push(viewHere(view, 'interrupted'));
      for (const error of missing.values()) if (!partial) throw error;
      return { name, run: run!, history: historian.finish(run!), views: texts, partial };
    },
  };
}
