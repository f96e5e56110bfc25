import { UserError } from '../sim/contract/assert.ts';
import type { EventBuffer } from '../sim/contract/event.ts';
import { STARTS, type Start } from '../sim/contract/start.ts';
import { nearest } from '../sim/contract/suggestion.ts';
import { atOnce } from './breathing.ts';

/** A number, by default an integer, between two bounds. */
export interface NumberParameter {
  readonly kind: 'number';
  readonly default: number;
  readonly unit: string;
  readonly about: string;
  readonly min: number;
  readonly max: number;
  /** Whether fractions are allowed. */
  readonly fractions?: boolean;
}

/** A text; `problem` says what is expected instead of it, or nothing. */
export interface TextParameter {
  readonly kind: 'text';
  readonly default: string;
  readonly unit: string;
  readonly about: string;
  readonly problem: (value: string) => string | undefined;
  /** Not part of the events: named in a result only where it was given. */
  readonly isAside?: boolean;
}

export type Parameter = NumberParameter | TextParameter;
type Values<P extends Readonly<Record<string, Parameter>>> = {
  readonly [K in keyof P]: P[K] extends NumberParameter ? number : string;
};
export type ParameterValues = Readonly<Record<string, number | string>>;

/** A built-in workload: parameters in, events out. The same parameters give the same events, everywhere. */
export interface Workload {
  readonly name: string;
  readonly about: string;
  readonly parameters: readonly (Parameter & { readonly name: string })[];
  /** Processors of the machine that the workload is meant for. */
  cpus(values: ParameterValues): number;
  /** How its time passes unless asked otherwise. */
  readonly time: WorkloadTime;
  generate(values: ParameterValues): EventBuffer;
}

type Steps = (values: ParameterValues) => Generator<void, EventBuffer>;

/** By `generate`, so that a workload made from another one's parts has its own way. */
const steps = new WeakMap<Workload['generate'], Steps>();

/** What `generate` does, in steps between which a signal can be heard; undefined where it is one. */
export const stepsOf = ({ generate }: Workload): Steps | undefined => steps.get(generate);

/** Mode and pace as in `--mode` and `--pace`. */
export interface WorkloadTime {
  readonly mode: 'virtual' | 'lockstep';
  readonly pace: 'asap' | 'recorded';
}

/** Threads that work as fast as they can: what the clock events of a generated workload stand for takes no time. */
const AT_ONCE: WorkloadTime = { mode: 'virtual', pace: 'asap' };

const GeneratorFunction: new () => object = Object.getPrototypeOf(function* () {}).constructor;

/** Gives a generator its parameters with their types. `generate` may be a generator function that yields now and then. */
export function defineWorkload<P extends Readonly<Record<string, Parameter>>>(definition: {
  readonly name: string;
  readonly about: string;
  readonly parameters: P;
  cpus(values: Values<P>): number;
  /** Default: virtual, as fast as it goes. */
  readonly time?: WorkloadTime;
  generate(values: Values<P>): EventBuffer | Generator<void, EventBuffer>;
}): Workload {
  const given = (values: ParameterValues) => definition.generate(values as Values<P>);
  let generate = given as Workload['generate'];
  if (definition.generate instanceof GeneratorFunction) {
    const inSteps = given as Steps;
    generate = (values) => atOnce(inSteps(values));
    steps.set(generate, inSteps);
  }
  return {
    name: definition.name,
    about: definition.about,
    parameters: Object.entries(definition.parameters).map(([name, parameter]) => ({ name, ...parameter })),
    cpus: (values) => definition.cpus(values as Values<P>),
    time: definition.time ?? AT_ONCE,
    generate,
  };
}

export function numberParameter(
  value: number,
  unit: string,
  about: string,
  bounds: { min: number; max: number; fractions?: boolean },
): NumberParameter {
  return { kind: 'number', default: value, unit, about, ...bounds };
}

/** Every generator that draws numbers has this one. */
export function seedParameter(): NumberParameter {
  return numberParameter(0, '', 'of everything that is drawn', { min: 0, max: Number.MAX_SAFE_INTEGER });
}

/** How the threads begin where they run at their own pace; changes no event. */
export function startParameter(value: Start): TextParameter {
  return {
    kind: 'text',
    default: value,
    unit: '',
    about: 'of the threads: serial, made one after the other; barrier, all of them wait for a word',
    problem: (given) => (STARTS.some((start) => start === given) ? undefined : STARTS.join(' or ')),
    isAside: true,
  };
}

/** As a workload's parameters say, or its default. */
export function startOf(workload: Workload, values: ParameterValues): Start {
  const given = values['start'] ?? workload.parameters.find(({ name }) => name === 'start')?.default;
  return STARTS.find((start) => start === given) ?? 'barrier';
}

/** `text` is `name=value,name=value`; a value that holds commas continues up to the next `name=`. */
export function parseParameters(workload: Workload, text: string, defaults: ParameterValues = {}): ParameterValues {
  const values: Record<string, number | string> = {};
  for (const parameter of workload.parameters) {
    if (parameter.kind === 'text' && parameter.isAside) continue;
    values[parameter.name] = defaults[parameter.name] ?? parameter.default;
  }
  const given = new Set<string>();
  for (const part of text === '' ? [] : text.split(/,(?=[^,=]*=)/)) {
    const equals = part.indexOf('=');
    const name = equals < 0 ? part : part.slice(0, equals);
    const parameter = workload.parameters.find((p) => p.name === name);
    if (!parameter) {
      const names = workload.parameters.map((p) => p.name);
      throw new UserError(`${workload.name}: found parameter '${name}', expected ${oneOf(name, names)}`);
    }
    if (equals < 0) throw new UserError(`${workload.name}: found '${part}', expected ${name}=value`);
    if (given.has(name)) throw new UserError(`${workload.name}: found ${name} twice, expected it once`);
    given.add(name);
    values[name] = parseValue(workload, parameter, part.slice(equals + 1));
  }
  return values;
}

const FACTORS: Readonly<Record<string, number>> = { K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 };

function parseValue(workload: Workload, parameter: Workload['parameters'][number], text: string): number | string {
  const refuse = (expected: string) =>
    new UserError(`${workload.name}: found ${parameter.name}=${text}, expected ${expected}`);
  if (parameter.kind === 'text') {
    const problem = parameter.problem(text);
    if (problem !== undefined) throw refuse(problem);
    return text;
  }
  const { min, max, unit, fractions } = parameter;
  const expected = `${fractions ? 'a number' : 'an integer'} from ${min} to ${max}${unit && ` (${unit})`}`;
  const match = /^(\d+(?:\.\d+)?)([KMG]?)$/.exec(text);
  if (!match) throw refuse(expected);
  const value = Number(match[1]) * (FACTORS[match[2]!] ?? 1);
  if (value < min || value > max || !(fractions || Number.isInteger(value))) throw refuse(expected);
  return value;
}

/** All that is known, and which of it may be meant. */
export function oneOf(name: string, known: readonly string[]): string {
  const meant = nearest(name, known);
  return `one of ${known.join(', ')}${meant === undefined ? '' : ` (did you mean '${meant}'?)`}`;
}
