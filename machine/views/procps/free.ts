import { lookup } from '../../../sim/contract/lookup.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import { meminfo } from '../../kernel/meminfo.ts';
import { wrongOption } from '../wrong-option.ts';

interface FreeOptions {
  unitBytes: number;
  human: boolean;
  si: boolean;
  wide: boolean;
  total: boolean;
  committed: boolean;
}

const UNITS: Readonly<Record<string, readonly [size: number, power: number]>> = {
  b: [1, 0],
  k: [1024, 1],
  m: [1024, 2],
  g: [1024, 3],
  kibi: [1024, 1],
  mebi: [1024, 2],
  gibi: [1024, 3],
  tebi: [1024, 4],
  bytes: [1, 0],
  kilo: [1000, 1],
  mega: [1000, 2],
  giga: [1000, 3],
  tera: [1000, 4],
};

function optionsOf(words: readonly string[]): FreeOptions {
  const options: FreeOptions = {
    unitBytes: 1024,
    human: false,
    si: false,
    wide: false,
    total: false,
    committed: false,
  };
  const apply = (name: string, word: string) => {
    const unit = lookup(UNITS, name);
    if (unit) options.unitBytes = unit[0] ** unit[1];
    else if (name === 'h' || name === 'human') options.human = true;
    else if (name === 'si') options.si = true;
    else if (name === 'w' || name === 'wide') options.wide = true;
    else if (name === 't' || name === 'total') options.total = true;
    else if (name === 'v' || name === 'committed') options.committed = true;
    else throw wrongOption('free', word, '-b, -k, -m, -g, -h, --si, -w, -t or -v');
  };
  for (const word of words) {
    if (word.startsWith('--')) apply(word.slice(2), word);
    else if (/^-\w+$/.test(word)) for (const letter of word.slice(1)) apply(letter, word);
    else apply('', word);
  }
  if (options.si && !options.human && options.unitBytes > 1) {
    options.unitBytes = 1000 ** Math.round(Math.log2(options.unitBytes) / 10);
  }
  return options;
}

/** Four characters with their unit, one decimal where it fits: 453Mi, 9.4Gi; with --si 475M. */
function humanSize(kb: number, si: boolean): string {
  const base = si ? 1000 : 1024;
  const suffix = si ? '' : 'i';
  if (`${kb * 1024}B`.length <= 4) return `${kb * 1024}B`;
  const units = ['K', 'M', 'G', 'T', 'P'];
  for (let i = 0; i < units.length; i++) {
    const scaled = si ? (kb * 1024) / 1000 ** (i + 1) : kb / base ** i;
    const short = `${scaled.toFixed(1)}${units[i]}${suffix}`;
    if (short.length <= 4 + suffix.length) return short;
    const whole = `${Math.trunc(scaled)}${units[i]}${suffix}`;
    if (whole.length <= 4 + suffix.length) return whole;
  }
  return `${kb}K`;
}

/** As free of procps 4 prints it: used is what is not available. */
export function freeText(k: Kernel, words: readonly string[]): string {
  const options = optionsOf(words);
  const info = meminfo(k);
  const kb = (name: string) => info[name] ?? 0;
  const scale = (value: number) =>
    options.human ? humanSize(value, options.si) : String(Math.floor((value * 1024) / options.unitBytes));
  const row = (name: string, values: readonly number[]) =>
    `${name.padEnd(9)}${scale(values[0]!).padStart(11)}${values
      .slice(1)
      .map((value) => ` ${scale(value).padStart(11)}`)
      .join('')}\n`;
  const cache = kb('Cached') + kb('SReclaimable');
  const caches = options.wide ? [kb('Buffers'), cache] : [kb('Buffers') + cache];
  const used = kb('MemTotal') - kb('MemAvailable');
  const swapUsed = kb('SwapTotal') - kb('SwapFree');
  const heads = [
    'total',
    'used',
    'free',
    'shared',
    ...(options.wide ? ['buffers', 'cache'] : ['buff/cache']),
    'available',
  ];
  return [
    `         ${heads.map((head) => head.padStart(11)).join(' ')}\n`,
    row('Mem:', [kb('MemTotal'), used, kb('MemFree'), kb('Shmem'), ...caches, kb('MemAvailable')]),
    row('Swap:', [kb('SwapTotal'), swapUsed, kb('SwapFree')]),
    options.total
      ? row('Total:', [kb('MemTotal') + kb('SwapTotal'), used + swapUsed, kb('MemFree') + kb('SwapFree')])
      : '',
    options.committed
      ? row('Comm:', [kb('CommitLimit'), kb('Committed_AS'), kb('CommitLimit') - kb('Committed_AS')])
      : '',
  ].join('');
}
