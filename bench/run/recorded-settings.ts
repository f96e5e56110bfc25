import { parseAllocator } from '../../allocators/spec.ts';
import { UserError } from '../../sim/contract/assert.ts';

/** What the environment of a recorded program set of one allocator. */
export interface RecordedSettings {
  /** As in --allocator: `name=value`. */
  readonly options: readonly string[];
  /** What it set besides, which the model does not have or the allocator refuses: `prof:true`. */
  readonly ignored: readonly string[];
}

type Environment = readonly (readonly [name: string, value: string])[];

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
    '=',
    [...values].map(([name, value]) => [name, value, leadingInteger(value)] as const),
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
  const values = new Map<string, string>();
  for (const part of `${before},${new Map(environment).get('MALLOC_CONF') ?? ''}`.split(',')) {
    const colon = part.indexOf(':');
    if (colon > 0) values.set(part.slice(0, colon), part.slice(colon + 1));
  }
  // The default number of arenas has a word of its own, which is no setting.
  const given = [...values].filter(([name, value]) => name !== 'narenas' || value !== 'default');
  return settled(
    'jemalloc',
    ':',
    given.map(([name, value]) => [name, value, value] as const),
  );
}

/** USE_ZEND_ALLOC_HUGE_PAGES (start_memory_manager()). */
export function zendSettings(environment: Environment): RecordedSettings {
  const value = new Map(environment).get('USE_ZEND_ALLOC_HUGE_PAGES');
  if (value === undefined) return { options: [], ignored: [] };
  return { options: [`USE_ZEND_ALLOC_HUGE_PAGES=${Number.parseInt(value, 10) > 0}`], ignored: [] };
}

function settled(
  model: string,
  separator: string,
  given: readonly (readonly [name: string, written: string, value: string])[],
): RecordedSettings {
  const options: string[] = [];
  const ignored: string[] = [];
  for (const [name, written, value] of given) {
    const option = `${name}=${value}`;
    if (isOption(`${model}:${option}`)) options.push(option);
    else ignored.push(`${name}${separator}${written}`);
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
