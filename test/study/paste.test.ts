import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { MODELS } from '../../allocators/index.ts';
import type { OptionDescriptor } from '../../allocators/model.ts';
import { type AllocatorSpec, parseAllocator } from '../../allocators/spec.ts';
import { pasteOf, variablesOfLayer } from '../../bench/study/paste.ts';
import { temporaryFolder } from '../helpers/temporary.ts';

const valuesOf = (o: OptionDescriptor): readonly string[] =>
  o.choices ?? (o.kind === 'boolean' ? ['true', 'false'] : [`${o.min ?? 1}`, '64K', '1048576']);

function specOf(text: string): AllocatorSpec[] {
  try {
    return [parseAllocator(text, 2)];
  } catch {
    return []; // beyond what the option takes
  }
}

/** Every option of every model that a variable sets, with values of all kinds. */
const SPECS = MODELS.flatMap(({ name, options }) =>
  options.flatMap((o) => valuesOf(o).flatMap((value) => specOf(`${name}:${o.name}=${value}`))),
).filter((spec) => pasteOf(spec).length > 0);
const textIn = (place: string, spec: AllocatorSpec) => pasteOf(spec).find((paste) => paste.place === place)!.text;
const wanted = ({ model, given }: AllocatorSpec) => variablesOfLayer(model.name, given).map(([n, v]) => `${n}=${v}`);

describe('a setting that is pasted arrives as it is', () => {
  test('there are many', () => expect(SPECS.length).toBeGreaterThan(80));

  test.each(['sh', 'bash'])('in %s', (shell) => {
    const script = SPECS.map((spec) => `(${textIn('shell', spec)}; env; echo)`).join('\n');
    const { stdout, stderr } = spawnSync(shell, ['-c', script], {
      encoding: 'utf8',
      env: { PATH: process.env['PATH'] },
      stdio: ['ignore', 'pipe', 'pipe'], // a socket makes bash read .bashrc
    });
    expect(stderr).toBe('');
    const environments = stdout.split('\n\n');
    for (const [i, spec] of SPECS.entries())
      expect(environments[i]!.split('\n')).toEqual(expect.arrayContaining(wanted(spec)));
  });

  test('in units and Dockerfiles: no character of a value means anything to systemd.syntax(7) or to ENV', () => {
    for (const spec of SPECS) {
      const set = wanted(spec);
      for (const text of set) expect(text).toMatch(/^[A-Z_]+=[\w.:,=-]+$/);
      expect(textIn('systemd', spec)).toBe(['[Service]', ...set.map((text) => `Environment=${text}`)].join('\n'));
      expect(textIn('Dockerfile', spec)).toBe(set.map((text) => `ENV ${text}`).join('\n'));
    }
  });

  test.skipIf(!existsSync('/usr/bin/systemd-analyze'))('systemd takes them as drop-ins', () => {
    const folder = temporaryFolder();
    const units = SPECS.map((spec, i) => {
      const unit = join(folder, `u${i}.service`);
      mkdirSync(`${unit}.d`);
      writeFileSync(unit, '[Service]\nExecStart=/bin/true\n');
      writeFileSync(join(`${unit}.d`, 'allocator.conf'), textIn('systemd', spec));
      return unit;
    });
    const { status, stderr } = spawnSync('systemd-analyze', ['verify', ...units], {
      encoding: 'utf8',
      env: { ...process.env, SYSTEMD_UNIT_PATH: `${folder}:` },
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });

  const LOADER = '/lib64/ld-linux-x86-64.so.2';
  test.skipIf(!existsSync(LOADER))('glibc reads the values', () => {
    for (const spec of SPECS.filter(({ model }) => model.name === 'glibc')) {
      const [variable] = wanted(spec);
      const [name, value] = Object.entries(spec.given)[0]!;
      const { stdout } = spawnSync(LOADER, ['--list-tunables'], {
        encoding: 'utf8',
        env: { GLIBC_TUNABLES: variable!.replace('GLIBC_TUNABLES=', '') },
      });
      const line = stdout.split('\n').find((each) => each.startsWith(`glibc.malloc.${name}:`));
      // An older one has no such tunable, or shows none at all.
      if (line) expect(BigInt(/: (-?\w+)/.exec(line)![1]!), line).toBe(BigInt(Number(value)));
    }
  });
});
