import { MODELS } from '../../allocators/index.ts';
import { WORKLOADS } from '../../workloads/index.ts';
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

/** What stands for the first positional argument, beside files. */
function wordsOf({ usage, choices }: DescribedCommand): readonly string[] {
  return /<(workload|in)>/.test(usage) ? WORKLOADS.map((w) => w.name) : choices;
}

const dashed = (o: DescribedOption) => (o.alias ? [`--${o.name}`, `-${o.alias}`] : [`--${o.name}`]);

/** A script that completes commands, options and their values without starting the program. */
export function completionScript(shell: Shell, commands: readonly DescribedCommand[]): string {
  if (shell === 'fish') return fishScript(commands);
  const bash = bashScript(commands);
  return shell === 'bash'
    ? bash
    : `#compdef ${PROGRAMS.join(' ')}\nautoload -U +X bashcompinit && bashcompinit\n${bash}`;
}

function bashScript(commands: readonly DescribedCommand[]): string {
  const tops = commands.filter((c) => !c.name.includes(' ')).map((c) => c.name);
  const cases = commands.map((c) => {
    const below = commands.filter((other) => other.name.startsWith(`${c.name} `)).map((o) => o.name.split(' ')[1]!);
    const options = [...c.options.flatMap(dashed), '--help'];
    const values = c.options
      .filter((o) => valuesOf(o).length > 0)
      .map((o) => `        ${dashed(o).join('|')}) words="${valuesOf(o).join(' ')}" ;;`);
    const files = c.options
      .filter((o) => !o.isFlag && valuesOf(o).length === 0)
      .flatMap(dashed)
      .join('|');
    return [
      `    '${c.name}')`,
      '      case "$previous" in',
      ...values,
      ...(files ? [`        ${files}) words="" ;;`] : []),
      `        *) case "$current" in -*) words="${options.join(' ')}" ;; *) words="${[...below, ...wordsOf(c)].join(' ')}" ;; esac ;;`,
      '      esac ;;',
    ].join('\n');
  });
  return `_allocsim() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" command="" words="" i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$command \${COMP_WORDS[i]}" in
${commands.map((c) => `      '${c.name.includes(' ') ? '' : ' '}${c.name}') command='${c.name}' ;;`).join('\n')}
    esac
  done
  [ "$previous" = "=" ] && previous="\${COMP_WORDS[COMP_CWORD-2]}"
  [ "$current" = "=" ] && { current=""; }
  case "$command" in
    '') words="${tops.join(' ')} --help --version" ;;
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  [ -z "$COMPREPLY" ] && COMPREPLY=($(compgen -f -- "$current"))
}
complete -o filenames -F _allocsim ${PROGRAMS.join(' ')}
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
      const [top, below] = c.name.split(' ');
      const seen = below
        ? `__fish_seen_subcommand_from ${top}; and __fish_seen_subcommand_from ${below}`
        : `__fish_seen_subcommand_from ${top}`;
      const when = `-n ${quote(seen)}`;
      if (below) {
        const first = quote(`__fish_seen_subcommand_from ${top}`);
        lines.push(`complete -c ${program} -n ${first} -a ${below} -d ${quote(c.about)}`);
      }
      if (wordsOf(c).length > 0) lines.push(`complete -c ${program} ${when} -a ${quote(wordsOf(c).join(' '))}`);
      for (const o of c.options) {
        const short = o.alias ? ` -s ${o.alias}` : '';
        const values = valuesOf(o).length > 0 ? ` -x -a ${quote(valuesOf(o).join(' '))}` : o.isFlag ? '' : ' -r';
        lines.push(`complete -c ${program} ${when} -l ${o.name}${short}${values} -d ${quote(o.about)}`);
      }
    }
  }
  return `${lines.join('\n')}\n`;
}
