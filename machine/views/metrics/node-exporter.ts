import { vmstatOf } from '../../kernel/meminfo.ts';
import type { MachineRun } from '../../script/machine-run.ts';
import { allMeminfo } from '../proc/machine-files.ts';
import type { MetricFamily } from './exposition.ts';

/** Active(anon) and Active_anon: parentheses become what a metric's name may hold. */
const fieldOf = (name: string): string => name.replace(/\((.*)\)/, '_$1');

/** The counters of /proc/vmstat that node_exporter takes unless told otherwise. */
const VMSTAT = /^(oom_kill|pgpg|pswp|pg.*fault)/;

/** What node_exporter's collectors meminfo, pressure and vmstat say of the machine, by their names, in their order. */
export function nodeExporterFamilies(run: MachineRun): MetricFamily[] {
  const { k } = run;
  const one = (name: string, type: MetricFamily['type'], help: string, value: number): MetricFamily => ({
    name,
    type,
    help,
    points: [{ labels: {}, value }],
  });
  const memory = allMeminfo(k).map(([name, value]) => {
    const field = name.startsWith('HugePages_') ? name : `${fieldOf(name)}_bytes`;
    const bytes = name.startsWith('HugePages_') ? value : value * 1024;
    return one(`node_memory_${field}`, 'gauge', `Memory information field ${field}.`, bytes);
  });
  const events = Object.entries(vmstatOf(k))
    .filter(([name]) => VMSTAT.test(name))
    .map(([name, value]) => one(`node_vmstat_${name}`, 'unknown', `/proc/vmstat information field ${name}.`, value));
  return [
    ...memory,
    one(
      'node_pressure_memory_stalled_seconds_total',
      'counter',
      'Total time in seconds no process could make progress due to memory congestion',
      Math.round(k.psi.fullUs) / 1e6,
    ),
    one(
      'node_pressure_memory_waiting_seconds_total',
      'counter',
      'Total time in seconds that processes have waited for memory',
      Math.round(k.psi.someUs) / 1e6,
    ),
    ...events,
  ].sort((a, b) => (a.name < b.name ? -1 : 1));
}
