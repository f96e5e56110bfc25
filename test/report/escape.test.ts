import { describe, expect, test } from 'vitest';
import {
  escapeAnnotation,
  escapeAnnotationProperty,
  escapeLine,
  escapeLineStart,
  escapeMarkdown,
  escapeOrders,
  escapeTerminal,
  escapeXml,
  messageLine,
} from '../../bench/report/escape.ts';
import { csvField } from '../../sim/contract/escape.ts';

describe('what names and labels may hold is shown, and does nothing', () => {
  test.each([
    ['\u001b]0;title\u0007', '\\x1b]0;title\\x07'],
    ['a\nb\r\tc', 'a\\x0ab\\x0d\\x09c'],
    ['\u009b31m\u202eabc', '\\x9b31m\\u202eabc'],
    ['Grüße, 日本', 'Grüße, 日本'],
  ])('line %j', (text, shown) => expect(escapeLine(text)).toBe(shown));

  test.each([
    ['::error::forged', '“::error::forged”'],
    ['  ##[command]rm', '“  ##[command]rm”'],
    ['std::vector', 'std::vector'],
  ])('line start %j', (text, shown) => expect(escapeLineStart(text)).toBe(shown));

  test('no line is an order to a CI system, wherever it begins', () => {
    const text = 'a label that is folded\n  ::error::forged\nx ##[error]forged\nstd::vector\n::\n';
    expect(escapeOrders(text)).toBe(
      'a label that is folded\n  \\x3a:error::forged\nx ##\\x5berror]forged\nstd::vector\n\\x3a:\n',
    );
    expect(messageLine('found ##[error]x')).toBe('found ##\\x5berror]x');
  });

  test('a message: values without an end lose their middle, lines stay one', () => {
    const short = `--x: found '${'y'.repeat(200)}', expected a number`;
    expect(messageLine(short)).toBe(short);
    expect(messageLine(`--x: found '${'y'.repeat(10_000)}', expected a number`)).toBe(
      `--x: found '${'y'.repeat(199)}…${'y'.repeat(48)}', expected a number`,
    );
    const spaced = messageLine(`--x: found '${'y \u001b'.repeat(5000)}'\nexpected a number`);
    expect(spaced).toMatch(/^--x: found '(y \\x1b)+y? ?…/);
    expect(spaced).toMatch(/'\\x0aexpected a number$/);
    expect(() => encodeURIComponent(messageLine('\ud83d\ude00'.repeat(500)))).not.toThrow(); // no half characters
  });

  test('terminal: lines, tabs and colours stay', () => {
    expect(escapeTerminal('\u001b[1;31mred\u001b[0m\tx\ny\u001b[2Jz\u001b')).toBe(
      '\u001b[1;31mred\u001b[0m\tx\ny\\x1b[2Jz\\x1b',
    );
  });

  test('XML: markup, and what XML forbids', () => {
    expect(escapeXml('<a b="c">&\'\u0000\u001b\ufffe\ud800')).toBe('&lt;a b=&quot;c&quot;&gt;&amp;&#39;');
  });

  test('Markdown: no elements, links, mentions, cells or emphasis', () => {
    expect(escapeMarkdown('<img src=x>|[a](https://b)@c *d*\n# e')).toBe(
      '&lt;img src=x&gt;\\|\\[a\\](https&#58;//b)&#64;c \\*d\\*\\\\x0a\\# e',
    );
  });

  test('annotations', () => {
    expect(escapeAnnotation('50 %\n::error::x')).toBe('50 %25%0A::error::x');
    expect(escapeAnnotationProperty('a,b::c')).toBe('a%2Cb%3A%3Ac');
  });

  test.each([
    ['plain', 'plain'],
    ['a,"b"', '"a,""b"""'],
    ['=cmd()', "'=cmd()"],
    ['-5.5e3', '-5.5e3'],
    ['a\rb', 'a\\x0db'],
    ['\t=1', '\\x09=1'],
  ])('CSV %j', (text, field) => expect(csvField(text)).toBe(field));
});
