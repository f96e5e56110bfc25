import { UserError } from '../../sim/contract/assert.ts';
import { CONTROLS, shownByNumber } from '../../sim/contract/escape.ts';
import { nearest, suggestion } from '../../sim/contract/suggestion.ts';
import { ADVICES } from '../kernel/advice.ts';
import { LEAST_MEMORY_MB } from '../kernel/profile.ts';
import { MACHINE_COMMANDS, PROCESS_COMMANDS, type Syntax, type Word } from './grammar.ts';

/** One command of a script. `text` is the line as written, `words` the command and what follows, without `async` and the process. */
export interface Command {
  readonly line: number;
  readonly text: string;
  readonly words: readonly string[];
  /** The process that obeys; absent for commands of the machine. */
  readonly process?: string;
  readonly background: boolean;
}

/** The options of a first line such as `#! -m 576 --thp always`. */
export interface MachineSettings {
  /** Megabytes of memory given to the machine (`-m`); what the kernel leaves of it is MemTotal. */
  readonly memoryMb: number;
  readonly thp: 'always' | 'madvise' | 'never';
  readonly processors: number;
  readonly kernel: string;
  /** What files can fill of the disk; absent: no end of it. */
  readonly diskBytes?: number;
}

export interface Script {
  readonly options: MachineSettings;
  readonly commands: readonly Command[];
}

const UNITS: Readonly<Record<string, number>> = { K: 1024, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40, p: 4096, h: 2 ** 21 };
const SIZE = /^[+-]?(\d+(?:\.\d+)?)([KMGTph]?)$/;

/** Bytes of `500M`, `4K`, `12`, `3p` (pages), `2h` (units of 2 MiB); undefined where it is none, or more than can be counted. */
export function sizeOf(word: string): number | undefined {
  const match = SIZE.exec(word);
  if (!match) return undefined;
  const bytes = Math.trunc(Number(match[1]) * (UNITS[match[2]!] ?? 1));
  if (bytes > Number.MAX_SAFE_INTEGER) return undefined;
  return word.startsWith('-') ? -bytes : bytes;
}

/** Resources of `rlimit`. */
const RESOURCES: readonly string[] = ['as', 'data', 'stack', 'memlock', 'nofile', 'nproc'];
const KERNELS: Readonly<Record<string, string>> = { stable: '6.1', backports: '6.12' };
const MODES = ['always', 'madvise', 'never'] as const;

/** Of a disk of 1 GiB: blocks that are free after mkfs.ext4 -m 0, without those that the kernel keeps (ext4_set_resv_clusters: 2 %, 4,096 at most). */
const DISK_BLOCKS = 249_189 - 4096;

/** @throws UserError with file and line for anything the grammar does not know. */
export function parseScript(text: string, name = 'script'): Script {
  const commands: Command[] = [];
  let options: MachineSettings = {
    memoryMb: 512,
    thp: 'madvise',
    processors: 1,
    kernel: '6.1',
    diskBytes: DISK_BLOCKS * 4096,
  };
  text.split('\n').forEach((raw, index) => {
    const at = `${name}:${index + 1}`;
    const lineText = raw.replace(/\r$/, '');
    const control = lineText.replaceAll('\t', ' ').match(CONTROLS)?.[0];
    if (control !== undefined)
      throw new UserError(`${at}: found ${shownByNumber(control)}, expected text without controls`);
    if (lineText.startsWith('#!')) options = headOptions(lineText.slice(2), options, at);
    if (lineText.startsWith('#')) return;
    const comment = lineText.indexOf(' #');
    const words = (comment < 0 ? lineText : lineText.slice(0, comment)).split(/\s+/).filter((word) => word !== '');
    if (words.length > 0) commands.push(commandOf(words, lineText, index + 1, at));
  });
  return { options, commands };
}

function headOptions(text: string, before: MachineSettings, at: string): MachineSettings {
  const words = text.trim().split(/\s+/);
  const result = { ...before };
  for (let i = 0; i < words.length; i++) {
    const key = words[i]!;
    if (key === '' || key === '--no-icount') continue;
    const value = words[++i];
    if (value === undefined) throw new UserError(`${at}: ${key}: expected a value after it`);
    if (key === '-m') result.memoryMb = memoryMb(value, at);
    else if (key === '--smp') result.processors = positive(value, key, at);
    else if (key === '--kernel') result.kernel = KERNELS[value] ?? value;
    else if (key === '--disk-free') result.diskBytes = diskBytes(value, at);
    else if (key === '--thp') {
      if (!MODES.includes(value as 'always')) {
        throw new UserError(`${at}: --thp: found '${value}', expected ${MODES.join(', ')}`);
      }
      result.thp = value as MachineSettings['thp'];
    } else if (key !== '--disk' && key !== '--append') {
      throw new UserError(
        `${at}: found '${key}', expected -m, --thp, --smp, --kernel, --disk-free, --disk or --append`,
      );
    }
  }
  return result;
}

function memoryMb(word: string, at: string): number {
  const value = Number(word);
  if (!Number.isInteger(value) || value < LEAST_MEMORY_MB)
    throw new UserError(`${at}: -m: found '${word}', expected a whole number of megabytes from ${LEAST_MEMORY_MB}`);
  return value;
}

function diskBytes(word: string, at: string): number {
  const bytes = sizeOf(word) ?? -1;
  if (bytes < 0) throw new UserError(`${at}: --disk-free: found '${word}', expected a size such as 512M or 100G`);
  return bytes;
}

function positive(word: string, key: string, at: string): number {
  const value = Number(word);
  if (!Number.isInteger(value) || value < 1)
    throw new UserError(`${at}: ${key}: found '${word}', expected a whole number from 1`);
  return value;
}

function commandOf(words: string[], text: string, line: number, at: string): Command {
  const first = words[0]!;
  const own = MACHINE_COMMANDS[first];
  if (own) {
    check(words, own, at);
    return { line, text, words, background: false };
  }
  const background = first === 'async';
  const rest = background ? words.slice(1) : words;
  const [process, command] = rest;
  if (process === undefined || command === undefined) {
    throw new UserError(
      `${at}: found '${text.trim()}', expected a command (${Object.keys(MACHINE_COMMANDS).join(', ')}) or PROCESS COMMAND …`,
    );
  }
  const syntax = PROCESS_COMMANDS[command];
  if (!syntax) throw new UserError(`${at}: ${unknownText(process, command)}`);
  check(rest.slice(1), syntax, at);
  return { line, text, words: rest.slice(1), process, background };
}

/** Which of the two words was mistyped: a command of a process, or of the machine where the process stands. */
function unknownText(process: string, command: string): string {
  const [own, all] = [Object.keys(PROCESS_COMMANDS), Object.keys(MACHINE_COMMANDS)];
  const near = nearest(process, all);
  if (nearest(command, own) === undefined && near !== undefined) return `found '${process}', did you mean '${near}'?`;
  return `found '${command}'${suggestion(command, own)}`;
}

/** Words that have another name in messages. */
const KINDS: Readonly<Partial<Record<Word, string>>> = { change: 'size', count: 'number' };

function check(words: readonly string[], syntax: Syntax, at: string): void {
  const [command] = words;
  syntax.words.forEach((kind, i) => {
    const word = words[i + 1];
    if (word === undefined)
      throw new UserError(
        `${at}: ${command}: expected a ${KINDS[kind] ?? kind} as word ${i + 1} after it, found the end of the line`,
      );
    const wanted = wrong(word, kind);
    if (wanted) throw new UserError(`${at}: ${command}: found '${word}', expected ${wanted}`);
  });
  if (syntax.rest) return;
  if (syntax.pairs) {
    checkPairs(words.slice(syntax.words.length + 1), syntax.pairs, `${at}: ${command}`);
    return;
  }
  const further = words.slice(syntax.words.length + 1);
  if (syntax.ratio) checkRatio(words, `${at}: ${command}`);
  for (const word of syntax.ratio ? further.filter((one) => !one.startsWith(RATIO)) : further) {
    const known = (syntax.options ?? []).some((option) =>
      option.endsWith('=')
        ? word.startsWith(option) && (sizeOf(word.slice(option.length)) ?? -1) >= 0
        : word === option,
    );
    if (!known) {
      const expected = syntax.options
        ? syntax.options.map((o) => (o.endsWith('=') ? `${o}SIZE` : o)).join(', ')
        : 'the end of the line';
      throw new UserError(`${at}: ${command}: found '${word}', expected ${expected}`);
    }
  }
}

const RATIO = 'ratio=';

/** The words of `swap`: of compressed memory it must be said how well it compresses. */
function checkRatio(words: readonly string[], at: string): void {
  if (words[1] !== 'off' && sizeOf(words[1]!) === undefined)
    throw new UserError(`${at}: found '${words[1]}', expected a size such as 256M, or off`);
  const word = words.find((one) => one.startsWith(RATIO));
  if (!words.includes('zram')) {
    if (word !== undefined) throw new UserError(`${at}: found '${word}', expected it after zram`);
    return;
  }
  if (word === undefined)
    throw new UserError(`${at}: zram: expected ratio=NUMBER (bytes stored for bytes that they take), found none`);
  const ratio = word.slice(RATIO.length);
  if (!/^\d+(\.\d+)?$/.test(ratio) || Number(ratio) < 1)
    throw new UserError(`${at}: found '${word}', expected a ratio from 1 such as ratio=3 or ratio=2.4`);
}

function checkPairs(words: readonly string[], keys: readonly string[], at: string): void {
  for (let i = 0; i < words.length; i += 2) {
    const expected = keys.filter((key) => !words.slice(0, i).includes(key)).map((key) => `${key} WORD`);
    if (!keys.includes(words[i]!) || words.indexOf(words[i]!) < i)
      throw new UserError(`${at}: found '${words[i]}', expected ${[...expected, 'the end of the line'].join(', ')}`);
    if (words[i + 1] === undefined) throw new UserError(`${at}: expected a word after ${words[i]}`);
  }
}

const SIZES = 'a size such as 4096, 4K, 10M, 2G, 3p (pages) or 2h (2 MiB units)';

/** What was expected, where the word is not of this kind. */
function wrong(word: string, kind: Word): string | undefined {
  if (kind === 'size' && (sizeOf(word) ?? -1) < 0) return SIZES;
  if (kind === 'change' && sizeOf(word) === undefined) return `${SIZES}, + or - before it`;
  if (kind === 'number' && !/^-?\d+$/.test(word)) return 'a whole number';
  if (kind === 'count' && !/^\d+$/.test(word)) return 'a whole number from 0';
  if (kind === 'resource' && !RESOURCES.includes(word)) return `a limit: ${RESOURCES.join(', ')}`;
  if (kind === 'limit' && word !== 'unlimited' && (sizeOf(word) ?? -1) < 0) return 'a size, a number or unlimited';
  if (kind === 'advice' && !ADVICES.includes(word as 'free')) return `an advice: ${ADVICES.join(', ')}`;
  return undefined;
}
