import { UserError } from '../contract/assert.ts';
import { lookup } from '../contract/lookup.ts';
import { suggestion } from '../contract/suggestion.ts';

/** Entries and ways of one translation cache; `ways` equal to `entries` is fully associative, 0 entries is none. */
export interface TlbGeometry {
  readonly entries: number;
  readonly ways: number;
}

/** A data TLB of two levels, and what is assumed of the program. */
export interface TlbSettings {
  /** As it may be given again. */
  readonly name: string;
  readonly l1: TlbGeometry;
  /** For pages of 2 MiB where they have entries of their own; otherwise they share those of `l1`. */
  readonly l1Huge: TlbGeometry;
  /** Of both sizes of page. */
  readonly l2: TlbGeometry;
  /** Page directory entries that the walker keeps, each for 2 MiB; upper levels it is assumed to know. */
  readonly walkCache: number;
  /** Cycles of a hit in the second level, and of one reference of a page walk; 0 for not known, then no cost is told. */
  readonly l2Cycles: number;
  readonly refCycles: number;
  /** What `perf stat` counts as dTLB-loads on this processor: all accesses, or those that missed the first level. */
  readonly loadsAre: 'accesses' | 'l1-misses';
  /** How often a block is read from end to end before it is freed. */
  readonly reads: number;
  /** Bytes of one access. */
  readonly step: number;
}

/**
 * Zen 3: Software Optimization Guide for AMD Family 19h, "Translation Lookaside Buffers". Ice Lake (Sunny Cove): Intel 64 and IA-32
 * Architectures Optimization Reference Manual. `loadsAre` as in the kernel's tables of events (arch/x86/events/amd/core.c:
 * 0xff45, 0xf045; intel/core.c: all retired loads, completed walks). Cycles differ between processors of a kind, so no preset has them. `walkCache` and the ways
 * of the second levels are assumptions: CPUID (0x80000006, leaf 0x18) has those of a processor at hand.
 */
export const TLB_PRESETS: Readonly<Record<string, TlbSettings>> = {
  zen3: {
    name: 'zen3',
    l1: { entries: 64, ways: 64 },
    l1Huge: { entries: 0, ways: 0 },
    l2: { entries: 2048, ways: 16 },
    walkCache: 64,
    l2Cycles: 0,
    refCycles: 0,
    loadsAre: 'l1-misses',
    reads: 1,
    step: 8,
  },
  icelake: {
    name: 'icelake',
    l1: { entries: 64, ways: 4 },
    l1Huge: { entries: 32, ways: 4 },
    l2: { entries: 2048, ways: 16 },
    walkCache: 32,
    l2Cycles: 0,
    refCycles: 0,
    loadsAre: 'accesses',
    reads: 1,
    step: 8,
  },
};

const NUMBERS = {
  l1: 'l1',
  l1ways: 'l1',
  l1huge: 'l1Huge',
  l1hugeways: 'l1Huge',
  l2: 'l2',
  l2ways: 'l2',
  walkcache: 'walkCache',
  l2cycles: 'l2Cycles',
  refcycles: 'refCycles',
  reads: 'reads',
  step: 'step',
} as const;
type Key = keyof typeof NUMBERS;

/** `zen3`, or with options: `icelake:reads=4,l2=1024`. @throws UserError. */
export function parseTlb(text: string): TlbSettings {
  const [name = '', options = ''] = text.split(/:(.*)/s);
  const preset = lookup(TLB_PRESETS, name);
  if (!preset) {
    const names = Object.keys(TLB_PRESETS);
    throw new UserError(`--tlb: found '${name}', expected ${names.join(' or ')}${suggestion(name, names)}`);
  }
  let settings: TlbSettings = { ...preset, name: text };
  for (const option of options === '' ? [] : options.split(',')) {
    const [key = '', value = ''] = option.split('=');
    const number = Number(value);
    if (key === 'loads' && (value === 'accesses' || value === 'l1-misses')) {
      settings = { ...settings, loadsAre: value };
      continue;
    }
    if (!Object.hasOwn(NUMBERS, key)) {
      const keys = [...Object.keys(NUMBERS), 'loads'];
      throw new UserError(
        `--tlb: found '${option}', expected KEY=NUMBER of ${keys.join(', ')}${suggestion(key, keys)}`,
      );
    }
    const least = key === 'step' ? 1 : 0;
    if (value === '' || !Number.isInteger(number) || number < least || number > 2 ** 20)
      throw new UserError(`--tlb: ${key}: found '${value}', expected a whole number from ${least} to 1048576`);
    settings = withNumber(settings, key as Key, number);
  }
  for (const [key, { entries, ways }] of Object.entries({
    l1: settings.l1,
    l1huge: settings.l1Huge,
    l2: settings.l2,
  })) {
    if (entries > 0 && (ways < 1 || entries % ways !== 0 || ((entries / ways) & (entries / ways - 1)) !== 0))
      throw new UserError(
        `--tlb: ${key}: found ${entries} entries in ${ways} ways, expected a power of two of sets (${key}ways)`,
      );
  }
  if (settings.l1.entries === 0) throw new UserError('--tlb: l1: found 0, expected at least one entry');
  return settings;
}

function withNumber(settings: TlbSettings, key: Key, number: number): TlbSettings {
  const field = NUMBERS[key];
  if (field !== 'l1' && field !== 'l1Huge' && field !== 'l2') return { ...settings, [field]: number };
  const before = settings[field];
  if (key.endsWith('ways')) return { ...settings, [field]: { ...before, ways: number } };
  // As many sets as before, or fully associative as before.
  const ways = before.ways === before.entries ? number : before.ways;
  return { ...settings, [field]: { entries: number, ways } };
}
