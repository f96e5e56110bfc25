import type { Facts } from '../explanation.ts';
import { settingName } from '../settings/setting.ts';
import type { WhatIf } from '../settings/what-if.ts';
import { type Finding, WORTH_FINDING } from './mechanism.ts';

/** So much of a finding's bytes. */
const NEARLY_ALL = 0.8;

/** The findings but those that the run without their mechanism refutes, and those that another says more of. */
export function atWork(findings: readonly Finding[], facts: Facts, whatIf: readonly WhatIf[]): Finding[] {
  const enough = facts.sample.rssBytes * WORTH_FINDING;
  const standing = findings.filter(({ testedBy }) => {
    const without = testedBy && whatIf.find(({ setting, failed }) => !failed && setting === settingName(testedBy));
    if (!without) return true;
    return facts.sample.rssBytes - without.rssBytes >= enough || facts.rssPeakBytes - without.rssPeakBytes >= enough;
  });
  return standing.filter(
    (f) => !standing.some(({ mechanism, bytes }) => mechanism === f.within && bytes >= f.bytes * NEARLY_ALL),
  );
}
