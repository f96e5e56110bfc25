import type { OptionValues } from '../../allocators/model.ts';
import type { AllocatorSpec } from '../../allocators/spec.ts';

/** A setting as it is written where the program is started. */
export interface Paste {
  /** Where it goes: `shell`, `systemd`, `Dockerfile`. */
  readonly place: string;
  readonly text: string;
}

/**
 * The settings that were given, ready to paste; nothing where none can be set from outside. What the real allocator reads:
 * GLIBC_TUNABLES (tunables manual of glibc), MALLOC_CONF (jemalloc(3)), USE_ZEND_ALLOC_HUGE_PAGES (Zend/zend_alloc.c).
 */
export function pasteOf(spec: AllocatorSpec): Paste[] {
  const variables = variablesOf(spec);
  if (variables.length === 0) return [];
  return [
    { place: 'shell', text: `export ${variables.map(([name, value]) => `${name}=${value}`).join(' ')}` },
    {
      place: 'systemd',
      text: ['[Service]', ...variables.map(([name, value]) => `Environment=${name}=${value}`)].join('\n'),
    },
    { place: 'Dockerfile', text: variables.map(([name, value]) => `ENV ${name}=${value}`).join('\n') },
  ];
}

/** Environment variables of the program, for the layer and those below it. */
function variablesOf(spec: AllocatorSpec): Variable[] {
  return [...variablesOfLayer(spec.model.name, spec.given), ...(spec.below ? variablesOf(spec.below) : [])];
}

/** Name and value. */
export type Variable = readonly [name: string, value: string];

const ZEND_VARIABLES: ReadonlyMap<string, string> = new Map([
  ['USE_ZEND_ALLOC', 'USE_ZEND_ALLOC'],
  ['USE_ZEND_ALLOC_HUGE_PAGES', 'USE_ZEND_ALLOC_HUGE_PAGES'],
  ['mem_type', 'ZEND_MM_MEM_TYPE'],
  ['seg_size', 'ZEND_MM_SEG_SIZE'],
]);

/** The variables that set options of one allocator, by model; those that no variable sets are left out. */
export function variablesOfLayer(model: string, options: OptionValues): Variable[] {
  const given = Object.entries(options);
  switch (model) {
    case 'glibc':
      if (given.length === 0) return [];
      return [['GLIBC_TUNABLES', given.map(([name, value]) => `glibc.malloc.${name}=${value}`).join(':')]];
    case 'jemalloc': {
      // The real one takes no number of arenas for its default.
      const real = given.filter(([name, value]) => !NOT_MALLOC_CONF.has(name) && !(name === 'narenas' && value === 0));
      if (real.length === 0) return [];
      return [['MALLOC_CONF', real.map(([name, value]) => `${name}:${value}`).join(',')]];
    }
    default:
      return given.flatMap(([name, value]): Variable[] => {
        const variable = ZEND_VARIABLES.get(name);
        return variable ? [[variable, `${value === true ? 1 : value === false ? 0 : value}`]] : [];
      });
  }
}

/** Options of the model that say where and how the process was measured. */
const NOT_MALLOC_CONF: ReadonlySet<string> = new Set([
  'tp_main',
  'tp_first',
  'tp_step',
  'mmap_shift',
  'system_thp',
  'mallctl',
]);
