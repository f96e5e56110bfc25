import fc from 'fast-check';
import { escapeOrders, escapeTerminal } from '../../../bench/report/escape.ts';
import { MACHINE_TEXTS, machineAnswer } from '../../../bench/study/machine/machine-answer.ts';
import { machineJson } from '../../../bench/study/machine/machine-json.ts';
import { viewScript } from '../../../bench/study/machine/viewed-run.ts';
import { machineSteps, machineSummaryText, parseScript, renderView } from '../../../machine/index.ts';
import { ADVICES } from '../../../machine/kernel/advice.ts';
import { MACHINE_COMMANDS, PROCESS_COMMANDS, type Syntax, type Word } from '../../../machine/script/grammar.ts';
import { UserError } from '../../../sim/contract/assert.ts';
import { defineArea } from '../area.ts';
import { orRefused } from '../refusal.ts';

const NAMES = ['a', 'b', 'c', 'A', 'B', 'init', '__proto__'];
const GROUPS = ['g', 'g/h', 'k', '/', '..'];
const PATHS = ['/mnt/f', '/mnt/d/g', '/dev/shm/s', '/t/u', '/mnt', '/usr/x', '/proc/meminfo', '/proc/sys/vm/overcommit_memory', '/proc/sys/vm/swappiness', '/proc/pressure/memory', '/sys/fs/cgroup/g/memory.max', '/sys/fs/cgroup/g/memory.stat', '']; // biome-ignore format: a list
const SIZES = ['0', '1', '4K', '3p', '64K', '1M', '1.5M', '2h', '8M', '40M', '300M', '2G', '17T', '-4K', '9007199254740993', '1e9', 'x']; // biome-ignore format: a list
const NUMBERS = ['0', '1', '2', '3', '7', '100', '4000', '1000000', '-1', '-1000', '0.5', '1e3', '99999999999999999999', '']; // biome-ignore format: a list
const LIMITS = ['max', '0', '1M', '8M', '100M', 'unlimited', '-1', '2T'];
const RESTS = ['private', 'shared', 'noreserve', 'hugepage', 'ro', 'fixed', 'maymove', 'after', 'max=8M', 'high=4M', 'low=1M', 'min=1M', 'swap.max=0', 'pids.max=3', 'size=4M', 'group', '9', 'async', '#', 'x=y', '<b>', '\u001b[31m', '##[error]x', '::error::x']; // biome-ignore format: a list
const WORDS: Readonly<Record<Word, readonly string[]>> = {
  resource: ['as', 'data', 'stack', 'memlock', 'nofile', 'cpu'],
  limit: LIMITS,
  name: NAMES,
  size: SIZES,
  change: SIZES,
  count: NUMBERS,
  number: NUMBERS,
  path: PATHS,
  word: [...GROUPS, 'e', 'tmpfs', 'ext4', 'off', 'free', 'ps aux', '64M', '|', '::error::'],
  advice: ADVICES,
  value: [...LIMITS, ...NUMBERS, '"a"'],
};

/** Words of the right kind, and what may follow them; now and then one of them is another's. */
function wordsOf(name: string, { words, options = [], pairs = [], rest, ratio }: Syntax): fc.Arbitrary<string> {
  const further = [...options, ...pairs, ...(rest ? RESTS : []), ...(ratio ? ['ratio=3', 'ratio=0.5'] : [])];
  const own = words.map((kind) =>
    fc.oneof(
      { weight: 30, arbitrary: fc.constantFrom(...WORDS[kind]) },
      { weight: 1, arbitrary: fc.constantFrom(...RESTS) },
    ),
  );
  const more = fc.constantFrom(...(further.length > 0 ? further : ['x']));
  const valued = fc
    .tuple(more, fc.constantFrom(...SIZES, ...GROUPS))
    .map(([word, value]) => (pairs.includes(word) ? `${word} ${value}` : word.endsWith('=') ? word + value : word));
  return fc
    .tuple(fc.tuple(...own), fc.array(valued, { maxLength: further.length > 0 ? 3 : 0 }))
    .map(([first, last]) => [name, ...first, ...last].join(' '));
}

/** Runs of a workload are the area of programs. */
const processCommands = Object.entries(PROCESS_COMMANDS).filter(([name]) => name !== 'run');
const line = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .tuple(
        fc.constantFrom('', '', '', 'async '),
        fc.constantFrom('a', 'a', 'a', 'b', 'c'),
        fc.constantFrom(...processCommands).chain(([name, syntax]) => wordsOf(name, syntax)),
      )
      .map(([background, process, command]) => `${background}${process} ${command}`),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom(...Object.entries(MACHINE_COMMANDS)).chain(([n, syntax]) => wordsOf(n, syntax)),
  },
);

const NAME = 's.txt';
const STARTS = ['cgroup g max=24M\na into g', 'swap 64M', 'swap 64M zram ratio=3', 'mount tmpfs /t size=8M', '']; // biome-ignore format: a list
const HEADS = [
  '#! -m 192',
  '#! -m 256 --thp always',
  '#! -m 256 --kernel 6.12',
  '#! -m 300 --smp 3 --disk-free 8M',
  '#! -m 256 --thp never',
];
const VIEWS = [
  'ps aux',
  'free -m',
  'meminfo',
  'vmstat',
  'smaps a',
  'pmap -XX a',
  'cadvisor',
  'node-exporter',
  'slabinfo',
];

const script = fc
  .record({
    head: fc.constantFrom(...HEADS),
    start: fc.constantFrom(...STARTS),
    lines: fc.array(line, { maxLength: 40, size: 'max' }),
  })
  .map(
    ({ head, start, lines }) =>
      `${head}\nnew a\na mmap A 16M private\na mmap B 8M shared\n${start}\n${lines.join('\n')}\n`,
  );

/** Without the lines that are refused before anything runs. */
async function soundPart(text: string): Promise<string> {
  const lines: string[] = [];
  for (const each of text.split('\n')) if (await orRefused(() => parseScript(each, NAME))) lines.push(each);
  for (;;) {
    try {
      machineSteps(lines.join('\n'), { name: NAME }).next();
      return lines.join('\n');
    } catch (error) {
      const line = error instanceof UserError ? /^s\.txt:(\d+): /.exec(error.message)?.[1] : undefined;
      if (line === undefined) throw error;
      lines.splice(Number(line) - 1, 1);
    }
  }
}

async function checkScript(text: string): Promise<void> {
  const question = { name: NAME, text: await soundPart(text), views: [], at: [], steps: true, texts: MACHINE_TEXTS };
  await orRefused(async () => {
    const { steps, finish } = viewScript(question, () => {
      throw new UserError('no program is run here');
    });
    while (!steps.next().done);
    const viewed = finish(false);
    const { summary, steps: told, texts } = machineAnswer(viewed, question);
    machineJson({ partial: false, summary, views: [], steps: told, texts });
    const shown = [
      escapeOrders(escapeTerminal(machineSummaryText(summary))),
      texts.csv,
      texts.openmetrics,
      texts.report,
    ];
    if (/^\s*::|##\[/m.test(shown[0]!)) throw new Error('an order to a CI system');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that may not appear
    if (shown.some((each) => /[\u0000-\u0008\u000b-\u001f]/.test(each!))) throw new Error('a control character');
    if (/<b>/.test(texts.report!.replace(/<script.*?<\/script>/gs, ''))) throw new Error('an element in the page');
    for (const view of VIEWS) await orRefused(() => renderView(viewed.run, view));
  });
}

/** Commands of a machine, drawn from its grammar with values at and beyond the borders, on small machines. */
export const scripts = defineArea<string | Uint8Array>({
  name: 'scripts',
  inputs: script,
  check: (input) => checkScript(typeof input === 'string' ? input : Buffer.from(input).toString()),
  bytesOf: (input) => Buffer.from(input),
});
