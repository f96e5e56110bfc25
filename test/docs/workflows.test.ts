import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { parse } from 'yaml';

const FOLDER = fileURLToPath(new URL('../../.github/workflows/', import.meta.url));

interface Job {
  readonly uses?: string;
  readonly permissions?: Readonly<Record<string, string>>;
  readonly steps?: readonly { readonly run?: string; readonly uses?: string }[];
}
interface Workflow {
  readonly on: Readonly<Record<string, unknown>>;
  readonly permissions: Readonly<Record<string, string>>;
  readonly jobs: Readonly<Record<string, Job>>;
}

const read = (name: string) => parse(readFileSync(FOLDER + name, 'utf8'), { strict: true }) as Workflow;
const commandsOf = ({ jobs }: Workflow): string[] =>
  Object.values(jobs).flatMap(({ steps = [] }) => steps.flatMap(({ run }) => run ?? []));

it.each(readdirSync(FOLDER))('%s may write nothing but what a job of it says', (name) => {
  const workflow = read(name);
  expect(workflow.permissions).toEqual({ contents: 'read' });
  for (const { uses, steps } of Object.values(workflow.jobs)) expect(uses === undefined).toBe(steps !== undefined);
});

/** With the steps that are commented out, for who wants them. */
const GATE = readFileSync(new URL('../../docs/workflow-gate.yml', import.meta.url), 'utf8');
const withOptionalSteps = GATE.replace(/^( +)# (- (?:run|uses|env):| {2})/gm, '$1$2');
const SCRIPTS = [
  ...readdirSync(FOLDER).map(read),
  parse(GATE, { strict: true }),
  parse(withOptionalSteps, { strict: true }),
].flatMap((workflow) => commandsOf(workflow as Workflow));

it('no branch and no title can write into a script: what is others’ comes in variables', () => {
  expect(SCRIPTS.some((script) => script.includes('bencher run'))).toBe(true);
  for (const script of SCRIPTS) {
    expect(script).not.toContain('${{');
    const { status, stderr } = spawnSync('bash', ['-n', '-e', '-c', script], { encoding: 'utf8' });
    expect({ status, stderr }, script).toEqual({ status: 0, stderr: '' });
  }
});

it('every change runs what anybody can run', () => {
  const ci = read('ci.yml');
  expect(Object.keys(ci.on)).toEqual(expect.arrayContaining(['pull_request', 'push']));
  expect(commandsOf(ci)).toContain('.ci/run');
});

it('a tag publishes with provenance, after the same checks', () => {
  const publish = read('publish.yml');
  expect(publish.on).toEqual({ push: { tags: ['v*'] } });
  expect(publish.jobs['ci']!.uses).toBe('./.github/workflows/ci.yml');
  expect(publish.jobs['publish']).toMatchObject({ needs: 'ci', permissions: { 'id-token': 'write' } });
  expect(commandsOf(publish).at(-1)).toBe('npm publish --provenance --access public');
});
