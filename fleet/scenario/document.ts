import { isScalar, LineCounter, parseDocument, visit, type Document as YamlDocument } from 'yaml';
import { UserError } from '../../sim/contract/assert.ts';

/** The parser takes a second for so much. */
const TEXT_MAX = 2 ** 20;

/** A scenario's file as a document with its lines. @throws UserError for what is no YAML, too long, or has a key twice. */
export function scenarioDocument(text: string, from: string): { document: YamlDocument; lines: LineCounter } {
  if (text.length > TEXT_MAX) {
    throw new UserError(`${from}: found ${text.length} characters, expected a scenario of at most ${TEXT_MAX}`);
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: false });
  const fault = document.errors[0];
  if (fault) {
    const { line } = lines.linePos(fault.pos[0]);
    // What the parser's own recursion comes to.
    const isDeep = fault.message.includes('call stack');
    const text = isDeep
      ? 'found lists or maps within each other by the thousand, expected a few levels'
      : fault.message.split('\n')[0]!.replace(/ at line.*$/, '');
    throw new UserError(`${from}:${line}: ${text}`);
  }
  const again = repeatedKey(document);
  if (again) throw new UserError(`${from}:${lines.linePos(again.at).line}: found '${again.key}' twice`);
  return { document, lines };
}

/** What the document says. @throws UserError for an alias of nothing, and for aliases of aliases, which are more than the text is. */
export function contentOf(document: YamlDocument, lines: LineCounter, from: string): unknown {
  let first: { readonly at: number; readonly fault?: string } | undefined;
  visit(document, {
    Alias(_, alias) {
      const at = alias.range?.[0] ?? 0;
      first ??= { at };
      if (alias.resolve(document) !== undefined) return undefined;
      first = { at, fault: `found '*${alias.source}', expected its anchor &${alias.source} before it` };
      return visit.BREAK;
    },
  });
  const placeOf = (at: number) => `${from}:${lines.linePos(at).line}`;
  if (first?.fault !== undefined) throw new UserError(`${placeOf(first.at)}: ${first.fault}`);
  try {
    return document.toJS();
  } catch (error) {
    if (!first || !(error instanceof ReferenceError)) throw error;
    throw new UserError(
      `${placeOf(first.at)}: found aliases of aliases that stand for more than the file is, expected few`,
    );
  }
}

/** The parser itself would look for it with the square of the number of keys. */
function repeatedKey(document: YamlDocument): { readonly key: string; readonly at: number } | undefined {
  let found: { readonly key: string; readonly at: number } | undefined;
  visit(document, {
    Map(_, map) {
      const known = new Set<string>();
      for (const { key } of map.items) {
        const name = String(key);
        if (known.has(name)) {
          found = { key: name, at: (isScalar(key) && key.range?.[0]) || 0 };
          return visit.BREAK;
        }
        known.add(name);
      }
      return undefined;
    },
  });
  return found;
}
