import type { MachineLine, MachineRun } from '../script/run.ts';

type Numbers = Readonly<Record<string, number | undefined>>;

const mb = (kb: number | undefined): string => ((kb ?? 0) / 1024).toFixed(1);

/** What a run was, for a reader: each step, and of each sample the figures that most questions are about, in MB. */
export function machineDigest(run: MachineRun): string {
  return `${run.lines.flatMap(textOf).join('\n')}\n`;
}

function textOf(line: MachineLine): string[] {
  switch (line.t) {
    case 'head':
      return [`# ${line['scenario']}: ${line['mem_mb']} MB, Linux ${line['kernel']}, huge pages ${line['thp']}`];
    case 'step':
      return [stepText(line)];
    case 'death':
      return [
        `  ! ${line['p']} ${line['signal'] === undefined ? `ended, status ${line['exit']}` : `was killed, signal ${line['signal']}`}`,
      ];
    case 'machine':
      return machineText(line);
    case 'proc':
      return [processText(line)];
    case 'cgroup':
      return [groupText(line)];
    case 'kmsg':
      return (line['lines'] as string[])
        .filter((text) => /Killed process|oom-kill:/.test(text))
        .map((text) => `  kernel: ${text}`);
    default:
      return [];
  }
}

function stepText(line: MachineLine): string {
  const parts = [`> ${line['cmd']}`];
  if (line['state']) parts.push(`[${line['state']}]`);
  if (line['err']) parts.push(String(line['err']));
  if (line['minflt']) parts.push(`${line['minflt']} faults`);
  if (line['majflt']) parts.push(`${line['majflt']} major`);
  return parts.join('  ');
}

function machineText(line: MachineLine): string[] {
  const info = line['meminfo'] as Numbers;
  const figures = [
    'MemFree',
    'MemAvailable',
    'Cached',
    'AnonPages',
    'Shmem',
    'Active(anon)',
    'Inactive(anon)',
    'Active(file)',
    'Inactive(file)',
  ];
  const further = [
    'Unevictable',
    'Dirty',
    'Slab',
    'PageTables',
    'AnonHugePages',
    'Committed_AS',
    'SwapTotal',
    'SwapFree',
  ];
  const shown = [...figures, ...further.filter((name) => info[name])].map((name) => `${name} ${mb(info[name])}`);
  const events = line['vmstat'] as Numbers;
  const names = [
    'pgscan_kswapd',
    'pgsteal_kswapd',
    'pgscan_direct',
    'pgsteal_direct',
    'pglazyfreed',
    'workingset_refault_file',
    'oom_kill',
    'pswpin',
    'pswpout',
  ];
  const happened = names.filter((name) => events[name]).map((name) => `${name} ${events[name]}`);
  return [
    `== ${line['label']} (MB): ${shown.join(', ')}`,
    ...(happened.length > 0 ? [`   ${happened.join(', ')}`] : []),
  ];
}

function processText(line: MachineLine): string {
  const status = line['status'] as Numbers;
  const rollup = line['rollup'] as Numbers;
  const names = [
    'Rss',
    'Pss',
    'Shared_Clean',
    'Shared_Dirty',
    'Private_Clean',
    'Private_Dirty',
    'LazyFree',
    'AnonHugePages',
    'Swap',
    'Locked',
  ];
  const shown = names.filter((name, i) => i < 2 || rollup[name]).map((name) => `${name} ${mb(rollup[name])}`);
  return `   ${line['p']}: VSZ ${mb(status['VmSize'])}, ${shown.join(', ')}, page tables ${status['VmPTE'] ?? 0} kB, oom_score ${line['oom_score']}`;
}

function groupText(line: MachineLine): string {
  const stat = line['stat'] as Numbers;
  const parts = ['anon', 'file', 'shmem', 'kernel']
    .filter((name) => stat[name])
    .map((name) => `${name} ${mb(stat[name]! / 1024)}`);
  const events = Object.entries(line['events'] as Numbers).map(([name, count]) => `${name} ${count}`);
  return `   [${line['cg']}] current ${mb((line['current'] as number) / 1024)}: ${parts.join(', ')}${events.length > 0 ? `; events ${events.join(', ')}` : ''}`;
}
