import { JEMALLOC_OPTIONS } from '../../allocators/jemalloc/options.ts';
import { parseAllocator } from '../../allocators/spec.ts';
import { UserError } from '../../sim/contract/assert.ts';

/** What the environment of a recorded program set of one allocator. */
export interface RecordedSettings {
  /** As in --allocator: `name=value`. */
  readonly options: readonly string[];
  /** What it set besides, which the model does not have or the allocator refuses: `prof:true`. */
  readonly ignored: readonly string[];
}

export type Environment = readonly (readonly [name: string, value: string])[];

/** The variables that stand for tunables (glibc 2.36, elf/dl-tunables.list). */
const ALIASES: Readonly<Record<string, string>> = {
  MALLOC_CHECK_: 'check',
  MALLOC_TOP_PAD_: 'top_pad',
  MALLOC_PERTURB_: 'perturb',
  MALLOC_MMAP_MAX_: 'mmap_max',
  MALLOC_MMAP_THRESHOLD_: 'mmap_threshold',
  MALLOC_TRIM_THRESHOLD_: 'trim_threshold',
  MALLOC_ARENA_MAX: 'arena_max',
  MALLOC_ARENA_TEST: 'arena_test',
};

/** GLIBC_TUNABLES, which goes before the older variables wherever it stands, as __tunables_init() reads them. */
export function glibcSettings(environment: Environment): RecordedSettings {
  const values = new Map<string, string>();
  for (const [variable, value] of environment) {
    const name = ALIASES[variable];
    if (name !== undefined) values.set(name, value);
  }
  const tunables = new Map(environment).get('GLIBC_TUNABLES') ?? '';
  for (const part of tunables.split(':')) {
    const match = /^glibc\.malloc\.(\w+)=(.*)$/s.exec(part);
    if (match) values.set(match[1]!, match[2]!);
  }
  return settled(
    'glibc',
    [...values].map(([name, value]) => [name, `${name}=${value}`, leadingInteger(value)] as const),
  );
}

/** What _dl_strtoul() makes of it: hexadecimal behind 0x, octal behind 0, and 0 where there is no digit. */
function leadingInteger(text: string): string {
  const [, sign = '', digits = '0'] = /^[ \t]*([-+]?)(0x[0-9a-f]+|\d+)/i.exec(text) ?? [];
  const octal = /^0[0-7]+/.exec(digits);
  return `${sign === '-' ? '-' : ''}${octal ? Number.parseInt(octal[0], 8) : Number(digits)}`;
}

/**
 * `name:value,…` of what it was built with, the program's variable malloc_conf, /etc/malloc.conf and, behind these, MALLOC_CONF; the last of a name counts
 * (malloc_conf_init()).
 */
export function jemallocSettings(environment: Environment, before = ''): RecordedSettings {
  const values = new Map<string, { readonly written: string; readonly value: string }>();
  for (const part of `${before},${new Map(environment).get('MALLOC_CONF') ?? ''}`.split(',')) {
    const colon = part.indexOf(':');
    if (colon <= 0) continue;
    const [written, value] = [part.slice(0, colon), part.slice(colon + 1)];
    const name = confName(written);
    values.set(name, { written: part, value: clipped(name, name === written ? value : powerOfTwo(value)) });
  }
  // The default number of arenas has a word of its own, which is no setting.
  const given = [...values].filter(([name, { value }]) => name !== 'narenas' || value !== 'default');
  return settled(
    'jemalloc',
    given.map(([name, { written, value }]) => [name, written, value] as const),
  );
}

/** The option that a name of MALLOC_CONF sets: `lg_tcache_max` is an older one of `tcache_max`, by its logarithm. */
export const confName = (name: string): string => (name === 'lg_tcache_max' ? 'tcache_max' : name);

const powerOfTwo = (text: string): string => (/^\d+$/.test(text) ? String(2 ** Number(text)) : text);

/** What malloc_conf_init() clips to its bounds; others it refuses beyond them. */
const CLIPPED =
  /^(tcache_max|tcache_nslots_(small_min|small_max|large)|tcache_gc_incr_bytes|lg_tcache_flush_(small|large)_div)$/;

function clipped(name: string, text: string): string {
  if (!CLIPPED.test(name) || !/^\d+$/.test(text)) return text;
  const { min = 0, max = Number.POSITIVE_INFINITY } = JEMALLOC_OPTIONS.find((o) => o.name === name)!;
  return String(Math.min(max, Math.max(min, Number(text))));
}

/** USE_ZEND_ALLOC_HUGE_PAGES (start_memory_manager()). */
export function zendSettings(environment: Environment): RecordedSettings {
  const value = new Map(environment).get('USE_ZEND_ALLOC_HUGE_PAGES');
  if (value === undefined) return { options: [], ignored: [] };
  return { options: [`USE_ZEND_ALLOC_HUGE_PAGES=${Number.parseInt(value, 10) > 0}`], ignored: [] };
}

function settled(
  model: string,
  given: readonly (readonly [name: string, written: string, value: string])[],
): RecordedSettings {
  const options: string[] = [];
  const ignored: string[] = [];
  for (const [name, written, value] of given) {
    const option = `${name}=${value}`;
    if (isOption(`${model}:${option}`)) options.push(option);
    else ignored.push(written);
  }
  return { options, ignored };
}

function isOption(allocator: string): boolean {
  try {
    parseAllocator(allocator, 1);
    return true;
  } catch (error) {
    if (error instanceof UserError) return false;
    throw error;
  }
}
