import { UserError } from '../sim/contract/assert.ts';
import { lookup } from '../sim/contract/lookup.ts';
import { suggestion } from '../sim/contract/suggestion.ts';
import { MODELS } from './index.ts';
import type { AllocatorModel, OptionDescriptor, OptionValue } from './model.ts';

/** An allocator with everything resolved: `name[@version][:option=value,…][+below]`. */
export interface AllocatorSpec {
  readonly model: AllocatorModel;
  readonly version: string;
  /** Every option of the model, defaults filled in. */
  readonly options: Readonly<Record<string, OptionValue>>;
  /** The options that were given, as they were given. */
  readonly given: Readonly<Record<string, OptionValue>>;
  readonly below: AllocatorSpec | undefined;
}

/** Parses a name as in `--allocator`; `cpus` resolves defaults that depend on the machine. */
export function parseAllocator(text: string, cpus: number): AllocatorSpec {
  const plus = text.indexOf('+');
  const own = plus < 0 ? text : text.slice(0, plus);
  const colon = own.indexOf(':');
  const [name = '', version] = (colon < 0 ? own : own.slice(0, colon)).split('@');
  const model = MODELS.find((m) => m.name === name);
  if (!model) {
    throw unknownAllocator(name);
  }
  const resolved = version ?? model.versions[0]!;
  if (!model.versions.includes(resolved)) {
    throw new UserError(`${name} has no version '${resolved}', expected one of ${model.versions.join(', ')}`);
  }
  const given = colon < 0 ? {} : parseOptions(model, own.slice(colon + 1));
  const options: Record<string, OptionValue> = {};
  for (const o of model.options) {
    options[o.name] =
      given[o.name] ?? (typeof o.default === 'function' ? o.default({ version: resolved, cpus }) : o.default);
  }
  if (plus >= 0 && !model.layered)
    throw new UserError(`${name} does not sit above another allocator, found '${text.slice(plus)}'`);
  const below = model.layered ? parseAllocator(plus < 0 ? 'glibc' : text.slice(plus + 1), cpus) : undefined;
  if (below?.model.layered) {
    throw new UserError(`${name} sits above a system allocator, found '${below.model.name}' below it`);
  }
  return { model, version: resolved, options, given, below };
}

/** Other names of what is modelled. */
const ALIASES: Readonly<Record<string, string>> = {
  ptmalloc: 'glibc',
  ptmalloc2: 'glibc',
  libc: 'glibc',
  malloc: 'glibc',
  php: 'zendmm',
  zend: 'zendmm',
};

/** Allocators that people know and that are not modelled: none of the others is meant. */
const NOT_MODELLED: readonly string[] = [
  'tcmalloc',
  'gperftools',
  'mimalloc',
  'snmalloc',
  'rpmalloc',
  'hoard',
  'scudo',
  'musl',
  'mallocng',
  'dlmalloc',
  'supermalloc',
  'lockless',
  'uclibc',
  'bionic',
];

/** Whether an allocator is called so, modelled or not. */
export function isAllocatorName(name: string): boolean {
  return MODELS.some((m) => m.name === name) || NOT_MODELLED.includes(name);
}

function unknownAllocator(name: string): UserError {
  const known = MODELS.map((m) => m.name);
  const lower = name.toLowerCase();
  if (NOT_MODELLED.includes(lower))
    return new UserError(`'${name}' is not modelled, expected one of ${known.join(', ')}`);
  const alias = lookup(ALIASES, lower) ?? known.find((k) => k === lower);
  return new UserError(`unknown allocator '${name}'${alias ? `, did you mean '${alias}'?` : suggestion(name, known)}`);
}

function parseOptions(model: AllocatorModel, text: string): Record<string, OptionValue> {
  const values: Record<string, OptionValue> = {};
  for (const part of text.split(',')) {
    const equals = part.indexOf('=');
    const name = equals < 0 ? part : part.slice(0, equals);
    const option = model.options.find((o) => o.name === name);
    if (!option) {
      throw new UserError(
        `unknown option '${name}' of ${model.name}${suggestion(
          name,
          model.options.map((o) => o.name),
        )}`,
      );
    }
    if (equals < 0) throw new UserError(`option '${name}' of ${model.name} has no value, expected ${name}=VALUE`);
    if (Object.hasOwn(values, name)) throw new UserError(`option '${name}' of ${model.name} is given twice`);
    values[name] = parseValue(model.name, option, part.slice(equals + 1));
  }
  return values;
}

function parseValue(model: string, option: OptionDescriptor, text: string): OptionValue {
  const fail = (expected: string): never => {
    throw new UserError(`option '${option.name}' of ${model}: found '${text}', expected ${expected}`);
  };
  switch (option.kind) {
    case 'boolean':
      if (text === 'true' || text === '1') return true;
      if (text === 'false' || text === '0') return false;
      return fail('true or false');
    case 'choice':
      return option.choices!.includes(text) ? text : fail(`one of ${option.choices!.join(', ')}`);
    case 'string':
      return text;
    default: {
      const value = parseNumber(text, option.kind === 'bytes');
      const { min = 0, max = Number.MAX_SAFE_INTEGER } = option;
      if (value === undefined || value < min || value > max) return fail(`a number from ${min} to ${max}`);
      return value;
    }
  }
}

/** A decimal or 0x integer; where bytes are meant, K, M and G multiply by powers of 1024 as in php.ini. */
export function parseNumber(text: string, suffixes: boolean): number | undefined {
  const match = /^(-?\d+|0x[0-9a-f]+)([KMG]?)$/i.exec(text);
  if (!match || (match[2] && !suffixes)) return undefined;
  const value = Number(match[1]) * 1024 ** ' KMG'.indexOf(match[2]!.toUpperCase() || ' ');
  return Number.isSafeInteger(value) ? value : undefined;
}

/** The shortest text that parses to this spec again: defaults left out, the version written down. */
export function formatAllocator(spec: AllocatorSpec): string {
  const options = Object.entries(spec.given).map(([name, value]) => `${name}=${value}`);
  const own = `${spec.model.name}@${spec.version}${options.length > 0 ? `:${options.join(',')}` : ''}`;
  return spec.below ? `${own}+${formatAllocator(spec.below)}` : own;
}
