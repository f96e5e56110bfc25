import { UserError } from '../../sim/contract/assert.ts';
import { lookup } from '../../sim/contract/lookup.ts';
import { suggestion } from '../../sim/contract/suggestion.ts';
import { type MachineRun, REGION_STRIDE, REGIONS_START, type ScriptProcess } from '../script/machine-run.ts';
import { parameterText } from '../script/parameters.ts';
import { dfText, duText, type FileOnPath, mapFilesText, mappingByRange, statText } from './coreutils.ts';
import { cadvisorFamilies } from './metrics/cadvisor.ts';
import { openMetricsText, prometheusText } from './metrics/exposition.ts';
import { nodeExporterFamilies } from './metrics/node-exporter.ts';
import { lruGenFile } from './proc/lru-gen.ts';
import { GROUP_FILES, MACHINE_FILES, TREE_FILES } from './proc/machine-files.ts';
import { commandLine, PROCESS_FILES } from './proc/process-files.ts';
import { freeText } from './procps/free.ts';
import { pmapText } from './procps/pmap.ts';
import { psText } from './procps/ps.ts';
import { vmstatToolText } from './procps/vmstat.ts';

type Tool = (run: MachineRun, words: readonly string[]) => string;

const CGROUP_ROOT = '/sys/fs/cgroup/';

/** The commands that a view may be, as they are typed on a machine; a process's name stands for its number. */
const TOOLS: Readonly<Record<string, Tool>> = {
  cat: (run, words) => words.map((path) => fileText(run, path)).join(''),
  df: dfText,
  du: (run, words) => duText(words, (path) => fileOnPath(run, path)),
  free: (run, words) => freeText(run.k, words),
  ls: (run, words) => {
    const path = words.find((word) => !word.startsWith('-')) ?? '';
    const match = /^\/proc\/([^/]+)\/map_files\/?$/.exec(path);
    if (!match) throw new UserError(`view ls: found '${path}', expected /proc/PROCESS/map_files`);
    return mapFilesText(processOf(run, match[1]!).task);
  },
  pmap: (run, words) => {
    const options = words.filter((word) => word.startsWith('-'));
    const processes = words.filter((word) => !word.startsWith('-'));
    if (processes.length === 0) throw new UserError('view pmap: expected a process, found the end of the command');
    return processes
      .map((name) => processOf(run, name))
      .map((process) => {
        const head = `${process.task.pid}:   ${commandLine(run, process)}`;
        return pmapText(run.k, process.task, head, options);
      })
      .join('');
  },
  ps: psText,
  stat: (run, words) => statText(words, (path) => fileOnPath(run, path)),
  vmstat: vmstatToolText,
  'node-exporter': (run, words) => exposed(run, words, 'node-exporter', nodeExporterFamilies),
  cadvisor: (run, words) => exposed(run, words, 'cadvisor', cadvisorFamilies),
};

function exposed(
  run: MachineRun,
  words: readonly string[],
  name: string,
  families: typeof nodeExporterFamilies,
): string {
  const wrong = words.find((word) => word !== '--openmetrics');
  if (wrong) throw new UserError(`view ${name}: found '${wrong}', expected --openmetrics`);
  return words.length > 0 ? openMetricsText(families(run)) : prometheusText(families(run));
}

/**
 * What a tool prints on the machine as it is now: a command such as `ps aux`, `pmap -XX p1`, `cat /proc/p1/smaps`,
 * `du -BM /proc/p1/map_files/A`, `node-exporter --openmetrics`; or a file by its name, `meminfo`, `smaps p1`, `memory.stat C`.
 * @throws UserError for a command, option, process or file that there is not.
 */
export function renderView(run: MachineRun, view: string): string {
  demandView(view);
  const words = spelledOut(view).split(/\s+/);
  const [name, ...rest] = words as [string, ...string[]];
  const tool = lookup(TOOLS, name);
  if (tool) return tool(run, rest);
  if (name.startsWith('/')) return fileText(run, name);
  if (lookup(MACHINE_FILES, `/proc/${name}`)) return fileText(run, `/proc/${name}`);
  if (lookup(PROCESS_FILES, name)) return fileText(run, `/proc/${rest[0]}/${name}`);
  return fileText(run, `${CGROUP_ROOT}${rest[0]}/${name}`);
}

/** Throws the UserError for a command or file that there is on no machine, so that it can be said before anything runs. */
export function demandView(view: string): void {
  const [name, ...rest] = spelledOut(view).split(/\s+/) as [string, ...string[]];
  if (lookup(TOOLS, name) || name.startsWith('/')) return;
  if (lookup(MACHINE_FILES, `/proc/${name}`) && rest.length === 0) return;
  if (lookup(PROCESS_FILES, name) || lookup(GROUP_FILES, name)) {
    if (rest.length === 1) return;
    throw new UserError(
      `view ${name}: expected one ${lookup(PROCESS_FILES, name) ? 'process' : 'group'}, found '${rest.join(' ')}'`,
    );
  }
  const known = [
    ...Object.keys(TOOLS),
    ...Object.keys(PROCESS_FILES),
    ...Object.keys(GROUP_FILES),
    'meminfo',
    'zoneinfo',
  ];
  throw new UserError(`unknown view '${name}'${suggestion(name, known)}`);
}

function findProcess(run: MachineRun, word: string): ScriptProcess | undefined {
  const alive = run.processes.filter((process) => process.alive);
  const found = alive.find(({ name }) => name === word) ?? alive.find(({ task }) => String(task.pid) === word);
  if (found || word !== '1') return found;
  return { name: 'init', task: run.image.init, cgroup: run.rootGroup, alive: true, busy: undefined };
}

/** `pmap-XX:p1` and `smaps:p1`, which need no quotes in a shell, are `pmap -XX p1` and `smaps p1`. */
function spelledOut(view: string): string {
  const short = /^([a-z_.]+)(-\w+)?:(\S+)$/.exec(view.trim());
  return short ? short.slice(1).filter(Boolean).join(' ') : view.trim();
}

/** A process that is alive, by its name in the script or its number. */
function processOf(run: MachineRun, word: string): ScriptProcess {
  const found = findProcess(run, word);
  if (found) return found;
  const names = run.processes.filter(({ alive }) => alive).map(({ name }) => name);
  throw new UserError(`no process '${word}' is alive here${names.length > 0 ? `; there are ${names.join(', ')}` : ''}`);
}

/** The text of a file of /proc or /sys/fs/cgroup, or undefined where there is none. */
export function fileTextOf(run: MachineRun, path: string): string | undefined {
  const own = lookup(MACHINE_FILES, path);
  if (own) return own(run);
  if (path === '/sys/kernel/debug/lru_gen') return lruGenFile(run.k);
  const ofProcess = /^\/proc\/([^/]+)\/([^/]+)$/.exec(path);
  if (ofProcess) {
    const file = lookup(PROCESS_FILES, ofProcess[2]!);
    const process = file && findProcess(run, ofProcess[1]!);
    return process && file(run, process);
  }
  if (path.startsWith('/proc/sys/')) return parameterText(run, path);
  if (!path.startsWith(CGROUP_ROOT)) return undefined;
  const rest = path.slice(CGROUP_ROOT.length);
  const at = rest.lastIndexOf('/');
  const name = rest.slice(0, Math.max(0, at));
  const tree = lookup(TREE_FILES, rest.slice(at + 1));
  const cgroup = at < 0 ? run.rootGroup : run.cgroups.get(name);
  if (tree) return cgroup && tree(cgroup, run);
  const group = at < 0 ? run.k.root : run.groups.get(name);
  const file = lookup(GROUP_FILES, rest.slice(at + 1));
  return group && file ? file(run, group) : undefined;
}

function fileText(run: MachineRun, path: string): string {
  const ofProcess = /^\/proc\/([^/]+)\/[^/]+$/.exec(path);
  if (ofProcess && !lookup(MACHINE_FILES, path)) processOf(run, ofProcess[1]!);
  const text = fileTextOf(run, path);
  if (text === undefined) throw new UserError(`view: no file '${path}' on the machine`);
  return text;
}

/** What `tools` of a script shows: free, ps, vmstat, and pmap of each process. Each is a process that has a number for a while. */
export function toolTexts(run: MachineRun): { readonly command: string; readonly text: string }[] {
  const alive = run.processes.filter((process) => process.alive);
  const commands = [
    'free -k',
    'free -m',
    'ps -o pid,comm,vsz,rss,pmem,min_flt,maj_flt --ppid 1',
    'vmstat',
    ...alive.map(({ task }) => `pmap -x ${task.pid}`),
  ];
  return commands.map((command) => {
    const text = renderView(run, command);
    run.k.pids.free(run.k.pids.alloc() ?? 0);
    return { command, text };
  });
}

/** A file by its path on the machine, or by a mapping of it: `/proc/p1/map_files/RANGE` or `…/REGION`. */
function fileOnPath(run: MachineRun, path: string): FileOnPath {
  const match = /^\/proc\/([^/]+)\/map_files\/([^/]+)$/.exec(path);
  if (!match) {
    const object = run.files.find(path);
    if (!object) throw new UserError(`view: no file '${path}' on the machine`);
    return { path, object };
  }
  const { task } = processOf(run, match[1]!);
  const slot = run.regions.indexOf(match[2]!);
  const first = (REGIONS_START + slot * REGION_STRIDE) / 4096;
  const vma =
    slot < 0
      ? mappingByRange(task, match[2]!)
      : task.mm.vmas.find(({ start, object }) => object && start >= first && start < first + REGION_STRIDE / 4096);
  if (!vma?.object) throw new UserError(`view: '${match[2]}' is no mapping of a file in '${match[1]}'`);
  const range = `${(vma.start * 4096).toString(16)}-${(vma.end * 4096).toString(16)}`;
  return { path: `/proc/${task.pid}/map_files/${range}`, object: vma.object };
}
