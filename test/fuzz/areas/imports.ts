import { IMPORTERS, importTrace } from '../../../workloads/import/index.ts';
import { readTrace } from '../../../workloads/trace/reader.ts';
import { formatTrace } from '../../../workloads/trace/writer.ts';
import { type Area, defineArea } from '../area.ts';
import { corpusOf } from '../corpus.ts';
import { mutated } from '../mutation.ts';
import { orRefused } from '../refusal.ts';
import { scratchFile } from '../scratch.ts';

async function checkLog(bytes: Uint8Array): Promise<void> {
  const path = scratchFile('log', bytes);
  const forced = IMPORTERS.map((importer) => importer.name)[
    bytes.length % IMPORTERS.map((importer) => importer.name).length
  ]!;
  for (const format of [undefined, forced]) {
    const imported = await orRefused(() => importTrace(path, { quantumNs: 1000, ...(format && { format }) }));
    if (!imported) continue;
    // What an importer makes is a trace that keeps every rule.
    const text = Buffer.concat([...formatTrace(imported.events)].map((chunk) => chunk.slice()));
    await readTrace(scratchFile('imported', text), {});
  }
}

export const imports: Area = defineArea({
  name: 'import',
  inputs: mutated(corpusOf('import')),
  check: checkLog,
  bytesOf: (bytes) => bytes,
});
