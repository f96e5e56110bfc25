import type { Argv, CommandModule } from 'yargs';
import { MODELS } from '../../allocators/index.ts';
import type { ModelView } from '../../allocators/model.ts';
import { UserError } from '../../sim/contract/assert.ts';
import { suggestion } from '../../sim/contract/suggestion.ts';
import { type LineSink, writeWholeFiles } from '../../workloads/files/line-sink.ts';
import { isStandardOutput, jsonFile } from '../cli/answer.ts';
import { jsonOption } from '../cli/answer-options.ts';
import { listenForInterrupt } from '../cli/interruption.ts';
import { isMachineScript, machineText } from '../cli/machine-script.ts';
import { runWithViews, viewsText } from '../cli/machine-views.ts';
import { type MachineArguments, machineOptions, prepare } from '../cli/run-options.ts';
import { note, show } from '../cli/show.ts';
import { KERNEL_VIEWS, STRACE } from '../report/views/kernel-views.ts';
import { LockstepRun } from '../run/modes/lockstep.ts';
import { inPieces } from '../run/pieces.ts';
import type { RunOptions } from '../run/run-options.ts';
import { loadForMoment, momentOf } from '../study/explain/moment/moment-in-run.ts';

interface InspectArguments extends MachineArguments {
  view: string;
  at: string | undefined;
  json: string | undefined;
}

export const inspectCommand: CommandModule<object, InspectArguments> = {
  command: 'inspect <view> <workload>',
  describe: 'the text that a real tool would print',
  builder: (yargs: Argv) =>
    machineOptions(
      yargs.positional('view', {
        type: 'string',
        demandOption: true,
        describe: `${[...KERNEL_VIEWS.map((v) => v.name), STRACE].join(', ')}, or a view of the allocator; of a machine's script any view of sim machine`,
      }),
    )
      .option('at', {
        type: 'string',
        describe: 'a sample label, #N for event N, judged (where explain judges), peak, exit or end; default: the end',
      })
      .option('json', jsonOption('the text and what it is of')) as unknown as Argv<InspectArguments>,
  handler: async (argv) => {
    if (isMachineScript(argv.workload)) {
      const { views, partial } = await runWithViews({
        ...machineText(argv.workload),
        views: [argv.view],
        at: argv.at === undefined ? [] : [argv.at],
      });
      return tell(argv.json, { views, partial }, viewsText(views));
    }
    const { options } = await prepare(argv);
    const interruption = listenForInterrupt();
    const { signal } = interruption;
    const { view, at = 'end' } = argv;
    let text: string;
    try {
      text = await inspect({ ...options, signal }, view, argv.at);
    } finally {
      interruption.release();
    }
    tell(argv.json, { views: [{ view, at, text }], partial: signal.aborted }, text);
  },
};

interface Inspected {
  readonly views: readonly { readonly view: string; readonly at: string; readonly text: string }[];
  readonly partial: boolean;
}

/** A real tool's text is shown as it is: neither folded nor a table of ours. */
function tell(json: string | undefined, value: Inspected, text: string): void {
  if (json !== undefined) writeWholeFiles([jsonFile(json, value)], value.partial);
  if (!isStandardOutput(json)) show(text);
}

/** Runs up to `at`, or to where the signal stops it, and renders `view`. */
async function inspect(options: RunOptions, view: string, at: string | undefined): Promise<string> {
  const lines: string[] = [];
  const syscalls: LineSink = { write: (line) => lines.push(line), close: () => {}, discard: () => {} };
  const modelViews: ModelView[] = [...options.spec.model.views, ...(options.spec.below?.model.views ?? [])];
  const kernelView = KERNEL_VIEWS.find((v) => v.name === view);
  const modelView = modelViews.find((v) => v.name === view);
  if (!kernelView && !modelView && view !== STRACE) {
    const others = MODELS.filter(({ views }) => views.some(({ name }) => name === view));
    if (others.length > 0) {
      const [own] = others;
      throw new UserError(`${view} is a view of ${others.map(({ name }) => name).join(', ')}: -a ${own!.name}`);
    }
    throw new UserError(
      `unknown view '${view}'${suggestion(
        view,
        [...KERNEL_VIEWS, { name: STRACE }, ...modelViews].map((v) => v.name),
      )}`,
    );
  }
  await loadForMoment(options);
  const end = at === undefined ? options.events.length : momentOf(options, at).end;
  const run = new LockstepRun({ ...options, lastSampleOnly: true, ...(view === STRACE && { syscalls }) });
  const { signal } = options;
  await inPieces({
    advance(rows) {
      run.advance(Math.min(end, run.row + rows));
      return run.row < end && run.abort === null;
    },
    onProgress: undefined,
    signal,
  });
  if (signal?.aborted) {
    note(`sim: interrupted after event ${run.row - 1}: the ${view} is of that moment (partial)`);
  }
  if (view === STRACE) return lines.map((line) => `${line}\n`).join('');
  if (kernelView) return kernelView.render(run.assembled);
  const { top, allocator } = run.assembled;
  return modelView!.render(options.spec.model.views.includes(modelView!) ? top : allocator);
}
