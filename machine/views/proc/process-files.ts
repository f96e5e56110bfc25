import type { Kernel, Task } from '../../kernel/kernel.ts';
import type { Vma } from '../../kernel/mm-types.ts';
import { oomScore } from '../../kernel/oom-kill.ts';
import { smapsOf, smapsRollup } from '../../kernel/smaps.ts';
import { VM_HUGETLB } from '../../kernel/vm-flags.ts';
import type { MachineRun, ScriptProcess } from '../../script/machine-run.ts';
import { statusOf, TEXT_KB } from '../../script/sample.ts';
import { hex, mapsLine, vmFlagsOf } from './vma-text.ts';

/** A field of smaps: name and colon in 16 columns, the figure right in 8. */
const field = (name: string, kb: number): string => `${`${name}:`.padEnd(16)}${String(kb).padStart(8)} kB`;

/** What smaps says of a mapping, in kB, by the kernel's names and in its order; THPeligible is 0 or 1. */
export function smapsFields(k: Kernel, vma: Vma): [string, number][] {
  const { Size, THPeligible, ...rest } = smapsOf(k, vma);
  const pageKb = vma.flags & VM_HUGETLB ? 2048 : 4;
  return [
    ['Size', Size!],
    ['KernelPageSize', pageKb],
    ['MMUPageSize', pageKb],
    ...withKsm(k, rest),
    ['THPeligible', THPeligible!],
  ];
}

/** From 6.12 on smaps has a line of pages merged by KSM; none are here. */
function withKsm(k: Kernel, fields: Record<string, number>): [string, number][] {
  const entries = Object.entries(fields);
  if (k.profile.kernel === '6.1') return entries;
  return entries.flatMap(([name, kb]): [string, number][] =>
    name === 'Anonymous'
      ? [
          [name, kb],
          ['KSM', 0],
        ]
      : [[name, kb]],
  );
}

function smapsText(k: Kernel, vma: Vma): string[] {
  const width = k.profile.kernel === '6.1' ? 0 : 8;
  return [
    mapsLine(vma),
    ...smapsFields(k, vma).map(([name, value]) =>
      name === 'THPeligible' ? `${`${name}:`.padEnd(16)}${String(value).padStart(width)}` : field(name, value),
    ),
    `VmFlags: ${vmFlagsOf(k, vma)} `,
  ];
}

const lines = (all: readonly string[]): string => all.map((line) => `${line}\n`).join('');

function rollupText(k: Kernel, task: Task): string {
  const { vmas } = task.mm;
  if (vmas.length === 0) return '';
  const range = `${hex(vmas[0]!.start * 4096, 8)}-${hex(vmas.at(-1)!.end * 4096, 8)} ---p 00000000 00:00 0 `;
  return lines([
    `${range.padEnd(73)}[rollup]`,
    ...withKsm(k, smapsRollup(k, task)).map(([name, kb]) => field(name, kb)),
  ]);
}

/** Descriptors that a table begins with: the workers' pipes have numbers from 100. */
const FD_TABLE = 128;
/** SIGQ's limit: half of the threads that memory allows. */
const THREAD_BYTES = 131072;

function statusText(run: MachineRun, { task, name, busy }: ScriptProcess): string {
  const { k } = run;
  const status = statusOf(task);
  const kb = (key: string) => `${key}:\t${String(status[key] ?? 0).padStart(8)} kB`;
  const sets = ['SigPnd', 'ShdPnd', 'SigBlk', 'SigIgn', 'SigCgt', 'CapInh'].map((set) => `${set}:\t${'0'.repeat(16)}`);
  const cpus = run.options.processors;
  return lines([
    `Name:\t${name.slice(0, 15)}`,
    'Umask:\t0022',
    `State:\t${busy ? 'R (running)' : 'S (sleeping)'}`,
    `Tgid:\t${task.pid}`,
    'Ngid:\t0',
    `Pid:\t${task.pid}`,
    `PPid:\t${task.pid === 1 ? 0 : 1}`,
    'TracerPid:\t0',
    'Uid:\t0\t0\t0\t0',
    'Gid:\t0\t0\t0\t0',
    `FDSize:\t${Math.max(FD_TABLE, task.fdTable)}`,
    'Groups:\t ',
    `NStgid:\t${task.pid}`,
    `NSpid:\t${task.pid}`,
    'NSpgid:\t0',
    'NSsid:\t0',
    ...['VmPeak', 'VmSize', 'VmLck'].map(kb),
    kb('VmPin'),
    ...['VmHWM', 'VmRSS', 'RssAnon', 'RssFile', 'RssShmem', 'VmData', 'VmStk', 'VmExe', 'VmLib', 'VmPTE'].map(kb),
    kb('VmSwap'),
    kb('HugetlbPages'),
    'CoreDumping:\t0',
    `THP_enabled:\t1`,
    `Threads:\t${task.threads}`,
    `SigQ:\t1/${Math.floor((k.totalPages * 4096) / THREAD_BYTES / 2)}`,
    ...sets,
    ...['CapPrm', 'CapEff', 'CapBnd'].map((set) => `${set}:\t000001ffffffffff`),
    `CapAmb:\t${'0'.repeat(16)}`,
    'NoNewPrivs:\t0',
    'Seccomp:\t0',
    'Seccomp_filters:\t0',
    'Speculation_Store_Bypass:\tnot vulnerable',
    'SpeculationIndirectBranch:\talways enabled',
    `Cpus_allowed:\t${hex(2 ** cpus - 1)}`,
    `Cpus_allowed_list:\t${cpus === 1 ? '0' : `0-${cpus - 1}`}`,
    `Mems_allowed:\t${`${'0'.repeat(8)},`.repeat(31)}00000001`,
    'Mems_allowed_list:\t0',
    'voluntary_ctxt_switches:\t0',
    'nonvoluntary_ctxt_switches:\t0',
  ]);
}

/** statm: size, resident, shared, text, lib, data and dt, in pages. */
function statmText(task: Task): string {
  const { mm } = task;
  const status = statusOf(task);
  const pages = (...names: string[]) => names.reduce((sum, name) => sum + (status[name] ?? 0) / 4, 0);
  return `${mm.totalVm} ${pages('VmRSS')} ${pages('RssFile', 'RssShmem')} ${TEXT_KB / 4} 0 ${pages('VmData', 'VmStk')} 0\n`;
}

type ProcessFile = (run: MachineRun, process: ScriptProcess) => string;

/** Files of /proc/PID. A killed process whose memory is taken shows no mappings. */
export const PROCESS_FILES: Readonly<Record<string, ProcessFile>> = {
  maps: (_run, { task }) => lines(task.mm.vmas.map(mapsLine)),
  smaps: (run, { task }) => lines(task.mm.vmas.flatMap((vma) => smapsText(run.k, vma))),
  smaps_rollup: (run, { task }) => rollupText(run.k, task),
  status: statusText,
  statm: (_run, { task }) => statmText(task),
  oom_score: (run, { task }) => `${task.fatalSignal ? 0 : oomScore(run.k, task)}\n`,
  oom_score_adj: (_run, { task }) => `${task.oomScoreAdj}\n`,
  cgroup: (_run, { task }) => `0::${task.group.isRoot ? '/' : `/${task.group.name}`}\n`,
  comm: (_run, { name }) => `${name.slice(0, 15)}\n`,
  cmdline: (run, process) => `${commandLine(run, process).replaceAll(' ', '\0')}\0`,
};

/** The arguments of a script's process: those of the one that it was forked from. */
export function commandLine(run: MachineRun, { task }: ScriptProcess): string {
  if (task.pid === 1) return '/init';
  let first = task;
  while (first.parent) first = first.parent;
  const slot = run.processes.findIndex((process) => process.name === first.name);
  return `worker ${Math.max(0, slot)} ${first.name}`;
}
