import { type MachineRun, machineSteps, parseScript } from '../../machine/index.ts';
import { type Command, sizeOf } from '../../machine/script/parse.ts';
import { type ViewText, viewOf } from '../../machine/views/view-text.ts';
import { Historian, type History } from '../../machine/views/words/history.ts';
import { listenForInterrupt, unheard } from './interruption.ts';
import { loadMachinePrograms } from './machine-programs.ts';
import { type MachineMoment, machineMoment, machineText } from './machine-script.ts';

export interface ViewedRun {
  readonly name: string;
  readonly run: MachineRun;
  readonly history: History;
  readonly views: readonly ViewText[];
  /** Stopped by Ctrl-C, between two commands. */
  readonly partial: boolean;
}

/** Runs a script and looks at it meanwhile: each view at each moment, at the end where none is named. */
export async function runWithViews(given: string, views: readonly string[], at: readonly string[]): Promise<ViewedRun> {
  const { name, text } = machineText(given);
  const script = parseScript(text, name);
  const moments = (at.length > 0 ? at : ['end']).map((word) => ({ word, moment: machineMoment(script, word) }));
  const historian = new Historian();
  const texts: ViewText[] = [];
  let run: MachineRun | undefined;
  const look = (isNow: (moment: MachineMoment) => boolean) => {
    for (const { word, moment } of moments)
      if (isNow(moment)) for (const view of views) texts.push(viewOf(run!, view, word));
  };
  const steps = machineSteps(text, {
    name,
    program: await loadMachinePrograms(text, name),
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
  const partial = await drive(steps);
  if (!partial) look((moment) => moment === 'end');
  return { name, run: run!, history: historian.finish(run!), views: texts, partial };
}

/** So long without a breath at most, where commands are short. */
const BREATH_MS = 50;
/** A command on more than this may take longer than Ctrl-C may wait. */
const LONG_BYTES = 2 ** 30;

const isLong = ({ words }: Command): boolean =>
  words[0] === 'run' || words.some((word) => (sizeOf(word) ?? 0) > LONG_BYTES);

/** To the end, or to where Ctrl-C stops it; in the middle of a long command a signal ends the process. @returns whether it was stopped. */
async function drive(steps: Generator<Command, MachineRun, void>): Promise<boolean> {
  let interruption = listenForInterrupt();
  let breathed = performance.now();
  try {
    let step = steps.next();
    while (!step.done) {
      const long = isLong(step.value);
      if (long || performance.now() - breathed > BREATH_MS) {
        await new Promise((resolve) => setImmediate(resolve));
        breathed = performance.now();
      }
      if (interruption.signal.aborted) return true;
      if (long) {
        interruption.release();
        step = await unheard(() => steps.next());
        interruption = listenForInterrupt();
      } else step = steps.next();
    }
    return false;
  } finally {
    interruption.release();
  }
}

/** Of a fleet's hundreds of workers the first say how the others are called. */
const NAMES_SHOWN = 24;

/** One view as it is; several below each other, each below its command and the script's names of the processes. */
export function viewsText(views: readonly ViewText[], withNames = false): string {
  if (views.length === 1 && !withNames) return views[0]!.text;
  return views
    .map(({ view, at, text, processes }) => {
      const all = Object.entries(processes).map(([pid, name]) => `${pid} ${name}`);
      const more = all.length - NAMES_SHOWN;
      const names = [...all.slice(0, NAMES_SHOWN), ...(more > 0 ? [`${more} more`] : [])];
      return `$ ${view}   # ${[at, ...(names.length > 0 ? [names.join(', ')] : [])].join(': ')}\n${text}`;
    })
    .join('\n');
}
