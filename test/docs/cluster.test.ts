import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { CLI_BUILT, sim } from '../helpers/cli.ts';

interface Container {
  readonly command?: readonly string[];
  readonly args?: readonly string[];
}

function documentsOf(name: string): unknown[] {
  const text = readFileSync(new URL(`../../docs/examples/${name}`, import.meta.url), 'utf8');
  const documents = parseAllDocuments(text, { merge: true });
  for (const document of documents) expect(document.errors).toEqual([]);
  return documents.map((document) => document.toJS() as unknown);
}

/** The command after `allocsim`, and that it has each option that is given. */
function expectKnown(words: readonly string[]): void {
  const [command, ...rest] = words.slice(words.indexOf('allocsim') + 1);
  const { stdout } = sim([command!, '--help']);
  for (const option of rest.filter((word) => word.startsWith('--'))) expect(stdout).toMatch(new RegExp(`${option}\\b`));
  expect(rest).toContain('--engine');
}

describe.runIf(CLI_BUILT)('the examples of docs/cluster.md', () => {
  test('docker-compose.yml', () => {
    const [compose] = documentsOf('docker-compose.yml') as [
      { services: Record<string, Record<string, unknown>>; volumes: Record<string, unknown> },
    ];
    expect(Object.keys(compose.services)).toEqual(['redis', 'worker', 'client']);
    for (const name of ['worker', 'client'])
      expect(compose.services[name]).toMatchObject({ image: 'node:22-slim', depends_on: { redis: {} } });
    expectKnown(String(compose.services['worker']!['command']).split(' '));
    const entrypoint = compose.services['client']!['entrypoint'] as string[];
    expectKnown(entrypoint[2]!.replace('"$$@"', 'sweep').split(' '));
    const mounts = Object.values(compose.services).flatMap((service) => (service['volumes'] ?? []) as string[]);
    expect(mounts.map((mount) => mount.split(':')[0])).toEqual(Object.keys(compose.volumes));
  });

  test('kubernetes.yaml', () => {
    const documents = documentsOf('kubernetes.yaml') as {
      kind: string;
      metadata: { name: string };
      spec: { template?: { spec: { containers: Container[] } } };
    }[];
    expect(documents.map(({ kind, metadata }) => `${kind} ${metadata.name}`)).toEqual([
      'Service allocsim-redis',
      'Deployment allocsim-redis',
      'Job allocsim-workers',
      'Job allocsim-sweep',
    ]);
    for (const { kind, spec } of documents) {
      if (kind !== 'Job') continue;
      for (const { command = [], args = [] } of spec.template!.spec.containers) expectKnown([...command, ...args]);
    }
  });
});
