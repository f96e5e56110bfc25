import { fleetPlanCsv, fleetPlanText, planFleet } from '../../fleet/index.ts';
import { UserError } from '../../sim/contract/assert.ts';
import { answer } from '../cli/answer.ts';
import type { BatchArguments } from '../cli/batch-options.ts';
import { fleetExecutor } from '../cli/fleet-batch.ts';
import type { FleetText } from '../cli/fleet-scenario.ts';
import { columnBlocks, fold } from '../report/text/fold.ts';

const HORIZONS = ['24h', '72h', '30d'];

export interface FleetPlanArguments extends BatchArguments {
  readonly risk: number;
  readonly horizon: readonly string[] | undefined;
  readonly settings: readonly string[] | undefined;
}

/** `sim plan` of a fleet's scenario. */
export async function planFleetCommand({ text, from }: FleetText, argv: FleetPlanArguments): Promise<void> {
  if (!(argv.risk > 0 && argv.risk < 0.5)) throw new UserError(`a risk is a probability below 0.5, found ${argv.risk}`);
  const { settings = ['none'] } = argv;
  const plan = await planFleet(text, from, {
    horizons: argv.horizon ?? HORIZONS,
    risk: argv.risk,
    settings: settings.length === 1 && (settings[0] === 'all' || settings[0] === 'none') ? settings[0] : settings,
    execute: fleetExecutor(argv),
  });
  await answer(
    argv,
    plan,
    ({ bold, dim }, width) => fleetPlanText(plan, { width, bold, dim, fold, columnBlocks }),
    () => fleetPlanCsv(plan),
  );
}
