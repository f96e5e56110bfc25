import { crc32 } from 'node:zlib';
import { escapeTerminal } from '../../../bench/report/escape.ts';
import { fleetPage } from '../../../bench/report/fleet-page.ts';
import { columnBlocks, fold } from '../../../bench/report/text/fold.ts';
import {
  fleetCsv,
  fleetOpenMetrics,
  fleetText,
  parseScenario,
  type Scenario,
  studyFleet,
} from '../../../fleet/index.ts';
import { ratePerSecond } from '../../../sim/contract/quantities.ts';
import { type Area, defineArea } from '../area.ts';
import { corpusOf } from '../corpus.ts';
import { mutated } from '../mutation.ts';
import { orRefused } from '../refusal.ts';

/** A run costs as much as a hundred readings. */
const RUN_ONE_IN = 16;
/** Of what is run: a scenario may ask for any amount of work. */
const RUN = { us: 3 * 3600e6, requests: 1000, workers: 64 } as const;

function isSmall({ durationUs, requests, pools, samples }: Scenario): boolean {
  const rates = requests.reduce((sum, { rate }) => sum + (rate ? ratePerSecond(rate)! : 0), 0);
  const workers = pools.reduce((sum, { pm }) => sum + pm.max_children, 0);
  const isAsked = requests.every(
    ({ workload }) => workload === undefined || /^php-pool:requests=1,blocks=30,/.test(workload),
  );
  return (
    durationUs <= RUN.us &&
    samples <= 100 &&
    (rates * durationUs) / 1e6 <= RUN.requests &&
    workers <= RUN.workers &&
    isAsked
  );
}

async function checkScenario(bytes: Uint8Array): Promise<void> {
  const text = Buffer.from(bytes).toString();
  const scenario = await orRefused(() => parseScenario(text, 's.yaml'));
  if (!scenario || !isSmall(scenario) || crc32(bytes) % RUN_ONE_IN !== 0) return;
  await orRefused(async () => {
    const { result } = await studyFleet(text, 's.yaml', { workers: 1, settings: 'none' });
    const plain = (words: string) => words;
    const shown = escapeTerminal(fleetText(result, { width: 80, bold: plain, dim: plain, fold, columnBlocks }));
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that may not appear
    const isControl = /[\u0000-\u0008\u000b-\u001f]/;
    if ([shown, fleetCsv(result), fleetOpenMetrics(result), fleetPage(result)].some((each) => isControl.test(each))) {
      throw new Error('a control character');
    }
  });
}

/** Scenarios of fleets; one in some of the small ones is run. */
export const scenarios: Area = defineArea({
  name: 'scenarios',
  inputs: mutated(corpusOf('scenarios')),
  check: checkScenario,
  bytesOf: (bytes) => bytes,
});
