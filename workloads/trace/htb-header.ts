import type { UserError } from '../../sim/contract/assert.ts';
import { type Frame, NUMBER_MAX, type Observation, type RecordedFacts, type Touch } from '../../sim/contract/event.ts';
import { THREAD_ID_MAX, U32_MAX } from './compiler/limits.ts';

export type ColumnType = 'u8' | 'u16' | 'u32';
export const WIDTH_OF_TYPE = { u8: 1, u16: 2, u32: 4 } as const;

export interface StoredColumn {
  /** One of the names below; `NAME.rows` for the rows of a sparse one. */
  readonly name: string;
  readonly type: ColumnType;
  /** Whether the values belong to the rows that the column `name.rows`, which comes before, lists. */
  readonly sparse?: boolean;
  readonly length: number;
  readonly crc32: number;
}

/** The header of the binary form (binary.ts), as JSON. */
export interface HtbHeader {
  readonly format: 'htrace binary';
  readonly rows: number;
  readonly touch: Touch;
  readonly name: string;
  readonly source: string;
  readonly labels: readonly string[];
  readonly objectSlots: number;
  readonly threadSlots: number;
  readonly requestedPeakBytes: number;
  readonly hasRequestEvents: boolean;
  readonly skipped: number;
  // From version 2 on:
  readonly frames?: readonly Frame[];
  readonly observations?: readonly Observation[];
  readonly recorded?: RecordedFacts;
  readonly exitRow?: number;
  readonly columns: readonly StoredColumn[];
}

export const ROW_COLUMNS = ['head', 'slot', 'a', 'b'] as const;
const LISTS = ['requestFrees', 'begin.row', 'begin.thread', 'begin.id'];
const MARK_COLUMNS = ['marks.rows', 'marks.flags', 'marks.a', 'marks.a.high', 'marks.b', 'marks.b.high'];
const SITE_COLUMNS = ['siteParent', 'siteFrame'];
/** As many values of 32 bits as one buffer may hold on every host. */
const LENGTH_MAX = 2 ** 29;
const PATH_SHOWN = 60;

/** A value that is not as it should be; `what` names it. */
class Improper extends Error {
  readonly what: string;
  constructor(what: string) {
    super(what);
    this.what = what;
  }
}

function need(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Improper(what);
}

function needCount(value: unknown, what: string, max: number = NUMBER_MAX): asserts value is number {
  need(Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= max, what);
}

/** A text that fits in a line as it is, behind a key and a space. */
function needLine(value: unknown, what: string): asserts value is string {
  need(typeof value === 'string' && !/[\r\n]|^\s/.test(value), what);
}

function needText(value: unknown, what: string): asserts value is string {
  need(typeof value === 'string', what);
}

function needList(value: unknown, what: string): asserts value is readonly unknown[] {
  need(Array.isArray(value), what);
}

function needObject(value: unknown, what: string): asserts value is Readonly<Record<string, unknown>> {
  need(typeof value === 'object' && value !== null && !Array.isArray(value), what);
}

/**
 * The header in the JSON text `bytes`, with everything of the right kind and every length within what `rows` and the
 * file allow. The checksum was right, so what is wrong here was written wrong; still it must not hurt the reader.
 */
export function checkedHeader(
  bytes: Uint8Array,
  version: 1 | 2,
  refuse: (found: string, expected: string) => UserError,
): HtbHeader {
  try {
    const header: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    checkHeader(header, version);
    return header;
  } catch (error) {
    const isOfJson = error instanceof SyntaxError || error instanceof TypeError;
    if (!(error instanceof Improper || isOfJson)) throw error;
    const what = error instanceof Improper ? error.what : 'form';
    throw refuse(`a header without a proper ${what.slice(0, PATH_SHOWN)}`, 'a file written by `sim trace convert`');
  }
}

function checkHeader(header: unknown, version: 1 | 2): asserts header is HtbHeader {
  needObject(header, 'form');
  need(header['format'] === 'htrace binary', 'format');
  needCount(header['rows'], 'rows', LENGTH_MAX);
  needCount(header['objectSlots'], 'objectSlots', header['rows'] + 1);
  needCount(header['threadSlots'], 'threadSlots', header['rows'] + 1);
  need(header['objectSlots'] >= 1, 'objectSlots');
  need(header['threadSlots'] >= 1, 'threadSlots');
  needCount(header['requestedPeakBytes'], 'requestedPeakBytes');
  needCount(header['skipped'], 'skipped', header['rows']);
  needLine(header['name'], 'name');
  needLine(header['source'], 'source');
  need(header['touch'] === 'full' || header['touch'] === 'first' || header['touch'] === 'none', 'touch');
  need(typeof header['hasRequestEvents'] === 'boolean', 'hasRequestEvents');
  needList(header['labels'], 'list of labels');
  for (const label of header['labels']) needLine(label, 'label');
  if (version === 2) checkExtras(header, header['rows']);
  checkColumns(header['columns'], header['rows'], version);
}

function checkExtras(header: Readonly<Record<string, unknown>>, rows: number): void {
  const { frames, observations, recorded, exitRow } = header;
  needList(frames, 'list of frames');
  for (const frame of frames) {
    needObject(frame, 'frame');
    for (const key of ['functionName', 'file', 'module']) needText(frame[key], `frame.${key}`);
    needCount(frame['line'], 'frame.line');
  }
  needList(observations, 'list of observations');
  for (const observation of observations) {
    needObject(observation, 'observation');
    needCount(observation['row'], 'observation.row', rows - 1);
    needList(observation['values'], 'observation.values');
    need(observation['values'].length > 0, 'observation.values');
    for (const pair of observation['values']) {
      needList(pair, 'observed value');
      need(pair.length === 2 && typeof pair[0] === 'string' && /^[^\s]+$/.test(pair[0]), 'observed name');
      needCount(pair[1], 'observed value');
    }
  }
  need(exitRow === -1 || (Number.isSafeInteger(exitRow) && (exitRow as number) >= 0), 'exitRow');
  checkFacts(recorded);
}

function checkFacts(facts: unknown): void {
  needObject(facts, 'recorded');
  needText(facts['command'], 'recorded.command');
  if (facts['process'] !== undefined) {
    needObject(facts['process'], 'recorded.process');
    needCount(facts['process']['pid'], 'recorded.process.pid', U32_MAX);
    needCount(facts['process']['parent'], 'recorded.process.parent', U32_MAX);
  }
  for (const key of ['environment', 'machine'] as const) {
    needList(facts[key], `recorded.${key}`);
    for (const pair of facts[key]) {
      needList(pair, `recorded.${key}`);
      need(pair.length === 2 && typeof pair[0] === 'string' && /^[^\s]+$/.test(pair[0]), `recorded.${key}`);
      needText(pair[1], `recorded.${key}`);
    }
  }
  needList(facts['threadNames'], 'recorded.threadNames');
  for (const pair of facts['threadNames']) {
    needList(pair, 'recorded.threadNames');
    needCount(pair[0], 'recorded.threadNames', THREAD_ID_MAX);
    needText(pair[1], 'recorded.threadNames');
  }
  needList(facts['mappings'], 'recorded.mappings');
  for (const mapping of facts['mappings']) {
    needObject(mapping, 'recorded.mappings');
    needCount(mapping['bytes'], 'recorded.mappings');
    needCount(mapping['residentBytes'], 'recorded.mappings');
    needText(mapping['name'], 'recorded.mappings');
  }
}

/** Every column that must be there once, in an order in which it can be read, and none that is not known. */
function checkColumns(columns: unknown, rows: number, version: 1 | 2): asserts columns is readonly StoredColumn[] {
  needList(columns, 'list of columns');
  const lengths = new Map<string, number>();
  const known = [...ROW_COLUMNS, ...LISTS, ...(version === 2 ? [...MARK_COLUMNS, ...SITE_COLUMNS, 'sites'] : [])];
  for (const column of columns) {
    needObject(column, 'column');
    const { name, type, length, sparse, crc32 } = column;
    need(typeof name === 'string' && !lengths.has(name), 'column');
    const rowsOf = (ROW_COLUMNS as readonly string[]).find((row) => name === `${row}.rows`);
    need(rowsOf !== undefined || known.includes(name), 'column');
    const what = `column ${name}`;
    need(type === 'u8' || type === 'u16' || type === 'u32', what);
    needCount(length, what, LENGTH_MAX);
    needCount(crc32, what, U32_MAX);
    need(sparse === undefined || sparse === true, what);
    if (sparse === true) need(rowsOf === undefined && lengths.get(`${name}.rows`) === length, what);
    else if (rowsOf !== undefined) need(length <= rows && !lengths.has(rowsOf), what);
    else if ((ROW_COLUMNS as readonly string[]).includes(name) || name === 'sites') need(length === rows, what);
    else if (!SITE_COLUMNS.includes(name)) need(length <= rows, what);
    lengths.set(name, length);
  }
  for (const name of known) need(name === 'sites' || lengths.has(name), `column ${name}`);
  for (const [name, length] of lengths)
    need(
      !name.endsWith('.rows') || name === 'marks.rows' || lengths.get(name.slice(0, -5)) === length,
      `column ${name}`,
    );
  for (const name of LISTS.slice(1)) need(lengths.get(name) === lengths.get('begin.row'), `column ${name}`);
  for (const name of version === 2 ? MARK_COLUMNS : [])
    need(lengths.get(name) === lengths.get('marks.rows'), `column ${name}`);
  if (version === 2) need(lengths.get('siteParent') === lengths.get('siteFrame'), 'column siteParent');
  // A row is a malloc on the main thread, or its head is not 0; a malloc has a slot.
  need(rows <= lengths.get('head')! + lengths.get('slot')!, 'rows');
}
