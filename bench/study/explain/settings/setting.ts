import type { OptionValue } from '../../../../allocators/model.ts';
import { type AllocatorSpec, formatAllocator, parseAllocator } from '../../../../allocators/spec.ts';
import type { KernelOptions } from '../../../../sim/kernel/kernel.ts';

/** Something that can be set differently: options of one allocator, its version, or the system's huge pages. */
export interface Setting {
  /** The allocator (by model) whose options or version these are. */
  readonly allocator: string;
  readonly options: Readonly<Record<string, OptionValue>>;
  readonly version?: string;
  readonly thp?: KernelOptions['thp'];
  readonly about: string;
}

export function settingName({ allocator, options, version, thp }: Setting): string {
  const parts = Object.entries(options).map(([name, value]) => `${name}=${value}`);
  if (version) parts.unshift(`${allocator} ${version}`);
  if (thp) parts.push(`thp=${thp} (system)`);
  return parts.join(',');
}

/** What every glibc begins with: mallopt(3). */
const DEFAULT_THRESHOLD = /^(mmap|trim)_threshold=131072$/;

/** Of a setting by its name: whether it sets every option to what it is anyway, until something raises it. */
export const setsDefaults = (name: string): boolean => name.split(',').every((part) => DEFAULT_THRESHOLD.test(part));

/** The options of a setting, by its name. */
export const optionNames = (name: string): string =>
  name
    .split(',')
    .map((part) => part.split('=')[0]!)
    .join(',');

/** Both at once; options in an order of their own, so that two ways to the same setting are one. */
export const combined = (x: Setting, y: Setting): Setting => ({
  ...x,
  ...y,
  options: Object.fromEntries(Object.entries({ ...x.options, ...y.options }).sort(([a], [b]) => (a < b ? -1 : 1))),
  about: `${x.about}; ${y.about}`,
});

/** `spec` under the setting; undefined where an allocator has no such option or version, or is set so already. */
export function applySetting(spec: AllocatorSpec, setting: Setting, cpus: number): AllocatorSpec | undefined {
  if (spec.model.name !== setting.allocator) {
    const below = spec.below && applySetting(spec.below, setting, cpus);
    return below && { ...spec, below };
  }
  const { options, version, thp } = setting;
  const known = Object.keys(options).every((name) => spec.model.options.some((o) => o.name === name));
  const changes = Object.entries(options).some(([name, value]) => spec.given[name] !== value);
  if (!known || (version !== undefined && !spec.model.versions.includes(version))) return undefined;
  if (!changes && !thp && (version === undefined || version === spec.version)) return undefined;
  const text = formatAllocator({
    ...spec,
    version: version ?? spec.version,
    options: { ...spec.options, ...options },
    given: { ...spec.given, ...options },
    below: undefined,
  });
  const changed = parseAllocator(text, cpus);
  return spec.below ? { ...changed, below: spec.below } : changed;
}

/** `spec` with one option set, in the layer whose option it is. */
export function withOption(spec: AllocatorSpec, option: string, value: OptionValue): AllocatorSpec {
  if (!spec.model.options.some((o) => o.name === option) && spec.below) {
    return { ...spec, below: withOption(spec.below, option, value) };
  }
  return {
    ...spec,
    options: { ...spec.options, [option]: value },
    given: { ...spec.given, [option]: value },
  };
}
