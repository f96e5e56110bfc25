import { loadCosts } from '../../../bench/cli/time-options.ts';
import { bencherMetrics, githubActionBenchmark } from '../../../bench/gate/benchmark-files.ts';
import { checkGate } from '../../../bench/gate/check.ts';
import { gateMarkdown, githubAnnotations } from '../../../bench/gate/github.ts';
import { junitXml } from '../../../bench/gate/junit.ts';
import { readResults } from '../../../bench/gate/result-files.ts';
import { gateText } from '../../../bench/gate/text.ts';
import { gateConfigSchema, suiteSchema } from '../../../bench/schema/gate.ts';
import { parseWith } from '../../../bench/schema/result.ts';
import { readJson } from '../../../workloads/files/json-file.ts';
import { type Area, defineArea } from '../area.ts';
import { corpusOf } from '../corpus.ts';
import { mutated } from '../mutation.ts';
import { orRefused } from '../refusal.ts';
import { scratchFile } from '../scratch.ts';

const CORPUS = corpusOf('json');
const base = () => readResults(scratchFile('base.json', CORPUS[0]!));

/** What is shown of another's result is lines of ours, however its names read. */
function checkShown(markdown: string, annotations: string, text: string, xml: string): void {
  if (/<(?!\/?(details|summary)\b)/.test(markdown.replace(/`+[^`]*`+/g, ''))) throw new Error('an element in Markdown');
  for (const line of annotations.split('\n')) {
    if (line !== '' && !/^::(error|notice) title=[^:]*::/.test(line)) throw new Error(`annotation: ${line}`);
  }
  for (const line of text.split('\n')) if (/^\s*(::|##)/.test(line)) throw new Error(`an order in text: ${line}`);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that may not appear
  if (/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/.test(xml + markdown + text)) throw new Error('a control character');
}

async function checkFile(bytes: Uint8Array): Promise<void> {
  const path = scratchFile('file.json', bytes);
  const head = await orRefused(() => readResults(path));
  if (head) {
    const gate = await orRefused(() => checkGate(base(), head));
    githubActionBenchmark(head);
    bencherMetrics(head);
    if (gate) checkShown(gateMarkdown(gate), githubAnnotations(gate), gateText(gate), junitXml(gate));
  }
  await orRefused(() => checkGate(base(), base(), parseWith(gateConfigSchema, readJson(path), path)));
  await orRefused(() => parseWith(suiteSchema, readJson(path), path));
  await orRefused(() => loadCosts(path));
}

export const json: Area = defineArea({
  name: 'json',
  inputs: mutated(CORPUS),
  check: checkFile,
  bytesOf: (bytes) => bytes,
});
