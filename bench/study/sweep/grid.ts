import type { AllocatorSpec } from '../../../allocators/spec.ts';
import { formatAllocator, parseAllocator } from '../../../allocators/spec.ts';
import { UserError } from '../../../sim/contract/assert.ts';

/** One dimension of a grid: an option of the allocator and the values that it takes. */
export interface GridAxis {
  readonly option: string;
  readonly values: readonly string[];
}

/** `arena_max=1,2,4` */
export function parseGridAxis(text: string): GridAxis {
  const equals = text.indexOf('=');
  const values = text
    .slice(equals + 1)
    .split(',')
    .filter((v) => v !== '');
  if (equals < 1 || values.length === 0) {
    throw new UserError(`--grid: found '${text}', expected option=value,value,…`);
  }
  return { option: text.slice(0, equals), values };
}

/** Every `--grid`; each option has one axis. */
export function parseGrid(texts: readonly string[]): GridAxis[] {
  const axes = texts.map(parseGridAxis);
  const twice = axes.find(({ option }, i) => axes.findIndex((axis) => axis.option === option) < i);
  if (twice) throw new UserError(`--grid: found ${twice.option} twice, expected its values in one list`);
  return axes;
}

/** Every combination of the axes' values, the last axis fastest; one empty combination where there is no axis. */
export function combinations(axes: readonly GridAxis[]): Record<string, string>[] {
  return axes.reduce<Record<string, string>[]>(
    (all, axis) => all.flatMap((point) => axis.values.map((value) => ({ ...point, [axis.option]: value }))),
    [{}],
  );
}

/** `allocator` with the options of a point, each in the layer that has it. */
export function allocatorAt(allocator: string, point: Readonly<Record<string, string>>, cpus: number): string {
  const layers = allocator.split('+');
  const specs: AllocatorSpec[] = [];
  for (let s: AllocatorSpec | undefined = parseAllocator(allocator, cpus); s; s = s.below) specs.push(s);
  // A layer that the name leaves out is written down, so that its options have a place.
  while (layers.length < specs.length) layers.push(specs[layers.length]!.model.name);
  for (const [option, value] of Object.entries(point)) {
    const layer = Math.max(
      0,
      specs.findIndex((s) => s.model.options.some((o) => o.name === option)),
    );
    layers[layer] = withOption(layers[layer]!, option, value);
  }
  return formatAllocator(parseAllocator(layers.join('+'), cpus));
}

function withOption(layer: string, option: string, value: string): string {
  const colon = layer.indexOf(':');
  if (colon < 0) return `${layer}:${option}=${value}`;
  const given = layer
    .slice(colon + 1)
    .split(',')
    .filter((part) => part.split('=', 1)[0] !== option);
  return `${layer.slice(0, colon)}:${[...given, `${option}=${value}`].join(',')}`;
}
