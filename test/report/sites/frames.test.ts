import { describe, expect, test } from 'vitest';
import { frameText, ownLine, shortFrame } from '../../../bench/report/sites/frames.ts';
import { byLine } from '../../../bench/report/sites/lines.ts';

const frame = (functionName: string, file = '', line = 0, module = '') => ({ functionName, file, line, module });

describe('frames', () => {
  test.each([
    [frame('parse', '/src/a.c', 7), 'parse (/src/a.c:7)'],
    [frame('parse', '/src/a.c'), 'parse (/src/a.c)'],
    [frame('deflate', '', 0, '/lib/libz.so.1'), 'deflate [libz.so.1]'],
    [frame('0x1234', '', 0, '/opt/app'), 'app+0x1234'],
    [frame('(generated code)'), '(generated code)'],
    [frame(''), '(unknown)'],
  ])('%o is %s', (given, text) => {
    expect(frameText(given)).toBe(text);
  });

  test.each([
    [
      'std::map<int, std::vector<std::string> >::insert(int) (/usr/include/c++/12/map:3)',
      'std::map<…>::insert(…) (map:3)',
    ],
    ['main (/a/b.c:7)', 'main (b.c:7)'],
    ['operator<<(std::ostream&, Wide<int, long, short> const&) [app]', 'operator<<(…) [app]'],
    ['x::{lambda(int)#1}::operator()(int) const (/a.cc:1)', 'x::{lambda(…)#1}::operator()(…) const (a.cc:1)'],
    ['libx.so+0x12', 'libx.so+0x12'],
  ])('%s in few letters', (text, short) => {
    expect(shortFrame(text, 38)).toBe(short);
  });

  test.each([
    [['_start [app]', 'main (/src/a.c:3)', 'xmalloc (/src/mem.c:9)', 'malloc [libc.so.6]'], 'main (/src/a.c:3)'],
    [
      [
        'main (/src/a.cc:3)',
        'std::vector<int>::reserve(unsigned long) (/usr/include/c++/12/x.h:1)',
        'operator new(unsigned long) [libstdc++.so.6]',
      ],
      'main (/src/a.cc:3)',
    ],
    [['_start [php8.2]', 'php_execute_script [php8.2]', 'php (/srv/app.php:12)'], 'php (/srv/app.php:12)'],
    [['_start [app]', 'printf (./stdio-common/printf.c:33)'], 'printf (./stdio-common/printf.c:33)'],
    [['_start [app]', 'app+0x10', 'zmalloc [app]'], 'app+0x10'],
    [
      [
        'shop::main (/src/main.rs:4)',
        'serde_json::de::from_str (/root/.cargo/registry/src/index.crates.io-6f17d22bba15001f/serde_json-1.0.1/src/de.rs:9)',
        'hashbrown::map::HashMap<K,V,S,A>::insert (/rust/deps/hashbrown-0.16.1/src/map.rs:1843)',
        'alloc::alloc::alloc (/rustc/59807616e1fa/library/alloc/src/alloc.rs:95)',
      ],
      'shop::main (/src/main.rs:4)',
    ],
    [['shop::hold [shop]', '<alloc::raw_vec::RawVecInner>::finish_grow [shop]'], 'shop::hold [shop]'],
    [
      ['core::Engine::load(int) [game]', 'std::vector<int>::reserve(unsigned long) [game]'],
      'core::Engine::load(int) [game]',
    ],
    [['malloc'], 'malloc'],
    [[], '(unknown)'],
  ])('%j is known by %s', (stack, line) => {
    expect(ownLine(stack)).toBe(line);
  });

  test('lines add up the stacks that are known by them', () => {
    const stack = (held: number, ...of: string[]) => ({ stack: of, held, pinned: 1, freed: 2 });
    expect(
      byLine([stack(5, 'main (/a.c:1)', 'f [libx.so]'), stack(7, 'main (/a.c:2)'), stack(3, 'main (/a.c:1)')]),
    ).toEqual([
      { line: 'main (/a.c:1)', held: 8, pinned: 2, freed: 4 },
      { line: 'main (/a.c:2)', held: 7, pinned: 1, freed: 2 },
    ]);
  });
});
