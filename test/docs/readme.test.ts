import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { sim } from '../helpers/cli.ts';
import { temporaryFolder } from '../helpers/temporary.ts';

const README = 'README.md';
const INDENT = '    ';
/** `    $ npx sim …` and the indented lines below it; a last line `…` stands for what is left out. */
const BLOCK = /^ {4}\$ npx sim (.*)\n((?: {4}.*\n|\n(?= {4}))*)/gm;
const REST = `${INDENT}…\n`;

const shown = (output: string): string =>
  output
    .trimEnd()
    .split('\n')
    .map((line) => (line === '' ? '\n' : `${INDENT}${line}\n`))
    .join('');

// ALLOCSIM_UPDATE=1 writes the outputs anew after a deliberate change; what was left out stays so.
const blocks = [...readFileSync(README, 'utf8').matchAll(BLOCK)].map(([all, command, body]) => ({
  all,
  command: command!.replace(/ +#.*/, ''),
  body: body!,
}));

test('README shows some outputs', () => expect(blocks.length).toBeGreaterThanOrEqual(3));

test.each(blocks)('README shows what it says: $command', ({ all, command, body }) => {
  const { status, stdout } = sim(command.split(' '), { COLUMNS: '80' });
  expect(status).toBe(0);
  const isCut = body.endsWith(REST);
  const lines = shown(stdout).split(/(?<=\n)/);
  const kept = isCut ? body.slice(0, -REST.length).split(/(?<=\n)/).length : lines.length;
  const wanted = lines.slice(0, kept).join('') + (isCut ? REST : '');
  if (process.env['ALLOCSIM_UPDATE']) {
    const text = readFileSync(README, 'utf8');
    writeFileSync(
      README,
      text.replace(all, () => all.slice(0, all.indexOf('\n') + 1) + wanted),
    );
  } else {
    expect(body).toBe(wanted);
  }
});

test("README's picture is what its command draws", () => {
  const picture = 'docs/images/lanczos-32t.svg';
  const drawn = process.env['ALLOCSIM_UPDATE'] ? picture : join(temporaryFolder(), 'drawn.svg');
  expect(sim(['run', 'lanczos-32t', '--quiet', '--svg', drawn]).status).toBe(0);
  expect(readFileSync(drawn, 'utf8')).toBe(readFileSync(picture, 'utf8'));
});
