import { fleetCsv, fleetOpenMetrics, fleetText, isCut, parseScenario, studyFleet } from '../../fleet/index.ts';
import { demandView } from '../../machine/views/view.ts';
import { UserError } from '../../sim/contract/assert.ts';
import { jsonText } from '../../sim/contract/escape.ts';
import { durationText, durationUs } from '../../sim/contract/quantities.ts';
import { type WholeFile, writeWholeFiles } from '../../workloads/files/line-sink.ts';
import { isStandardOutput, jsonFile } from '../cli/answer.ts';
import type { EngineArguments } from '../cli/batch-options.ts';
import { fleetExecutor } from '../cli/fleet-batch.ts';
import type { FleetText } from '../cli/fleet-scenario.ts';
import { viewsText } from '../cli/machine-views.ts';
import { terminalPalette } from '../cli/palette.ts';
import { show } from '../cli/show.ts';
import { terminalWidth } from '../cli/width.ts';
import { fleetPage } from '../report/fleet-page.ts';
import { columnBlocks, fitWidth, fold } from '../report/text/fold.ts';
import { MACHINE_TEXTS, type MachineTextName } from '../study/machine/machine-answer.ts';

/** Options of `sim machine` as they are for a fleet. */
export interface FleetArguments extends EngineArguments {
  readonly view: readonly string[] | undefined;
  readonly at: readonly string[] | undefined;
  readonly names: boolean;
  readonly steps: boolean;
  readonly json: string | undefined;
  readonly output: string | undefined;
  readonly csv: string | undefined;
  readonly openmetrics: string | undefined;
  readonly report: string | undefined;
  readonly settings: readonly string[] | undefined;
}

/** `sim machine` of a fleet's scenario. */
export async function runFleetCommand({ text, from }: FleetText, argv: FleetArguments): Promise<void> {
  const scenario = parseScenario(text, from);
  const moments = (argv.at ?? []).map((word) => momentUs(word, scenario.durationUs));
  for (const view of argv.view ?? []) demandView(view); // before anything runs
  const isLook = argv.view !== undefined || moments.length > 0;
  const stopAtUs = moments.length > 0 ? Math.max(...moments) : undefined;
  if (moments.length > 1) throw new UserError('--at: found it twice, expected one moment of a fleet');
  const settings = settingsOf(
    argv.settings,
    scenario.settings.map(({ name }) => name),
    isLook,
  );
  const at = argv.at?.[0] ?? 'end';
  const look = { views: argv.view ?? [], at, steps: argv.steps, ...(stopAtUs !== undefined && { stopAtUs }) };
  const { result, asItIs } = await studyFleet(text, from, { settings, look, execute: fleetExecutor(argv) });
  const texts: Readonly<Record<MachineTextName, () => string>> = {
    output: () => {
      const cut = isCut(result) ? { ofUs: result.durationUs } : {};
      return result.samples.map((sample) => `${jsonText({ ...sample, ...cut })}\n`).join('');
    },
    csv: () => fleetCsv(result),
    openmetrics: () => fleetOpenMetrics(result),
    report: () => fleetPage(result),
  };
  const files = MACHINE_TEXTS.flatMap((name): WholeFile[] =>
    argv[name] === undefined ? [] : [[argv[name] || '-', texts[name]()]],
  );
  if (argv.json !== undefined) files.push(jsonFile(argv.json, result));
  writeWholeFiles(files, result.partial);
  if (MACHINE_TEXTS.some((name) => isStandardOutput(argv[name])) || isStandardOutput(argv.json)) return;
  if (argv.view) {
    show(viewsText(asItIs.views, argv.names));
    return;
  }
  if (argv.steps) show(asItIs.steps!);
  else {
    const palette = await terminalPalette();
    const width = terminalWidth();
    show(fitWidth(fleetText(result, { width, bold: palette.bold, dim: palette.dim, fold, columnBlocks }), width));
  }
}

function momentUs(word: string, endUs: number): number {
  if (word === 'end') return endUs;
  const us = durationUs(word);
  if (us === undefined)
    throw new UserError(`--at: found '${word}', expected a time of the scenario such as 36h or 90m, or end`);
  if (us > endUs)
    throw new UserError(`--at: found '${word}', expected at most ${durationText(endUs)}, when the scenario ends`);
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
