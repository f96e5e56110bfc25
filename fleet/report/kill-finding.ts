import { bytes } from '../../sim/contract/format.ts';
import { durationText, sizeBytes } from '../scenario/quantities.ts';
import type { Scenario } from '../scenario/scenario.ts';
import type { FleetFigures } from './figures.ts';
import type { Finding } from './finding.ts';

/** Whom the kernel killed, for want of which memory, and what is missing from then on. */
export function killFindings(figures: FleetFigures, scenario: Scenario): Finding[] {
  const { kills, killed, firstKillUs, groups } = figures;
  if (kills === 0) return [];
  const ofGroup = groups.filter(({ events }) => (events['oom_kill'] ?? 0) > 0);
  const where =
    ofGroup.length > 0
      ? `the memory.max of ${ofGroup.map(({ name, maxBytes, firmBytes }) => `${name} (${bytes(maxBytes ?? 0)}; it needs ${bytes(firmBytes.trend.highestBytes)} that cannot be reclaimed, and more for requests in progress)`).join(', ')} was reached`
      : `the machine's memory was used up${sizeBytes(scenario.machine.swap)! > 0 ? ', its swap too' : ''}`;
  const grown = figures.services.filter(
    ({ name, trend }) => killed.includes(name) && trend.highestBytes > 2 * trend.firstBytes + 2 ** 20,
  );
  const because = grown
    .map(
      ({ name, trend }) =>
        ` ${name} had grown from ${bytes(trend.firstBytes)} to ${bytes(trend.highestBytes)}, with no ceiling of its own.`,
    )
    .join('');
  const masters = scenario.pools.filter(({ name }) => killed.includes(name)).map(({ name }) => name);
  const orphans =
    masters.length > 0
      ? ` The master of ${masters.join(', ')} is among them: from then on its pool serves nobody.`
      : '';
  const services = scenario.services.filter(({ name }) => killed.includes(name)).map(({ name }) => name);
  const gone =
    services.length > 0
      ? ` ${services.join(', ')} ${services.length === 1 ? 'is' : 'are'} among them and not started again: what comes later is without ${services.length === 1 ? 'it' : 'them'}.`
      : '';
  // Whose end weighs most comes first.
  const heavy = [...services, ...masters];
  const ordered = [...heavy, ...killed.filter((name) => !heavy.includes(name))];
  const names =
    ordered.length > 6 ? `${ordered.slice(0, 6).join(', ')} and ${ordered.length - 6} more` : ordered.join(', ');
  return [
    {
      severity: 'fails',
      about: ofGroup[0]?.name ?? 'machine',
      text: `From ${durationText(firstKillUs!)} on the kernel kills (${names}), since ${where}.${because}${orphans}${gone}`,
    },
  ];
}
