import { gzipSync } from 'node:zlib';
import { lineOf, partsOf } from './frames.ts';
import { SITE_CLASSES, type StackBytes } from './stacks.ts';

/** Field numbers of perftools.profiles.Profile (profile.proto of google/pprof). */
const PROFILE = { sampleType: 1, sample: 2, location: 4, function: 5, stringTable: 6, defaultSampleType: 14 } as const;
const VARINT = 0;
const DELIMITED = 2;

/** A gzipped profile for `go tool pprof` and what reads the like: one value in bytes for each class. */
export function pprof(stacks: readonly StackBytes[]): Uint8Array {
  const strings = new Map<string, number>([['', 0]]);
  const string = (text: string): number => {
    const known = strings.get(text);
    if (known !== undefined) return known;
    strings.set(text, strings.size);
    return strings.size - 1;
  };
  const out: number[] = [];
  for (const name of SITE_CLASSES) {
    message(out, PROFILE.sampleType, [...uint(1, string(name)), ...uint(2, string('bytes'))]);
  }
  const locations = new Map<string, number>();
  const location = (text: string): number => {
    const known = locations.get(text);
    if (known !== undefined) return known;
    locations.set(text, locations.size + 1);
    return locations.size;
  };
  for (const s of stacks) {
    const innermostFirst = [...s.stack].reverse().map(location);
    const values = SITE_CLASSES.map((name) => Math.round(s[name]));
    message(out, PROFILE.sample, [...packed(1, innermostFirst), ...packed(2, values)]);
  }
  for (const [text, id] of locations) {
    const { name, place, module } = partsOf(text);
    const { file, line } = lineOf(place);
    const named = string(place === '' && module !== '' ? text : name);
    const inFunction: number[] = [];
    message(inFunction, 4, [...uint(1, id), ...uint(2, line)]);
    message(out, PROFILE.location, [...uint(1, id), ...inFunction]);
    message(out, PROFILE.function, [...uint(1, id), ...uint(2, named), ...uint(3, named), ...uint(4, string(file))]);
  }
  out.push(...uint(PROFILE.defaultSampleType, string(SITE_CLASSES[0])));
  const encoder = new TextEncoder();
  for (const text of strings.keys()) message(out, PROFILE.stringTable, [...encoder.encode(text)]);
  return gzipSync(Uint8Array.from(out));
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  bytes.push(rest);
  return bytes;
}

const uint = (field: number, value: number): number[] => [...varint(field * 8 + VARINT), ...varint(value)];

const packed = (field: number, values: readonly number[]): number[] => {
  const body = values.flatMap(varint);
  return [...varint(field * 8 + DELIMITED), ...varint(body.length), ...body];
};

function message(out: number[], field: number, body: readonly number[]): void {
  out.push(...varint(field * 8 + DELIMITED), ...varint(body.length));
  for (const byte of body) out.push(byte);
}
