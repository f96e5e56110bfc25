import type { OptionValue } from '../../../allocators/model.ts';
import type { AllocatorSpec } from '../../../allocators/spec.ts';
import type { Setting } from './setting.ts';

/** A setting in the forms in which it is deployed. Options that the run was given stay in it: a variable replaces the old one whole. */
export interface Pasted {
  /** For a shell, in front of the command. */
  readonly shell: string;
  /** The line of a drop-in's [Service] section. */
  readonly systemd: string;
  readonly dockerfile: string;
}

/** null where it is no setting of the environment: a version, the system's huge pages, an option that has no name there. */
export function paste(spec: AllocatorSpec, setting: Setting): Pasted | null {
  const layer = layerOf(spec, setting.allocator);
  if (!layer || setting.version !== undefined || setting.thp !== undefined) return null;
  const variable = environmentOf(layer, { ...layer.given, ...setting.options });
  if (!variable) return null;
  const [name, value] = variable;
  return {
    shell: `${name}=${value}`,
    systemd: `Environment=${name}=${value}`,
    dockerfile: `ENV ${name}=${value}`,
  };
}

function layerOf(spec: AllocatorSpec, name: string): AllocatorSpec | undefined {
  if (spec.model.name === name) return spec;
  return spec.below && layerOf(spec.below, name);
}

function environmentOf(
  { model }: AllocatorSpec,
  options: Readonly<Record<string, OptionValue>>,
): readonly [string, string] | undefined {
  const entries = Object.entries(options);
  switch (model.name) {
    case 'glibc':
      return ['GLIBC_TUNABLES', entries.map(([name, value]) => `glibc.malloc.${name}=${value}`).join(':')];
    case 'jemalloc': {
      // What the model needs to know of the machine is no option of the real one.
      const real = entries.filter(([name]) => name !== 'system_thp');
      return ['MALLOC_CONF', real.map(([name, value]) => `${name}:${value}`).join(',')];
    }
    default:
      return undefined;
  }
}
