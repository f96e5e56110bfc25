import { type GateResult, isFailing } from './check.ts';
import { changeText, failureText, valueText } from './text.ts';

/** Workflow commands: an error for each failing check, one notice otherwise. */
export function githubAnnotations(gate: GateResult): string {
  const lines = gate.checks
    .filter(isFailing)
    .map((c) => `::error title=${property(`${c.workload} under ${c.allocator}`)}::${data(failureText(c))}`);
  if (lines.length === 0)
    lines.push(
      `::notice title=allocsim::${data(`${gate.checks.length} ${gate.first ? 'figures: a first result, there is no base' : 'checks passed'}`)}`,
    );
  return `${lines.join('\n')}\n`;
}

const data = (text: string) => text.replace(/%/g, '%25').replace(/\r/g, '%0D').replace(/\n/g, '%0A');
const property = (text: string) => data(text).replace(/:/g, '%3A').replace(/,/g, '%2C');

/** For $GITHUB_STEP_SUMMARY and comments: what failed first, then every run. */
export function gateMarkdown(gate: GateResult): string {
  const failing = gate.checks.filter(isFailing);
  const lines = [
    gate.passed
      ? gate.first
        ? `### Memory gate: first result (${gate.checks.length} figures, no base)`
        : `### Memory gate: passed (${gate.checks.length} checks)`
      : `### Memory gate: failed (${failing.length} of ${gate.checks.length} checks)`,
    '',
  ];
  for (const c of failing) lines.push(`- **${cell(c.workload)}** under \`${c.allocator}\`: ${cell(failureText(c))}`);
  if (failing.length > 0) lines.push('');
  for (const run of new Set(gate.checks.map((c) => c.run))) {
    const checks = gate.checks.filter((c) => c.run === run);
    const open = checks.some(isFailing) ? ' open' : '';
    lines.push(
      `<details${open}><summary>${html(run)}</summary>`,
      '',
      '| metric | base | head | change | |',
      '| --- | ---: | ---: | ---: | --- |',
      ...checks.map(
        (c) =>
          `| ${c.metric} | ${valueText(c, c.base)} | ${valueText(c, c.head)} | ${changeText(c)} | ${isFailing(c) ? `**${c.status}**` : c.status} |`,
      ),
      '',
      '</details>',
      '',
    );
  }
  return `${lines.join('\n')}\n`;
}

const cell = (text: string) => text.replace(/\|/g, '\\|');
const html = (text: string) => text.replace(/&/g, '&amp;').replace(/</g, '&lt;');
