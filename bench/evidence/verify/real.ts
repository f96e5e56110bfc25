import { type AllocatorSpec, formatAllocator } from '../../../allocators/spec.ts';
import { UserError } from '../../../sim/contract/assert.ts';
import { findRealAllocator, type RealAllocator } from '../native/native.ts';

/** How a model's original is run on this machine. */
interface Original {
  readonly preload: string | undefined;
  /** Its package in Debian. */
  readonly package: string;
  /** The options that were given, for its environment. */
  readonly environment: (given: readonly (readonly [name: string, value: string])[]) => Record<string, string>;
}

const ORIGINALS: Readonly<Record<string, Original>> = {
  glibc: {
    preload: undefined,
    package: 'libc6',
    environment: (given): Record<string, string> =>
      given.length === 0
        ? {}
        : { GLIBC_TUNABLES: given.map(([name, value]) => `glibc.malloc.${name}=${value}`).join(':') },
  },
  jemalloc: {
    preload: 'libjemalloc.so.2',
    package: 'libjemalloc2',
    environment: (given): Record<string, string> =>
      given.length === 0 ? {} : { MALLOC_CONF: given.map(([name, value]) => `${name}:${value}`).join(',') },
  },
};
/** Options of a model that say what the machine is like, not what the allocator is told. */
const OF_THE_MACHINE = ['tp_main'];

export interface FoundOriginal {
  readonly real: RealAllocator;
  readonly environment: Readonly<Record<string, string>>;
}

/** The allocator of this machine that `spec` models, or a UserError that says why there is none. */
export function findOriginal(spec: AllocatorSpec): FoundOriginal {
  const name = spec.model.name;
  const original = ORIGINALS[name];
  if (!original) {
    throw new UserError(
      `${formatAllocator(spec)} can not be run here, expected ${Object.keys(ORIGINALS).join(' or ')}`,
    );
  }
  const real = findRealAllocator(original.preload);
  if (!real) {
    throw new UserError(`${original.preload} is not installed (on Debian: apt-get install ${original.package})`);
  }
  if (real.version !== spec.version) {
    throw new UserError(
      `this machine has ${name} ${real.version}, expected ${spec.version} as in ${formatAllocator(spec)}`,
    );
  }
  const given = Object.entries(spec.given)
    .filter(([option]) => !OF_THE_MACHINE.includes(option))
    .map(([option, value]) => [option, `${value}`] as const);
  return { real, environment: original.environment(given) };
}
