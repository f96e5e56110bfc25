import { type MachineRun, parseScript, runMachineScript, type Script } from '../../machine/index.ts';
import { renderView } from '../../machine/views/view.ts';
import { Historian, type History } from '../../machine/views/words/history.ts';
import { loadMachinePrograms } from './machine-programs.ts';
import { type MachineMoment, machineMoment, machineText } from './machine-script.ts';

/** What a tool printed at a moment. */
export interface ViewText {
  readonly view: string;
  readonly at: string;
  readonly text: string;
}

export interface ViewedRun {
  readonly name: string;
  readonly run: MachineRun;
  readonly history: History;
  readonly views: readonly ViewText[];
}

/** Runs a script and looks at it meanwhile: each view at each moment, at the end where none is named. */
export async function runWithViews(given: string, views: readonly string[], at: readonly string[]): Promise<ViewedRun> {
  const { name, text } = machineText(given);
  const script = parseScript(text, name);
  const moments = (at.length > 0 ? at : ['end']).map((word) => ({ word, moment: machineMoment(script, word) }));
  const historian = new Historian();
  const texts: ViewText[] = [];
  const look = (run: MachineRun, isNow: (moment: MachineMoment) => boolean) => {
    for (const { word, moment } of moments)
      if (isNow(moment)) for (const view of views) texts.push({ view, at: word, text: renderView(run, view) });
  };
  const last = stepsOf(script);
  const run = runMachineScript(text, {
    name,
    program: await loadMachinePrograms(text, name),
    onStart: (started) => historian.start(started),
    afterCommand: (running, command) => {
      const label = /^m?sample$/.test(command.words[0]!) ? command.words[1] : undefined;
      const isNamed = moments.some(
        ({ moment }) => moment !== 'end' && 'step' in moment && moment.step === running.step,
      );
      historian.afterCommand(running, command, isNamed ? `#${running.step}` : undefined);
      look(running, (moment) =>
        moment === 'end'
          ? running.step === last
          : 'step' in moment
            ? moment.step === running.step
            : moment.label === label,
      );
    },
  });
  return { name, run, history: historian.finish(run), views: texts };
}

const stepsOf = (script: Script): number => script.commands.filter(({ words }) => words[0] !== 'end').length;

/** One view as it is; several below each other, each below its command. */
export function viewsText(views: readonly ViewText[]): string {
  if (views.length === 1) return views[0]!.text;
  return views.map(({ view, at, text }) => `$ ${view}   # ${at}\n${text}`).join('\n');
}
