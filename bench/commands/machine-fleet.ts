import {
  type FleetResult,
  type FleetRun,
  fleetCsv,
  fleetOpenMetrics,
  fleetText,
  parseScenario,
  studyFleet,
} from '../../fleet/index.ts';
import { durationUs } from '../../fleet/scenario/quantities.ts';
import { machineDigest } from '../../machine/views/digest.ts';
import { UserError } from '../../sim/contract/assert.ts';
import { writeWholeFiles } from '../../workloads/files/line-sink.ts';
import type { FleetText } from '../cli/fleet-scenario.ts';
import { listenForInterrupt } from '../cli/interruption.ts';
import { viewOf, viewsText } from '../cli/machine-views.ts';
import { terminalPalette } from '../cli/palette.ts';
import { startProgress } from '../cli/progress.ts';
import { show } from '../cli/show.ts';
import { terminalWidth } from '../cli/width.ts';
import { fleetPage } from '../report/fleet-page.ts';
import { columnBlocks, fitWidth, fold } from '../report/text/fold.ts';

/** Options of `sim machine` as they are for a fleet. */
export interface FleetArguments {
  readonly view: readonly string[] | undefined;
  readonly at: readonly string[] | undefined;
  readonly steps: boolean;
  readonly json: boolean;
  readonly output: string | undefined;
  readonly csv: string | undefined;
  readonly openmetrics: string | undefined;
  readonly report: string | undefined;
  readonly settings: readonly string[] | undefined;
  readonly workers: number | undefined;
}

const FILES = ['output', 'csv', 'openmetrics', 'report'] as const;
const PARTS = 1000;

/** `sim machine` of a fleet's scenario. */
export async function runFleetCommand({ text, from }: FleetText, argv: FleetArguments): Promise<void> {
  const scenario = parseScenario(text, from);
  const moments = (argv.at ?? []).map((word) => momentUs(word, scenario.durationUs));
  const isLook = argv.view !== undefined || moments.length > 0;
  const stopAtUs = moments.length > 0 ? Math.max(...moments) : undefined;
  if (moments.length > 1) throw new UserError('--at: found it twice, expected one moment of a fleet');
  const settings = settingsOf(
    argv.settings,
    scenario.settings.map(({ name }) => name),
    isLook,
  );
  const progress = await startProgress(PARTS, 'parts');
  const interruption = listenForInterrupt();
  let study: { result: FleetResult; run: FleetRun };
  try {
    study = await studyFleet(text, from, {
      settings,
      signal: interruption.signal,
      onProgress: (share) => progress.update(Math.floor(share * PARTS)),
      ...(argv.workers !== undefined && { workers: argv.workers }),
      ...(stopAtUs !== undefined && { stopAtUs }),
    });
  } finally {
    progress.stop();
    interruption.release();
  }
  const { result, run } = study;
  const texts: Readonly<Record<(typeof FILES)[number], () => string>> = {
    output: () => result.samples.map((sample) => `${JSON.stringify(sample)}\n`).join(''),
    csv: () => fleetCsv(result),
    openmetrics: () => fleetOpenMetrics(result),
    report: () => fleetPage(result),
  };
  writeWholeFiles(FILES.flatMap((name) => (argv[name] === undefined ? [] : [[argv[name]!, texts[name]()] as const])));
  if (FILES.some((name) => argv[name] === '-')) return;
  if (argv.view) {
    const at = argv.at?.[0] ?? 'end';
    show(viewsText(argv.view.map((view) => viewOf(run.machine.run, view, at))));
    return;
  }
  if (argv.json) process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
  else if (argv.steps) show(machineDigest(run.machine.run));
  else {
    const palette = await terminalPalette();
    const width = terminalWidth();
    show(fitWidth(fleetText(result, { width, bold: palette.bold, dim: palette.dim, fold, columnBlocks }), width));
  }
}

function momentUs(word: string, endUs: number): number {
  if (word === 'end') return endUs;
  const us = durationUs(word);
  if (us === undefined || us > endUs)
    throw new UserError(`--at: found '${word}', expected a time of the scenario such as 36h or 90m, or end`);
  return us;
}

function settingsOf(
  given: readonly string[] | undefined,
  names: readonly string[],
  isLook: boolean,
): 'all' | 'none' | readonly string[] {
  if (given === undefined) return isLook ? 'none' : 'all';
  if (given.length === 1 && (given[0] === 'all' || given[0] === 'none')) return given[0];
  for (const name of given)
    if (!names.includes(name))
      throw new UserError(
        `--settings: found '${name}', expected all, none or ${names.join(', ') || 'a setting of the scenario, which has none'}`,
      );
  return given;
}
