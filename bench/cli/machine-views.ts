import type { HeapProgram } from '../../machine/heap/heap.ts';
import { type MachineRun, type MachineStep, parseScript, runsOf } from '../../machine/index.ts';
import { sizeOf } from '../../machine/script/parse.ts';
import type { ViewText } from '../../machine/views/view-text.ts';
import { machineMoment } from '../study/machine/machine-moment.ts';
import { type ViewedRun, type ViewedScript, viewScript } from '../study/machine/viewed-run.ts';
import { listenForInterrupt, unheard } from './interruption.ts';
import { note } from './show.ts';

/** Runs a script and looks at it meanwhile: each view at each moment, at the end where none is named. */
export async function runWithViews(viewed: ViewedScript): Promise<ViewedRun> {
  const { name, text, at } = viewed;
  const script = parseScript(text, name);
  for (const word of at) machineMoment(script, word); // before anything is loaded
  const program = runsOf(script).length > 0 ? await loadPrograms(text, name) : undefined;
  const { steps, finish } = viewScript(viewed, program);
  const run = finish(await drive(steps));
  if (run.partial && run.views.length > 0) {
    note(`sim: interrupted at command ${run.run.step} of ${script.commands.length} (partial)`);
  }
  return run;
}

/** Models and workloads are loaded for scripts that run some. */
async function loadPrograms(text: string, name: string): Promise<(workload: string, allocator: string) => HeapProgram> {
  const { loadMachinePrograms } = await import('../study/machine/machine-programs.ts');
  const { loadWorkload } = await import('./load-workload.ts');
  return loadMachinePrograms(text, name, async (workload) => (await loadWorkload(workload)).events);
}

/** So long without a breath at most, where commands are short. */
const BREATH_MS = 50;
/** Commands that yield on their way. */
const BREATHING = ['run', 'touch', 'read', 'write', 'mmap', 'filemap', 'memfd', 'mlock', 'munlock'];
const BREATHING_ADVICE = ['populate_read', 'populate_write'];
/** Commands on so many names, of which so many may take longer than Ctrl-C may wait. */
const OF_NAMES = ['files', 'stats', 'dentries'];
const LONG_NAMES = 20_000;
/** Another command on more than this may take longer than Ctrl-C may wait: 24 GiB took 1.4 s at most. */
const LONG_BYTES = 2 ** 33;

const isLong = (step: MachineStep): boolean =>
  step !== 'breath' &&
  !BREATHING.includes(step.words[0]!) &&
  !step.words.some((word) => BREATHING_ADVICE.includes(word)) &&
  step.words.some((word) => (sizeOf(word) ?? 0) > (OF_NAMES.includes(step.words[0]!) ? LONG_NAMES : LONG_BYTES));

/** To the end, or to where Ctrl-C stops it; in the middle of a long command that never yields a signal ends the process. @returns whether it was stopped. */
async function drive(steps: Generator<MachineStep, MachineRun, void>): Promise<boolean> {
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

/** One view as it is; several below each other, each below its command, with the script's names of the processes once a moment. */
export function viewsText(views: readonly ViewText[], withNames = false): string {
  if (views.length === 1 && !withNames) return views[0]!.text;
  return views
    .map(({ view, at, text, processes }, i) => {
      const names = namesText(processes);
      const above = views[i - 1];
      const isTold = above?.at === at && namesText(above.processes) === names;
      return `$ ${view}   # ${[at, ...(names === '' || isTold ? [] : [names])].join(': ')}\n${text}`;
    })
    .join('\n');
}

function namesText(processes: ViewText['processes']): string {
  const all = Object.entries(processes).map(([pid, name]) => `${pid} ${name}`);
  const more = all.length - NAMES_SHOWN;
  return [...all.slice(0, NAMES_SHOWN), ...(more > 0 ? [`${more} more`] : [])].join(', ');
}
