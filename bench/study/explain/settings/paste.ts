import type { AllocatorSpec } from '../../../../allocators/spec.ts';
import type { Environment } from '../../../run/recorded-settings.ts';
import { besideOthers, variablesOfLayer } from '../../paste.ts';
import type { Setting } from './setting.ts';

/** A setting in the forms in which it is deployed. Options that the run was given, and what the program set of other things, stay in it: a variable replaces the old one whole. */
export interface Pasted {
  /** For a shell, in front of the command. */
  readonly shell: string;
  /** The line of a drop-in's [Service] section. */
  readonly systemd: string;
  readonly dockerfile: string;
}

/** null where it is no setting of the environment: a version, the system's huge pages, an option that has no name there. */
export function paste(spec: AllocatorSpec, setting: Setting, environment: Environment): Pasted | null {
  const layer = layerOf(spec, setting.allocator);
  if (!layer || setting.version !== undefined || setting.thp !== undefined) return null;
  const options = { ...layer.given, ...setting.options };
  const variables = besideOthers(variablesOfLayer(layer.model.name, options), environment);
  if (variables.length === 0) return null;
  const set = variables.map(([name, value]) => `${name}=${value}`);
  return {
    shell: set.join(' '),
    systemd: set.map((text) => `Environment=${text}`).join('\n'),
    dockerfile: set.map((text) => `ENV ${text}`).join('\n'),
  };
}

function layerOf(spec: AllocatorSpec, name: string): AllocatorSpec | undefined {
  if (spec.model.name === name) return spec;
  return spec.below && layerOf(spec.below, name);
}
