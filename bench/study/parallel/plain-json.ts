/** A number that JSON has no text for, under this key. */
const NUMBER = '$number';
/** A key of the data that looks like ours, or like one that has been changed so before. */
const LIKE_OURS = /^\$+number$/;

const isPlain = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function toJson(value: unknown, sorted: boolean): unknown {
  if (typeof value === 'number' && !Number.isFinite(value)) return { [NUMBER]: String(value) };
  if (Array.isArray(value)) return value.map((item) => toJson(item, sorted));
  if (!isPlain(value)) return value;
  const keys = sorted ? Object.keys(value).sort() : Object.keys(value);
  return Object.fromEntries(keys.map((key) => [LIKE_OURS.test(key) ? `$${key}` : key, toJson(value[key], sorted)]));
}

function fromJson(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(fromJson);
  if (!isPlain(value)) return value;
  if (NUMBER in value) return Number(value[NUMBER]);
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [LIKE_OURS.test(key) ? key.slice(1) : key, fromJson(item)]),
  );
}

/** Plain data as JSON that keeps NaN and the infinities: `{"$number":"Infinity"}`. What is undefined is left out. */
export const encodePlain = (value: unknown): string => JSON.stringify(toJson(value, false));

/** The same text for the same data, in whatever order its keys were set. */
export const canonicalPlain = (value: unknown): string => JSON.stringify(toJson(value, true));

export const decodePlain = <T>(text: string): T => fromJson(JSON.parse(text)) as T;
