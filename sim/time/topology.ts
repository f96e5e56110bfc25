import { UserError } from '../contract/assert.ts';
import type { Ns } from '../contract/units.ts';

/** Where processors lie to each other, and what a line costs that comes from one to another. */
export interface Topology {
  readonly name: string;
  readonly cpus: number;
  /** By processor: its core, its last-level cache, its socket. */
  readonly core: Int32Array;
  readonly llc: Int32Array;
  readonly socket: Int32Array;
  /** How many processors share a last-level cache, of those that there are. */
  readonly llcSize: number;
  /** A line that processor `from` has goes to `to`; 0 where they are the same. */
  transferNs(from: number, to: number): Ns;
}

/** One kind of machine. Lines: one way, the medians that github.com/nviennot/core-to-core-latency publishes. */
interface Preset {
  readonly coresPerLlc: number;
  readonly llcsPerSocket: number;
  readonly sockets: number;
  readonly threadsPerCore: number;
  /** Between hyperthreads of a core (published: 4 to 10 ns), within a last-level cache, a socket, the machine. */
  readonly lineNs: readonly [sibling: Ns, llc: Ns, socket: Ns, machine: Ns];
  readonly about: string;
}

const SIBLING_NS = 7;

export const TOPOLOGIES: Readonly<Record<string, Preset>> = {
  zen3: {
    coresPerLlc: 8,
    llcsPerSocket: 2,
    sockets: 1,
    threadsPerCore: 2,
    lineNs: [SIBLING_NS, 17, 85, 85],
    about: 'Ryzen 5950X: 2 last-level caches of 8 cores',
  },
  milan: {
    coresPerLlc: 8,
    llcsPerSocket: 6,
    sockets: 2,
    threadsPerCore: 2,
    lineNs: [SIBLING_NS, 23, 107, 197],
    about: 'two EPYC 7R13: 6 last-level caches of 8 cores each',
  },
  icelake: {
    coresPerLlc: 32,
    llcsPerSocket: 1,
    sockets: 2,
    threadsPerCore: 2,
    lineNs: [SIBLING_NS, 51, 51, 108],
    about: 'two Xeon 8375C of 32 cores',
  },
  cascadelake: {
    coresPerLlc: 18,
    llcsPerSocket: 1,
    sockets: 2,
    threadsPerCore: 2,
    lineNs: [SIBLING_NS, 47, 47, 134],
    about: 'c5.18xlarge: two Xeon 8275CL, 18 cores of each',
  },
  graviton3: {
    coresPerLlc: 64,
    llcsPerSocket: 1,
    sockets: 1,
    threadsPerCore: 1,
    lineNs: [46, 46, 46, 46],
    about: '64 cores, one cache',
  },
};

/** A machine as `sim calibrate` measured it: of each processor its core, last-level cache and socket, and what a line costs from each to each. */
export interface MeasuredTopology {
  readonly core: readonly number[];
  readonly llc: readonly number[];
  readonly socket: readonly number[];
  /** Nanoseconds, one way. */
  readonly lineNs: readonly (readonly Ns[])[];
}

/** Two processors, or as many as wanted, side by side: a line costs what the price list says (`sim calibrate` measures it). */
export const PAIR = 'pair';
/** The machine of the price list, where `sim calibrate` wrote that. */
export const CALIBRATED = 'calibrated';
export const DEFAULT_TOPOLOGY = 'auto';
export const TOPOLOGY_NAMES = [DEFAULT_TOPOLOGY, PAIR, CALIBRATED, ...Object.keys(TOPOLOGIES)];

/**
 * `auto`: what the price list's machine is, where it has as many processors; else `pair` for up to two, and beyond `milan`, the machine of the default prices.
 * Numbered as Linux does: first a thread of each core, then the second ones. A machine that needs more processors than the preset has gets more sockets.
 */
export function createTopology(name: string, cpus: number, pairNs: Ns, measured?: MeasuredTopology): Topology {
  const isMeasured = measured !== undefined && measured.core.length >= cpus;
  let resolved = name;
  if (name === DEFAULT_TOPOLOGY) resolved = isMeasured ? CALIBRATED : cpus <= 2 ? PAIR : 'milan';
  if (resolved === CALIBRATED) {
    if (isMeasured) return measuredTopology(measured, cpus);
    throw new UserError(
      `--topology calibrated: found ${measured ? `one of ${measured.core.length} processors` : 'none in the price list'}, expected ${cpus} (sim calibrate writes it, --costs FILE reads it)`,
    );
  }
  if (resolved === PAIR) {
    const core = Int32Array.from({ length: cpus }, (_, p) => p);
    const one = () => new Int32Array(cpus);
    const transferNs = (p: number, q: number) => (p === q ? 0 : pairNs);
    return { name: PAIR, cpus, core, llc: one(), socket: one(), llcSize: cpus, transferNs };
  }
  return presetTopology(resolved, cpus);
}

function largestOf(groups: Int32Array): number {
  const sizes = new Int32Array(Math.max(...groups) + 1);
  for (const group of groups) sizes[group]!++;
  return Math.max(...sizes);
}

function measuredTopology({ core, llc, socket, lineNs }: MeasuredTopology, cpus: number): Topology {
  const groups = (of: readonly number[]) => Int32Array.from(of.slice(0, cpus));
  const lines = new Float64Array(cpus * cpus);
  for (let p = 0; p < cpus; p++) for (let q = 0; q < cpus; q++) lines[p * cpus + q] = lineNs[p]![q]!;
  return {
    name: CALIBRATED,
    cpus,
    core: groups(core),
    llc: groups(llc),
    socket: groups(socket),
    llcSize: largestOf(groups(llc)),
    transferNs: (p, q) => lines[p * cpus + q]!,
  };
}

function presetTopology(resolved: string, cpus: number): Topology {
  const core = new Int32Array(cpus);
  const llc = new Int32Array(cpus);
  const socket = new Int32Array(cpus);
  const preset = TOPOLOGIES[resolved];
  if (!preset) throw new UserError(`--topology: found '${resolved}', expected one of ${TOPOLOGY_NAMES.join(', ')}`);
  const { coresPerLlc, llcsPerSocket, sockets, threadsPerCore } = preset;
  const [siblingNs, llcNs, socketNs, machineNs] = preset.lineNs;
  const perSocket = coresPerLlc * llcsPerSocket;
  const cores = Math.max(perSocket * sockets, Math.ceil(cpus / threadsPerCore));
  for (let p = 0; p < cpus; p++) {
    core[p] = p % cores;
    llc[p] = Math.floor(core[p]! / coresPerLlc);
    socket[p] = Math.floor(core[p]! / perSocket);
  }
  return {
    name: resolved,
    cpus,
    core,
    llc,
    socket,
    llcSize: largestOf(llc),
    transferNs(p, q) {
      if (core[p] === core[q]) return p === q ? 0 : siblingNs;
      if (llc[p] === llc[q]) return llcNs;
      return socket[p] === socket[q] ? socketNs : machineNs;
    },
  };
}
