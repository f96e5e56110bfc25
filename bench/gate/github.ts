import { escapeAnnotation, escapeAnnotationProperty, escapeLine, escapeMarkdown, escapeXml } from '../report/escape.ts';
import { type GateResult, improvedText, isFailing } from './check.ts';
import { changeText, failureText, valueText } from './text.ts';

/** Workflow commands: an error for each failing check, one notice otherwise. */
export function githubAnnotations(gate: GateResult): string {
  const lines = gate.checks
    .filter(isFailing)
    .map((c) => `::error title=${escapeAnnotationProperty(c.run)}::${escapeAnnotation(failureText(c))}`);
  if (lines.length === 0)
    lines.push(
      `::notice title=allocsim::${escapeAnnotation(`${gate.checks.length} ${gate.first ? 'figures: a first result, there is no base' : `checks passed${improvedText(gate)}`}`)}`,
    );
  lines.push(...gate.unmatched.map((text) => `::warning title=allocsim::${escapeAnnotation(text)}`));
  return `${lines.join('\n')}\n`;
}

/** For $GITHUB_STEP_SUMMARY and comments: what failed first, then every run. */
export function gateMarkdown(gate: GateResult): string {
  const failing = gate.checks.filter(isFailing);
  const lines = [
    gate.passed
      ? gate.first
        ? `### Memory gate: first result (${gate.checks.length} figures, no base)`
        : `### Memory gate: passed (${gate.checks.length} checks${improvedText(gate)})`
      : `### Memory gate: failed (${failing.length} of ${gate.checks.length} checks${improvedText(gate)})`,
    '',
  ];
  for (const c of failing) lines.push(`- **${escapeMarkdown(c.run)}**: ${escapeMarkdown(failureText(c))}`);
  for (const text of gate.unmatched) lines.push(`- ${escapeMarkdown(text)}`);
  if (failing.length + gate.unmatched.length > 0) lines.push('');
  for (const run of new Set(gate.checks.map((c) => c.run))) {
    const checks = gate.checks.filter((c) => c.run === run);
    const open = checks.some(isFailing) ? ' open' : '';
    lines.push(
      `<details${open}><summary>${escapeXml(escapeLine(run))}</summary>`,
      '',
      '| metric | base | head | change | |',
      '| --- | ---: | ---: | ---: | --- |',
      ...checks.map(
        (c) =>
          `| ${escapeMarkdown(c.metric)} | ${valueText(c, c.base)} | ${valueText(c, c.head)} | ${changeText(c)} | ${isFailing(c) ? `**${c.status}**` : c.status} |`,
      ),
      '',
      '</details>',
      '',
    );
  }
  return `${lines.join('\n')}\n`;
}
