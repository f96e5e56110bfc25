import { escapeXml } from '../report/escape.ts';
import { type GateResult, isFailing } from './check.ts';
import { failureText, valueText } from './text.ts';

/** JUnit XML: a suite for each run, a case for each metric. */
export function junitXml(gate: GateResult): string {
  const runs = [...new Set(gate.checks.map((c) => c.run))];
  const attribute = (text: string) => escapeXml(text);
  const suites = runs.map((run) => {
    const checks = gate.checks.filter((c) => c.run === run);
    const cases = checks.map((c) => {
      const open = `    <testcase classname="${attribute(run)}" name="${attribute(c.metric)}"`;
      const figures = `base ${valueText(c, c.base)}, head ${valueText(c, c.head)}, ${c.status}`;
      if (isFailing(c)) {
        return `${open}>\n      <failure message="${attribute(failureText(c))}" type="${c.status}">${escapeXml(figures)}</failure>\n    </testcase>`;
      }
      return `${open}>\n      <system-out>${escapeXml(figures)}</system-out>\n    </testcase>`;
    });
    return [
      `  <testsuite name="${attribute(run)}" tests="${checks.length}" failures="${checks.filter(isFailing).length}" errors="0" skipped="0">`,
      ...cases,
      '  </testsuite>',
    ].join('\n');
  });
  const failures = gate.checks.filter(isFailing).length;
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="allocsim gate" tests="${gate.checks.length}" failures="${failures}" errors="0">\n${suites.join('\n')}\n</testsuites>\n`;
}
