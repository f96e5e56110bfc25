import { MODELS } from '../../allocators/index.ts';
import { MACHINE_SCENARIOS } from '../../machine/scenarios/index.ts';
import { WORKLOADS } from '../../workloads/index.ts';
import { KERNEL_VIEWS, STRACE } from '../report/views/kernel-views.ts';
import type { DescribedCommand, DescribedOption } from './describe.ts';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

/** The names that the package installs. */
export const PROGRAMS = ['allocsim', 'sim'] as const;

/** Options whose value is an allocator. */
const ALLOCATOR_OPTIONS = new Set(['allocator', 'allocators']);

function valuesOf({ name, choices }: DescribedOption): readonly string[] {
  return ALLOCATOR_OPTIONS.has(name) ? MODELS.map((m) => m.name) : choices;
}

/** What may stand in one place of a command. */
interface Place {
  readonly words: readonly string[];
  readonly files: boolean;
}

const FILES: Place = { words: [], files: true };

function placeOf(positional: string, choices: readonly string[]): Place {
  switch (positional) {
    case 'workload':
    case 'in':
      return { words: WORKLOADS.map((w) => w.name), files: true };
    case 'view':
      return { words: viewNames(), files: false };
    case 'script':
      return { words: Object.keys(MACHINE_SCENARIOS), files: true };
    default:
      return choices.length > 0 ? { words: choices, files: false } : FILES;
  }
}

const viewNames = (): string[] => [
  ...new Set([...KERNEL_VIEWS.map((v) => v.name), STRACE, ...MODELS.flatMap((m) => m.views.map((v) => v.name))]),
];

/** Of the word behind the command, and of those behind that. */
function placesOf({ usage, choices }: DescribedCommand, below: readonly string[]): readonly [Place, Place] {
  if (below.length > 0) return [{ words: below, files: false }, FILES];
  const [first, second] = [...usage.matchAll(/[<[]([\w-]+)/g)].map((m) => m[1]!);
  const place = placeOf(first ?? '', choices);
  // An option may stand before the first argument: what it may be is offered later too.
  const later = second === undefined ? place : placeOf(second, []);
  return [place, { words: [...new Set([...later.words, ...place.words])], files: place.files || later.files }];
}

const belowOf = (commands: readonly DescribedCommand[], { name }: DescribedCommand): string[] =>
  commands.filter((other) => other.name.startsWith(`${name} `)).map((other) => other.name.split(' ')[1]!);

const dashed = (o: DescribedOption) => (o.alias ? [`--${o.name}`, `-${o.alias}`] : [`--${o.name}`]);

/** A script that completes commands, options and their values without starting the program. */
export function completionScript(shell: Shell, commands: readonly DescribedCommand[]): string {
  switch (shell) {
    case 'bash':
      return bashScript(commands);
    case 'zsh':
      return zshScript(commands);
    case 'fish':
      return fishScript(commands);
  }
}

/** Sets `command` from a word of the line, an element of an array: of bash and zsh. */
const commandCase = (commands: readonly DescribedCommand[], element: string): string =>
  [
    `    case "$command \${${element}}" in`,
    ...commands.map((c) => `      '${c.name.includes(' ') ? '' : ' '}${c.name}') command='${c.name}' ;;`),
    '    esac',
  ].join('\n');

/** Sets `offers`, and `files` where a file may stand, from `command`, `current` and `previous`: of bash and zsh. */
function offersCase(commands: readonly DescribedCommand[]): string {
  const tops = commands.filter((c) => !c.name.includes(' ')).map((c) => c.name);
  const set = ({ words, files }: Place) => `offers="${words.join(' ')}"${files ? ' files=1' : ''}`;
  const cases = commands.map((c) => {
    const [first, later] = placesOf(c, belowOf(commands, c));
    const options = [...c.options.flatMap(dashed), '--help'];
    const values = c.options
      .filter((o) => valuesOf(o).length > 0)
      .map((o) => `        ${dashed(o).join('|')}) offers="${valuesOf(o).join(' ')}" ;;`);
    const files = c.options
      .filter((o) => !o.isFlag && valuesOf(o).length === 0)
      .flatMap(dashed)
      .join('|');
    return [
      `    '${c.name}')`,
      '      case "$previous" in',
      ...values,
      ...(files ? [`        ${files}) files=1 ;;`] : []),
      '        *) case "$current" in',
      `          -*) offers="${options.join(' ')}" ;;`,
      `          *) if [ "$previous" = ${c.name.split(' ').at(-1)} ]; then ${set(first)}; else ${set(later)}; fi ;;`,
      '        esac ;;',
      '      esac ;;',
    ].join('\n');
  });
  return `  case "$command" in
    '') offers="${tops.join(' ')} --help --version" ;;
${cases.join('\n')}
  esac`;
}

function bashScript(commands: readonly DescribedCommand[]): string {
  return `_allocsim() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" command="" offers="" files="" i IFS
  for ((i = 1; i < COMP_CWORD; i++)); do
${commandCase(commands, 'COMP_WORDS[i]')}
  done
  [ "$previous" = "=" ] && previous="\${COMP_WORDS[COMP_CWORD-2]}"
  [ "$current" = "=" ] && { previous="\${COMP_WORDS[COMP_CWORD-1]}"; current=""; }
${offersCase(commands)}
  COMPREPLY=($(compgen -W "$offers" -- "$current"))
  IFS=$'\n'
  [ -n "$files" ] && COMPREPLY+=($(compgen -f -- "$current"))
}
complete -o filenames -F _allocsim ${PROGRAMS.join(' ')}
`;
}

function zshScript(commands: readonly DescribedCommand[]): string {
  return `#compdef ${PROGRAMS.join(' ')}
_allocsim() {
  local current="$words[CURRENT]" previous="$words[CURRENT-1]" command="" offers="" files="" i
  for ((i = 2; i < CURRENT; i++)); do
${commandCase(commands, 'words[i]')}
  done
  if [[ "$current" = --*=* ]]; then
    previous="\${current%%=*}"
    current="\${current#*=}"
    compset -P '*='
  fi
${offersCase(commands)}
  [ -n "$offers" ] && compadd -- \${=offers}
  [ -n "$files" ] && _files
}
if [ "$funcstack[1]" = "_allocsim" ]; then _allocsim "$@"; else compdef _allocsim ${PROGRAMS.join(' ')}; fi
`;
}

function fishScript(commands: readonly DescribedCommand[]): string {
  const quote = (text: string) => `'${text.replace(/\\/g, '\\\\').replace(/'/g, "\\'")}'`;
  const tops = commands.filter((c) => !c.name.includes(' '));
  const lines: string[] = [];
  for (const program of PROGRAMS) {
    for (const c of tops) {
      lines.push(`complete -c ${program} -n __fish_use_subcommand -f -a ${c.name} -d ${quote(c.about)}`);
    }
    for (const c of commands) {
      const [top, name] = c.name.split(' ');
      const below = belowOf(commands, c);
      const seen = `__fish_seen_subcommand_from ${top}`;
      const when = `-n ${quote(name ? `${seen}; and __fish_seen_subcommand_from ${name}` : seen)}`;
      if (name) {
        const siblings = belowOf(commands, tops.find((other) => other.name === top)!).join(' ');
        const first = quote(`${seen}; and not __fish_seen_subcommand_from ${siblings}`);
        lines.push(`complete -c ${program} -n ${first} -f -a ${name} -d ${quote(c.about)}`);
      }
      const [, place] = placesOf(c, below);
      if (below.length === 0 && place.words.length > 0) {
        const isAlone = place.files ? '' : ' -f';
        lines.push(`complete -c ${program} ${when}${isAlone} -a ${quote(place.words.join(' '))}`);
      }
      for (const o of c.options) {
        const short = o.alias ? ` -s ${o.alias}` : '';
        const values = valuesOf(o).length > 0 ? ` -x -a ${quote(valuesOf(o).join(' '))}` : o.isFlag ? '' : ' -r';
        lines.push(`complete -c ${program} ${when} -l ${o.name}${short}${values} -d ${quote(o.about)}`);
      }
    }
  }
  return `${lines.join('\n')}\n`;
}
