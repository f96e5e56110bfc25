import { bytes, count, duration } from '../../sim/contract/format.ts';
import type { FleetPlan } from '../plan.ts';
import type { FleetPlanRow } from './plan-row.ts';
import { atLeastText } from './settable.ts';
import type { TextStyle } from './text.ts';

/** The plan as a table, one for each horizon. */
export function fleetPlanText(plan: FleetPlan, { bold, dim, fold, width, columnBlocks }: TextStyle): string {
  const horizons = [...new Set(plan.rows.map(({ horizon }) => horizon))];
  const lines = [bold(`${plan.scenario} on ${bytes(plan.totalBytes)}`)];
  if (plan.partial) lines.push(bold('Partial: it was interrupted; only what had finished.'));
  for (const horizon of horizons) {
    const rows = plan.rows.filter((row) => row.horizon === horizon);
    lines.push(
      '',
      bold(`After ${horizon}, at a risk of ${rows[0]!.risk} that it is too little within that time`),
      ...columnBlocks([HEADER, ...rows.map((row) => cells(row, plan))], width),
    );
  }
  const { besideBytes, pool } = plan.rows[0]!;
  const smaller = plan.rows.some(({ limitWorkers, workers }) => limitWorkers < workers)
    ? ' (for N: somebody was killed with all of them, so that this, and in progress, is of a pool of N)'
    : '';
  const others =
    new Set(plan.rows.map((row) => row.pool)).size > 1
      ? ', with the other pools as they are but without their requests in progress'
      : '';
  lines.push(
    '',
    ...groupTexts(plan).flatMap((text) => fold(`- ${text}`, width, '  ')),
    ...fold(
      `Beside the workers of ${pool} the machine needs ${bytes(besideBytes)} (shared memory once, other pools, services, the kernel; page cache counts as free). Load is the scenario's, however many workers there are. in progress: what requests need at once beyond what workers keep, at that risk. fit: with so many, all of that at once and every snapshot in its middle, the kernel of the machine killed nobody, and with one more it did: max_children should be at most that${others}. all at peak: if every worker were in the largest request. memory.max: for the workers that the scenario has${smaller}, with their master, shared memory, page tables and whatever else is in their group; with 1 MiB less somebody was killed. best: no other one lets more workers in with less time in the allocator.`,
      width,
      '  ',
    ).map(dim),
  );
  return `${lines.join('\n')}\n`;
}

/** Of a group with several pools, from which each row tells one: with all of them at once. */
function groupTexts({ rows }: FleetPlan): string[] {
  const most = rows.at(-1)?.horizon;
  const last = rows.filter(({ horizon }) => horizon === most);
  const groups = [...new Set(last.flatMap(({ group }) => group ?? []))];
  return groups.flatMap((group) => {
    const own = last.filter((row) => row.group === group);
    const pools = [...new Set(own.map(({ pool }) => pool))];
    if (pools.length < 2) return [];
    const settings = [...new Set(own.map(({ setting }) => setting))];
    const limits = settings.map(
      (setting) => `${atLeastText(own.find((row) => row.setting === setting)!.groupLimitBytes)} (${setting})`,
    );
    return `memory.max of ${group} is for ${pools.join(' and ')} together: for what is in progress in all of them at once, each at that risk, up to ${most} it takes at most ${limits.join(', ')}. The rows above are each with what one pool has in progress.`;
  });
}

const HEADER = ['', 'a worker', 'in progress', 'fit', 'all at peak', 'memory.max', 'allocator', 'front'];

function cells(row: FleetPlanRow, plan: FleetPlan): string[] {
  const several = new Set(plan.rows.map(({ pool }) => pool)).size > 1;
  return [
    several ? `${row.pool}: ${row.setting}` : row.setting,
    bytes(row.workerBytes),
    bytes(row.inProgressBytes),
    `${count(row.fits)}${row.tried ? '' : ' (not tried)'}`,
    count(row.fitsAtPeak),
    `${atLeastText(row.limitBytes)}${row.limitWorkers < row.workers ? ` (for ${row.limitWorkers})` : ''}`,
    duration(row.allocatorUs * 1e3),
    row.killed > 0 ? `${row.killed} killed` : row.front ? 'best' : '',
  ];
}
