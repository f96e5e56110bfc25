import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

// What documents name is there: files, links with their anchors, scripts of npm, functions and fields.

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: ROOT,
  encoding: 'utf8',
})
  .split('\n')
  .filter((file) => file !== '' && existsSync(join(ROOT, file)));
const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');
const names = new Set(files.map((file) => basename(file)));
const scripts = (JSON.parse(read('package.json')) as { readonly scripts: Record<string, string> }).scripts;

/** Every word of the sources. */
const words = new Set(
  files
    .filter((file) => /\.(ts|[ch]|json|yml)$/.test(file) && !file.startsWith('test/'))
    .flatMap((file) => read(file).match(/\w+/g) ?? []),
);

/** As GitHub makes them of headings. */
const anchorsOf = (file: string): string[] =>
  [...read(file).matchAll(/^#+ (.+)$/gm)].map(([, title]) =>
    title!
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  );

const withoutBlocks = (text: string): string => text.replace(/```[\s\S]*?```/g, '');

function wrongLinks(file: string): string[] {
  return [...withoutBlocks(read(file)).matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, link]) => {
    if (/^(https?|mailto):/.test(link!)) return [];
    const [path = '', anchor] = link!.split('#');
    const target = path === '' ? file : join(dirname(file), path);
    if (!existsSync(join(ROOT, target))) return [`link ${link}`];
    return anchor !== undefined && !anchorsOf(target).includes(anchor) ? [`anchor ${link}`] : [];
  });
}

/** Single words of code; FIDELITY.md names files of the real sources. */
function wrongWords(file: string): string[] {
  return [...withoutBlocks(read(file)).matchAll(/`([^`\n]+)`/g)].flatMap(([, code]) => {
    if (code!.includes('/NAME/')) return [];
    if (/^(sim|bench|allocators|workloads|machine|fleet|test|docs)\/[\w/.-]+$/.test(code!)) {
      return existsSync(join(ROOT, code!)) ? [] : [`path ${code}`];
    }
    if (/^[\w-]+\.ts$/.test(code!)) return names.has(code!) ? [] : [`file ${code}`];
    return /^[a-z]+[A-Z]\w*$/.test(code!) && !words.has(code!) ? [`name ${code}`] : [];
  });
}

const documents = files.filter((file) => file.endsWith('.md') && !file.startsWith('test/'));

it.each(documents)('%s names what there is', (file) => {
  const missing = [...read(file).matchAll(/npm run (?:--silent )?([\w:-]+)/g)].flatMap(([, script]) =>
    scripts[script!] === undefined ? [`script ${script}`] : [],
  );
  expect([...wrongLinks(file), ...wrongWords(file), ...missing]).toEqual([]);
});
