import { UserError } from '../../../sim/contract/assert.ts';
import { lookup } from '../../../sim/contract/lookup.ts';
import { suggestion } from '../../../sim/contract/suggestion.ts';
import { oomScore } from '../../kernel/oom-kill.ts';
import { smapsRollup } from '../../kernel/smaps.ts';
import type { MachineRun, ScriptProcess } from '../../script/machine-run.ts';
import { statusOf } from '../../script/sample.ts';
import { commandLine } from '../proc/process-files.ts';
import { wrongOption } from '../wrong-option.ts';

/** What ps knows of a process: the first process, or one of the script. */
interface Row {
  readonly run: MachineRun;
  readonly process: ScriptProcess;
  readonly arguments: string;
  /** Cells of the tool's own line. */
  readonly own?: Readonly<Record<string, string>>;
}

interface Column {
  readonly head: string;
  readonly width: number;
  readonly left?: boolean;
  readonly of: (row: Row) => string;
}

const status = (name: string) => (row: Row) => statusOf(row.process.task)[name] ?? 0;
const rollup = (row: Row, ...names: string[]) => {
  const fields = smapsRollup(row.run.k, row.process.task);
  return names.reduce((sum, name) => sum + fields[name]!, 0);
};
/** Resident share of memory, in tenths of a percent, cut off. */
const memoryShare = (row: Row): string => {
  const tenths = Math.min(999, Math.floor((status('VmRSS')(row) * 1000) / (row.run.k.totalPages * 4)));
  return `${Math.floor(tenths / 10)}.${tenths % 10}`;
};
const stateOf = ({ process: { task, busy } }: Row): string =>
  `${busy ? 'R' : 'S'}${task.mm.lockedVm > 0 ? 'L' : ''}${task.threads > 1 ? 'l' : ''}`;
/** Processor time in whole seconds, and its share of the time since the process began, in tenths of a percent, cut off. */
const seconds = ({ process }: Row): number => Math.floor((process.cpuUs ?? 0) / 1e6);
const processorShare = ({ run, process }: Row): number => {
  const elapsedUs = run.k.nowUs - (process.startUs ?? 0);
  return elapsedUs > 0 ? Math.floor(((process.cpuUs ?? 0) * 1000) / elapsedUs) : 0;
};
const clock = (total: number): string =>
  [60, 1].map((unit) => String(Math.floor(total / unit) % 60).padStart(2, '0')).join(':');
/** Where the binary's code ends that is counted in TRS, in kB. */
const CODE_KB = 662;

const column = (head: string, width: number, of: (row: Row) => string | number): Column => ({
  head,
  width,
  of: (row) => String(of(row)),
});
const leftColumn = (head: string, width: number, of: (row: Row) => string): Column => ({ head, width, left: true, of });

/** Columns with the widths of procps 4; the numbers as it works them out. */
const COLUMNS: Readonly<Record<string, Column>> = {
  pid: column('PID', 5, ({ process }) => process.task.pid),
  ppid: column('PPID', 5, ({ process }) => (process.task.pid === 1 ? 0 : 1)),
  user: leftColumn('USER', 8, () => 'root'),
  uid: column('UID', 5, () => 0),
  comm: leftColumn('COMMAND', 15, ({ process }) => process.name.slice(0, 15)),
  args: leftColumn('COMMAND', 27, (row) => row.arguments),
  cmd: leftColumn('CMD', 27, (row) => row.arguments),
  rss: column('RSS', 5, status('VmRSS')),
  rsz: column('RSZ', 5, status('VmRSS')),
  vsz: column('VSZ', 6, status('VmSize')),
  pmem: column('%MEM', 4, memoryShare),
  pcpu: column('%CPU', 4, (row) => (processorShare(row) / 10).toFixed(1)),
  min_flt: column('MINFL', 6, ({ process }) => process.task.minflt),
  maj_flt: column('MAJFL', 6, ({ process }) => process.task.majflt),
  nlwp: column('NLWP', 4, ({ process }) => process.task.threads),
  size: column('SIZE', 5, (row) => status('VmData')(row) + status('VmStk')(row)),
  drs: column('DRS', 5, (row) => status('VmSize')(row) - CODE_KB - 1),
  trs: column('TRS', 4, () => CODE_KB),
  sz: column('SZ', 5, (row) => status('VmSize')(row) / 4),
  stat: leftColumn('STAT', 4, stateOf),
  s: leftColumn('S', 1, (row) => stateOf(row)[0]!),
  pss: column('PSS', 5, (row) => rollup(row, 'Pss')),
  uss: column('USS', 5, (row) => rollup(row, 'Private_Clean', 'Private_Dirty')),
  tty: leftColumn('TT', 8, () => '?'),
  tname: leftColumn('TTY', 8, () => '?'),
  time: column(
    'TIME',
    8,
    (row) => `${String(Math.floor(seconds(row) / 3600)).padStart(2, '0')}:${clock(seconds(row))}`,
  ),
  bsdtime: column('TIME', 6, (row) => `${Math.floor(seconds(row) / 60)}:${clock(seconds(row)).slice(3)}`),
  bsdstart: column('START', 5, () => '00:00'),
  stime: column('STIME', 5, () => '00:00'),
  c: column('C', 2, (row) => Math.floor(processorShare(row) / 10)),
  oom: column('OOM', 4, ({ run, process }) => (process.task.pid === 1 ? 0 : oomScore(run.k, process.task))),
  oomadj: column('OOMADJ', 5, ({ process }) => process.task.oomScoreAdj),
  cgroup: leftColumn('CGROUP', 27, ({ process: { task } }) => `0::${task.group.isRoot ? '/' : `/${task.group.name}`}`),
};

const SAME: Readonly<Record<string, string>> = {
  '%mem': 'pmem',
  '%cpu': 'pcpu',
  command: 'args',
  ucmd: 'comm',
  ucomm: 'comm',
  rssize: 'rss',
  vsize: 'vsz',
  minflt: 'min_flt',
  majflt: 'maj_flt',
  thcount: 'nlwp',
  state: 's',
  tt: 'tty',
  euser: 'user',
};

const BSD_USER = 'user,pid,%cpu,%mem,vsz,rss,tname,stat,bsdstart,bsdtime,args';
const FULL = 'user=UID,pid,ppid,c,stime,tname,time,cmd';

interface PsOptions {
  list: string;
  heads: Record<string, string>;
  only: string[] | undefined;
  children: boolean;
  sort: string[];
  forest: boolean;
}

/** `aux`, `auxf`, `-ef`, `-e`, `-o LIST`, `axo LIST`, `-p PROCESS,…`, `--ppid 1`, `--sort KEYS`; processes by number or name. */
function optionsOf(words: readonly string[]): PsOptions {
  const options: PsOptions = {
    list: 'pid,tname,time,comm',
    heads: {},
    only: undefined,
    children: false,
    sort: [],
    forest: false,
  };
  const columnsFrom: string[] = [];
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    const value = () => words[++i] ?? '';
    if (/^-?[ax]*[eA]?o$/.test(word) && word.endsWith('o')) columnsFrom.push(value());
    else if (/^-?(ax?|x|e|A|ax)$/.test(word)) continue;
    else if (/^-?aux?f?$|^-?uaxf?$/.test(word) || word === 'faux') {
      options.list = BSD_USER;
      options.forest = word.includes('f');
    } else if (word === '-ef' || word === '-Af' || word === '-eF') options.list = FULL;
    else if (word === 'f' || word === '--forest') options.forest = true;
    else if (word === '-p' || word === '--pid' || word === '-q') options.only = value().split(',');
    else if (word === '--ppid') {
      options.children = true;
      value();
    } else if (word === '--sort') options.sort = value().split(',');
    else if (word.startsWith('--sort=')) options.sort = word.slice(7).split(',');
    else throw wrongOption('ps', word, 'aux, auxf, -ef, -e, -o COLUMNS, -p PROCESS, --ppid 1, --sort KEYS or --forest');
  }
  if (columnsFrom.length > 0) options.list = columnsFrom.join(',');
  return options;
}

function columnOf(name: string): Column {
  const [key, head] = name.split('=');
  const own = lookup(COLUMNS, lookup(SAME, key!) ?? key!);
  if (!own) throw new UserError(`view ps: unknown column '${key}'${suggestion(key!, Object.keys(COLUMNS))}`);
  const column = lookup(SAME, key!) ?? key!;
  const withOwn = { ...own, of: (row: Row) => (row.own ? (lookup(row.own, column) ?? own.of(row)) : own.of(row)) };
  const named = key === 'thcount' ? { ...withOwn, head: 'THCNT', width: 5 } : withOwn;
  return head === undefined ? named : { ...named, head };
}

/** The tool itself, as recorded: ps of procps 4.0.2 on a kernel 6.1. */
function ownRow(run: MachineRun, init: ScriptProcess, words: readonly string[]): Row {
  const text = ['ps', ...words].join(' ');
  const share = Math.floor((4116 * 1000) / (run.k.totalPages * 4));
  const own = {
    pid: String(run.k.pids.next),
    ppid: '1',
    comm: 'ps',
    args: text,
    cmd: text,
    rss: '4116',
    rsz: '4116',
    vsz: '8096',
    pmem: `${Math.floor(share / 10)}.${share % 10}`,
    pcpu: '100',
    c: '99',
    min_flt: '475',
    maj_flt: '0',
    nlwp: '1',
    size: '2264',
    drs: '8032',
    trs: '63',
    sz: '2024',
    stat: 'R',
    s: 'R',
    pss: '4272',
    uss: '4272',
    time: '00:00:00',
    bsdtime: '0:00',
    oom: '666',
    oomadj: '0',
    cgroup: '0::/',
  };
  return { run, process: init, arguments: text, own };
}

/** As ps of procps 4 prints it, of the first process and the script's; the kernel's threads have no memory and are left out. */
export function psText(run: MachineRun, words: readonly string[]): string {
  const options = optionsOf(words);
  const columns = options.list.split(',').map(columnOf);
  const init: ScriptProcess = {
    name: 'init',
    task: run.image.init,
    cgroup: run.rootGroup,
    alive: true,
    busy: undefined,
  };
  let rows: Row[] = [
    { run, process: init, arguments: '/init nokaslr' },
    ...run.processes
      .filter(({ alive }) => alive)
      .map((process) => ({ run, process, arguments: commandLine(run, process) })),
  ];
  if (options.children) rows = rows.slice(1);
  const { only } = options;
  if (!only) rows.push(ownRow(run, init, words));
  if (only) rows = rows.filter(({ process }) => only.includes(process.name) || only.includes(String(process.task.pid)));
  const pidOf = ({ own, process }: Row) => Number(own?.['pid'] ?? process.task.pid);
  rows.sort((a, b) => pidOf(a) - pidOf(b));
  for (const key of [...options.sort].reverse()) rows = sorted(rows, key);
  const heads = columns.map(({ head }) => head);
  return [heads, ...rows.map((row) => columns.map(({ of }) => of(row)))]
    .map((cells) => lineOf(columns, cells))
    .join('');
}

function sorted(rows: readonly Row[], key: string): Row[] {
  const name = key.replace(/^[-+]/, '');
  const { of } = columnOf(name);
  const sign = key.startsWith('-') ? -1 : 1;
  const compare = (a: string, b: string) => {
    const difference = Number(a) - Number(b);
    return Number.isNaN(difference) ? (a < b ? -1 : a > b ? 1 : 0) : difference;
  };
  return [...rows].sort((a, b) => sign * compare(of(a), of(b)));
}

/** A cell that is too wide moves those behind it, until spaces make up for it. */
function lineOf(columns: readonly Column[], cells: readonly string[]): string {
  let line = '';
  let target = 0;
  columns.forEach(({ width, left }, i) => {
    const last = i === columns.length - 1;
    const cell = left && !last ? cells[i]!.slice(0, width) : cells[i]!;
    const start = left ? target : target + width - cell.length;
    line = line.padEnd(Math.max(start, i === 0 ? 0 : line.length + 1)) + cell;
    target += width + 1;
  });
  return `${line}\n`;
}
