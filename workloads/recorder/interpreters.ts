import { basename } from 'node:path';
import type { ObservationText } from './observation-text.ts';

/** What runs scripts, by the name of the program or of a library of it, and how to see more of them in call sites. */
const INTERPRETERS: readonly {
  readonly pattern: RegExp;
  readonly name: string;
  readonly more: string;
  readonly isMore: RegExp;
}[] = [
  {
    pattern: /^(lib)?python\d/,
    name: 'Python',
    more: 'PYTHONPERFSUPPORT=1 names the script’s functions, from Python 3.12 on',
    isMore: /PYTHONPERFSUPPORT=1|-X[ =]?perf/,
  },
  {
    pattern: /^(node|nodejs)$/,
    name: 'V8',
    more: 'node --perf-basic-prof --interpreted-frames-native-stack names the script’s functions',
    isMore: /--perf-basic-prof/,
  },
  {
    pattern: /^(java|libjvm\.)/,
    name: 'the JVM',
    more: '-XX:+DumpPerfMapAtExit names compiled methods',
    isMore: /DumpPerfMap/,
  },
  {
    pattern: /^(lib)?ruby/,
    name: 'Ruby',
    more: 'ruby --yjit --yjit-perf names compiled methods',
    isMore: /--yjit-perf/,
  },
  { pattern: /^(lib)?perl/, name: 'Perl', more: '', isMore: /^$/ },
];

/** A word on call sites within an interpreter, where there is something to say. */
export function interpreterNote(command: string, start: ObservationText | undefined): string | undefined {
  const files = [command.split(' ')[0]!, ...(start?.mappings ?? []).map(({ name }) => basename(name))];
  const found = INTERPRETERS.find(({ pattern }) => files.some((file) => pattern.test(file)));
  if (!found) return undefined;
  const said = [...(start?.command ?? []), ...(start?.environment ?? [])].join(' ');
  if (found.more !== '' && found.isMore.test(said)) return undefined;
  const what = `${files[0]}: frames within ${found.name} are the interpreter’s own functions, not the script’s`;
  return found.more === '' ? what : `${what}: ${found.more}`;
}
