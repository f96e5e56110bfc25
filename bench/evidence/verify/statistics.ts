/** A number that the model and the real allocator state differently; undefined where the model does not state it. */
export interface StatisticDifference {
  readonly name: string;
  readonly model: unknown;
  readonly real: unknown;
}

/** `small.nmalloc` is jemalloc's own name of a leaf; the model may have it as a path. */
function at(model: unknown, key: string): unknown {
  return key.split('.').reduce((value, part) => (value as Record<string, unknown> | undefined)?.[part], model);
}

/** Compares every leaf of the real statistics with the model's leaf of the same path. */
export function compareStatistics(
  model: unknown,
  real: unknown,
  name = '',
): { compared: number; differing: StatisticDifference[] } {
  if (typeof real !== 'object' || real === null) {
    return { compared: 1, differing: model === real ? [] : [{ name, model, real }] };
  }
  let compared = 0;
  const differing: StatisticDifference[] = [];
  for (const [key, value] of Object.entries(real)) {
    const below = compareStatistics(at(model, key), value, name ? `${name}.${key}` : key);
    compared += below.compared;
    differing.push(...below.differing);
  }
  return { compared, differing };
}
