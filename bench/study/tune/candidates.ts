import type { OptionDescriptor, OptionValue } from '../../../allocators/model.ts';

/** Steps from the default, for what is counted or measured in bytes. */
const FACTORS = [1 / 16, 1 / 4, 1 / 2, 2, 4, 16];
/** Where the default is 0, which mostly stands for "no limit" or "off". */
const FROM_ZERO = [1, 2, 4, 8, 16, 64, 4096, 131072, 1048576];

/** Values worth a try for an option, without the one that it has: all of a choice, steps up and down of a number. */
export function candidateValues(
  option: OptionDescriptor,
  context: { readonly version: string; readonly cpus: number },
): OptionValue[] {
  const initial = typeof option.default === 'function' ? option.default(context) : option.default;
  switch (option.kind) {
    case 'boolean':
      return [true, false].filter((v) => v !== initial);
    case 'choice':
      return option.choices!.filter((v) => v !== initial);
    case 'string':
      return [];
    default: {
      const { min = 0, max = Number.MAX_SAFE_INTEGER } = option;
      const from = Number(initial);
      const steps = from > 0 ? FACTORS.map((f) => Math.round(from * f)) : FROM_ZERO;
      // 0 is what many options take for "none".
      const values = [0, ...steps].map((v) => (option.unit === 'log2' && v > 40 ? 40 : v));
      return [...new Set(values)].filter((v) => v >= min && v <= max && v !== from);
    }
  }
}
