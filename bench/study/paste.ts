import type { OptionValues } from '../../allocators/model.ts';
import type { AllocatorSpec } from '../../allocators/spec.ts';
import { confName, type Environment } from '../run/recorded-settings.ts';

/** A setting as it is written where the program is started. */
export interface Paste {
  /** Where it goes: `shell`, `systemd`, `Dockerfile`. */
  readonly place: string;
  readonly text: string;
}

/**
 * The settings that were given, ready to paste; nothing where none can be set from outside. What the real allocator reads:
 * GLIBC_TUNABLES (tunables manual of glibc), MALLOC_CONF (jemalloc(3)), USE_ZEND_ALLOC_HUGE_PAGES (Zend/zend_alloc.c).
 * `environment`: the program's own.
 */
export function pasteOf(spec: AllocatorSpec, environment: Environment = []): Paste[] {
  const variables = besideOthers(variablesOf(spec), environment);
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

/** What lies between settings of a variable, and what behind a name; several names may be one. */
const LISTS: Readonly<
  Record<string, { readonly between: string; readonly behind: string; readonly nameOf: (name: string) => string }>
> = {
  GLIBC_TUNABLES: { between: ':', behind: '=', nameOf: (name) => name },
  MALLOC_CONF: { between: ',', behind: ':', nameOf: confName },
};

/** A variable replaces the old one whole: what the program set in it of other things, known to the models or not, stays. */
export function besideOthers(variables: readonly Variable[], environment: Environment): Variable[] {
  const had = new Map(environment);
  return variables.map(([variable, value]) => {
    const list = LISTS[variable];
    const before = had.get(variable);
    if (!list || before === undefined) return [variable, value];
    const nameIn = (part: string) => list.nameOf(part.split(list.behind, 1)[0]!);
    const set = new Set(value.split(list.between).map(nameIn));
    const others = before.split(list.between).filter((part) => part.includes(list.behind) && !set.has(nameIn(part)));
    return [variable, [...others, value].join(list.between)];
  });
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
