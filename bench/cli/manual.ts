import type { DescribedCommand } from './describe.ts';

/** The manual page, in the macros of man(7). */
export function manualPage(
  commands: readonly DescribedCommand[],
  { version, about, epilogue }: { readonly version: string; readonly about: string; readonly epilogue: string },
): string {
  const lines = [
    `.TH ALLOCSIM 1 "" "allocsim ${version}" "User Commands"`,
    '.SH NAME',
    'allocsim, sim \\- what a program\\(aqs memory would look like under another allocator',
    '.SH SYNOPSIS',
    '.B allocsim',
    '.I COMMAND',
    '[\\fIOPTION\\fR ...]',
    '.SH DESCRIPTION',
    roff(about),
    '.SH COMMANDS',
  ];
  for (const c of commands) {
    lines.push('.SS', `${roff(c.usage)}`, `${roff(capital(c.about))}.`);
    for (const o of c.options) {
      const dashes = o.alias ? `\\-${o.alias}, \\-\\-${roff(o.name)}` : `\\-\\-${roff(o.name)}`;
      const value = o.isFlag ? '' : ` \\fI${roff(o.choices.length > 0 ? o.choices.join('|') : 'VALUE')}\\fR`;
      const initial = o.defaultText === undefined ? '' : ` (default: ${o.defaultText})`;
      lines.push('.TP', `\\fB${dashes}\\fR${value}`, roff(`${o.about}${initial}`));
    }
  }
  lines.push(
    '.SH EXIT STATUS',
    roff(epilogue),
    '.SH FILES',
    '.TP',
    '\\fIallocsim.json\\fR',
    roff(
      'In the working folder: options that are not given, by command, as in {"run": {"kernel": "6.1"}}; "*" for every command that has them.',
    ),
    '.SH ENVIRONMENT',
    '.TP',
    '\\fBCOLUMNS\\fR',
    roff('How wide the text is where the output is no terminal; 80 without it.'),
    '.TP',
    '\\fBNO_COLOR\\fR, \\fBFORCE_COLOR\\fR',
    roff('No colours; colours where the output is no terminal.'),
  );
  return `${lines.join('\n')}\n`;
}

const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

/** Text as roff takes it: a dot or an apostrophe at the beginning of a line would be a request. */
function roff(text: string): string {
  return text
    .replace(/\\/g, '\\e')
    .replace(/-/g, '\\-')
    .replace(/^([.'])/, '\\&$1');
}
