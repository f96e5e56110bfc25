import { bytes, count, counted, duration, percent } from '../../sim/contract/format.ts';
import type { Bytes } from '../../sim/contract/units.ts';
import type { Sample } from '../../sim/metrics/sample.ts';
import { AT_END, WHERE_JUDGED } from '../metrics/end-words.ts';
import { outOfOrderSentences } from '../run/out-of-order.ts';
import type { RunResult } from '../run/result.ts';
import { axisOf } from './axis.ts';
import { shellWord } from './escape.ts';
import { CLASSES, type ClassName, classBytes } from './names.ts';
import type { MomentData, VerdictData } from './page-data.ts';
import { placeWords } from './place-words.ts';
import type { ReportRun } from './report-run.ts';
import { shortFrame } from './sites/frames.ts';
import { byLine, sumOf } from './sites/lines.ts';
import type { SiteClass } from './sites/stacks.ts';

/** A class is spoken of from this share of the resident bytes on. */
const SPOKEN_OF = 0.1;
/** Waiting is spoken of as a cost from this share of the work on. */
const COSTLY = 0.05;

/** What a verdict is about: the moment that is judged, else where the run ended. */
interface Looked extends Pick<Sample, 'rssBytes' | 'requestedBytes' | 'breakdown' | 'withinSlabsBytes'> {
  /** Begins a sentence. */
  readonly when: string;
  /** Of its picture. */
  readonly label: string;
}

/** Where the memory is and why, in words, from the result alone. */
export function verdictOf(reported: ReportRun): VerdictData {
  const { result, moments = [], verdict, upTo } = reported;
  const judged = judgedIn(reported);
  const end = { when: endOf(reported), label: upTo === undefined ? AT_END : WHERE_JUDGED };
  const looked = judged ?? { ...result.summary, ...end };
  const picture = moments.find((m) => m.label === looked.label);
  const headline = headlineOf(looked, result.summary.rssPeakBytes);
  const sentences = [
    ...abortSentence(result),
    ...outOfOrderSentences([result]),
    ...(judged && !verdict ? [`Judged ${reported.judged!.about}.`] : []),
    ...(upTo === undefined ? [] : [upToSentence(upTo)]),
    // An explanation says where and what in its own words.
    ...(picture && !verdict ? placeSentence(picture) : []),
    ...(verdict ? [] : otherClasses(looked)),
    ...siteSentence(reported),
    ...peakSentence(result),
    ...(judged && !verdict ? endSentence(reported, judged) : []),
    ...failureSentence(result),
    ...waitingSentence(result),
    ...(verdict ? [] : nextSentence(result, looked)),
  ];
  return { headline, sentences };
}

/** Undefined where it is the end, or the run did not come so far. */
export function judgedIn({ judged, result }: ReportRun): Looked | undefined {
  const sample = judged && result.samples.find(({ label }) => label === `#${judged.event}`);
  return sample && { ...sample, when: 'Before the program ends', label: WHERE_JUDGED };
}

const upToSentence = (upTo: string) => `Judged ${upTo}. The run to its end: --at end.`;

function endOf({ result: { abort, partial }, upTo }: ReportRun): string {
  if (upTo !== undefined && !abort && !partial) return 'Where it is judged';
  return abort ? 'When the program aborts' : partial ? 'Where the run was interrupted' : 'At the end';
}

function headlineOf(looked: Looked, rssPeakBytes: Bytes): string {
  const { when, rssBytes, requestedBytes } = looked;
  if (rssPeakBytes === 0) return 'Nothing was ever resident: this run allocated nothing.';
  if (rssBytes === 0) return `${when} nothing is resident: all of ${bytes(rssPeakBytes)} went back.`;
  const [most] = ranked(looked);
  const share = percent(most!.bytes / rssBytes);
  const resident = `${when} ${bytes(rssBytes)} ${rssBytes === 1 ? 'is' : 'are'} resident`;
  const { requested } = looked.breakdown;
  const held = `the program holds ${bytes(requestedBytes)}`;
  if (most!.of.key === 'requested') {
    const partly = bytes(requested) === bytes(requestedBytes) ? '' : `, ${bytes(requested)} of that resident`;
    return `${resident}; ${share} of it is requested: ${held}${partly}.`;
  }
  const though = requestedBytes === 0 ? ' though the program holds nothing' : ` and ${held}`;
  return `${resident}${though}; ${share} of what is resident is ${most!.of.phrase}.`;
}

function ranked(looked: Looked): { readonly of: ClassName; readonly bytes: number }[] {
  return CLASSES.map((of) => ({ of, bytes: classBytes(looked, of.key) })).sort((x, y) => y.bytes - x.bytes);
}

function abortSentence({ abort }: RunResult): string[] {
  if (!abort) return [];
  return [`The real program would have aborted at event ${count(abort.event)}: ${abort.message}`];
}

function peakSentence(result: RunResult): string[] {
  const { summary, samples } = result;
  if (summary.rssPeakBytes === 0 || samples.length === 0) return [];
  const highest = samples.reduce((x, y) => (y.rssBytes > x.rssBytes ? y : x));
  const axis = axisOf(result);
  const place = axis.text(axis.values[samples.indexOf(highest)]!);
  const where = axis.label === 'events' ? `event ${place}` : place;
  const { requested } = highest.breakdown;
  const ofIt =
    requested > highest.rssBytes * (1 - SPOKEN_OF)
      ? 'nearly all of it requested'
      : `${bytes(requested)} of it requested, ${bytes(highest.rssBytes - requested)} not`;
  // What a sample consists of are no parts of a peak that reads as another sum.
  if (bytes(summary.rssPeakBytes) !== bytes(highest.rssBytes)) {
    return [
      `The peak is ${bytes(summary.rssPeakBytes)}, for a moment between two samples; the highest sample, at ${where}, has ${bytes(highest.rssBytes)}, ${ofIt}.`,
    ];
  }
  const at = summary.rssPeakBytes === highest.rssBytes ? 'at' : 'around';
  return [`The peak is ${bytes(summary.rssPeakBytes)}, ${at} ${where}, ${ofIt}.`];
}

function placeSentence({ places, rssBytes }: MomentData): string[] {
  const [first, ...others] = places;
  if (!first || rssBytes === 0) return [];
  const share = first.residentBytes / rssBytes;
  const name = placeName(first.name, first.areas);
  const isAll = bytes(first.residentBytes) === bytes(rssBytes);
  const whole = isAll ? 'All of it lies' : share > 0.995 ? 'Nearly all of it lies' : `${percent(share)} of it lies`;
  const rest = others.filter((p) => p.residentBytes >= rssBytes * 0.02).slice(0, 2);
  const also = rest.map((p) => `${bytes(p.residentBytes)} in ${placeName(p.name, p.areas)}`).join(', ');
  return [`${whole} in ${name}${placeWords(first.name)}: ${bytes(first.residentBytes)}${also ? `; ${also}` : ''}.`];
}

/** The lines of code that most of what is held, and most of what is free, comes from. */
function siteSentence({ sites = [], sitesAbout, result, verdict }: ReportRun): string[] {
  const lines = byLine(sites);
  const all = sumOf(sites);
  const most = (name: SiteClass, verb: string): string[] => {
    const line = lines.reduce((x, y) => (y[name] > x[name] ? y : x), lines[0]!);
    if (all[name] < result.summary.rssPeakBytes * SPOKEN_OF || line[name] < all[name] * SPOKEN_OF) return [];
    return [`${bytes(line[name])} (${percent(line[name] / all[name])}) of what is ${verb} by ${shortFrame(line.line)}`];
  };
  if (lines.length === 0) return [];
  const parts = [...most('held', 'held was allocated'), ...most('freed', 'free was allocated last')];
  return parts.length === 0
    ? []
    : [`By call site${verdict ? '' : `, ${sitesAbout ?? 'at the end'}`}: ${parts.join('; ')}.`];
}

/** `the main heap`, `32 arena heaps`, `3 slabs of 320`. */
export function placeName(name: string, areas: number): string {
  if (areas === 1) return `the ${name}`;
  return `${count(areas)} ${name.includes(' of ') ? name.replace(' of ', 's of ') : name.endsWith('s') ? name : `${name}s`}`;
}

/** Nothing where it is what the headline says. */
function endSentence(reported: ReportRun, judged: Looked): string[] {
  const figures = ({ rssBytes, requestedBytes }: Pick<Looked, 'rssBytes' | 'requestedBytes'>) =>
    `${bytes(rssBytes)} are resident and the program holds ${bytes(requestedBytes)}`;
  const text = figures(reported.result.summary);
  return text === figures(judged) ? [] : [`${endOf(reported)} ${text}.`];
}

function otherClasses(looked: Looked): string[] {
  const { rssBytes } = looked;
  const others = ranked(looked)
    .slice(1)
    .filter((c) => c.bytes >= rssBytes * SPOKEN_OF);
  if (rssBytes === 0 || others.length === 0) return [];
  return [
    `Beside that: ${others.map((c) => `${bytes(c.bytes)} (${percent(c.bytes / rssBytes)}) of ${c.of.phrase}`).join('; ')}.`,
  ];
}

function failureSentence({ summary }: RunResult): string[] {
  const sentences: string[] = [];
  if (summary.failedAllocations > 0) {
    sentences.push(
      `${counted(summary.failedAllocations, 'allocation')} failed: the machine had no memory for ${summary.failedAllocations === 1 ? 'it' : 'them'}.`,
    );
  }
  if (summary.skippedEvents > 0) {
    sentences.push(
      `${counted(summary.skippedEvents, 'event')} of the trace made no sense and ${summary.skippedEvents === 1 ? 'was' : 'were'} left out.`,
    );
  }
  return sentences;
}

function waitingSentence({ run, summary, locks }: RunResult): string[] {
  if (run.mode === 'lockstep' || summary.waitNs === null) return [];
  const work = summary.cpuNs ?? 0;
  if (summary.waitNs <= work * COSTLY) {
    return summary.waitNs > 0 ? [`Locks cost little: threads waited ${duration(summary.waitNs)} in all.`] : [];
  }
  const most = locks.reduce((x, y) => (y.waitNs.total > x.waitNs.total ? y : x), locks[0]!);
  const work_ = work > 0 ? `, for ${duration(work)} of work` : '';
  return [
    `Threads waited ${duration(summary.waitNs)} for locks${work_}; ${duration(most.waitNs.total)} of it for ${most.name}.`,
  ];
}

function nextSentence({ run }: RunResult, { breakdown, rssBytes }: Looked): string[] {
  const { cached, pinned, returnable, metadata } = breakdown;
  if (rssBytes === 0) return [];
  const isHeld = cached + pinned + returnable + metadata < rssBytes * 0.2;
  const asked = isHeld ? 'Whether it grows without end' : 'What would change it, and at what cost';
  const allocator = run.allocator.replaceAll("'", "'\\''");
  return [`${asked}: sim explain ${shellWord(run.workload)} --allocator='${allocator}'`];
}

/** `to` against `from`, both of the same workload, and both up to the same moment of it where that is not its end. */
export function differenceOf(from: RunResult, to: RunResult, upTo?: string): VerdictData {
  const [a, b] = [from.summary, to.summary];
  const peak = b.rssPeakBytes - a.rssPeakBytes;
  const end = b.rssBytes - a.rssBytes;
  const name = to.run.allocator;
  if (peak === 0 && end === 0 && CLASSES.every((c) => classBytes(a, c.key) === classBytes(b, c.key))) {
    return { headline: `${name} needs exactly the memory that ${from.run.allocator} needs.`, sentences: [] };
  }
  const sentences = upTo === undefined ? [] : [upToSentence(upTo)];
  const changes = CLASSES.map((of) => ({ of, bytes: classBytes(b, of.key) - classBytes(a, of.key) }))
    .filter((c) => c.bytes !== 0)
    .sort((x, y) => Math.abs(y.bytes) - Math.abs(x.bytes));
  if (changes.length > 0) {
    const texts = changes.slice(0, 3).map((c) => `${signed(c.bytes)} of ${c.of.phrase}`);
    sentences.push(`${upTo === undefined ? 'At the end' : 'There'} the difference is made of: ${texts.join('; ')}.`);
  }
  sentences.push(`Page faults: ${count(b.faults)} instead of ${count(a.faults)}.`);
  sentences.push(
    ...[...instead('Waiting for locks', a.waitNs, b.waitNs), ...instead('Length of the run', a.virtualNs, b.virtualNs)],
  );
  return {
    headline: `${name} peaks at ${bytes(b.rssPeakBytes)}${against(peak, a.rssPeakBytes)} and ${upTo === undefined ? 'ends with' : 'has, where it is judged,'} ${bytes(b.rssBytes)}${against(end, a.rssBytes)}, against ${from.run.allocator}.`,
    sentences,
  };
}

/** Nothing where it is not known, or reads the same. */
function instead(what: string, from: number | null, to: number | null): string[] {
  if (from === null || to === null || duration(from) === duration(to)) return [];
  return [`${what}: ${duration(to)} instead of ${duration(from)}.`];
}

function against(difference: number, base: number): string {
  if (difference === 0) return ' (the same)';
  const share = base > 0 ? `, ${percent(Math.abs(difference) / base)}` : '';
  return ` (${bytes(Math.abs(difference))}${share} ${difference > 0 ? 'more' : 'less'})`;
}

const signed = (value: number): string => `${value > 0 ? '+' : '−'}${bytes(Math.abs(value))}`;
