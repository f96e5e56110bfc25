// Runs the tests of what is built (npm ci builds; npm test would once more). Usage: node .ci/tests.js FOLDER, which gets the reports, "counts" (passed and failed) and "failures".
//
// A test that fails beside others is run once more with the machine to itself: many tests wait for processes that they
// start, and on two busy processors one may wait too long. What passes only then is named, what fails again has failed.
// A test that did not run has checked nothing, so it counts as failed; but for want of the recorded traces beside the
// checkout, which are no part of it.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { relative } from 'node:path';

const folder = process.argv[2];
const root = process.cwd();

function run(name, command, args) {
  const report = `${folder}/${name}.json`;
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const { status } = spawnSync(command, [...args, ...reporters], { stdio: 'inherit' });
  return { status, files: existsSync(report) ? JSON.parse(readFileSync(report, 'utf8')).testResults : [] };
}

/** Every test by file, name and number among those of one name; a file that could not be loaded is one failed test. */
function outcomes(files) {
  const tests = new Map();
  for (const { name, assertionResults, status, message } of files) {
    const file = relative(root, name);
    const named = new Map();
    for (const { fullName, status, failureMessages } of assertionResults) {
      const number = (named.get(fullName) ?? 0) + 1;
      named.set(fullName, number);
      const key = `${file} > ${fullName}${number > 1 ? ` (${number})` : ''}`;
      tests.set(key, { file, status, message: failureMessages.join('\n') });
    }
    if (status === 'failed' && !assertionResults.some((test) => test.status === 'failed'))
      tests.set(file, { file, status, message });
  }
  return tests;
}

const first = run('tests', 'npm', ['test', '--ignore-scripts', '--']);
const tests = outcomes(first.files);
const failed = () => [...tests].filter(([, { status }]) => status === 'failed');
const alone = failed();
if (alone.length > 0) {
  console.log(`\n=== once more, alone: ${alone.length} tests`);
  const files = [...new Set(alone.map(([, { file }]) => file))];
  const again = outcomes(run('alone', 'npx', ['vitest', 'run', '--maxWorkers=1', ...files]).files);
  for (const [name] of alone) {
    const outcome = again.get(name);
    if (outcome?.status !== 'passed') continue;
    console.log(`passed only alone: ${name}\n${tests.get(name).message.split('\n')[0]}`);
    tests.set(name, outcome);
  }
}
const notRun = [...tests].filter(([, { status }]) => status !== 'passed' && status !== 'failed');
const missing = existsSync('../shared/traces') ? notRun.length : 0;
const failures = [
  ...notRun.map(([name]) => `not run: ${name}\n`),
  ...failed().map(([name, { message }]) => `failed: ${name}\n${message.slice(0, 2000)}\n`),
];
writeFileSync(`${folder}/failures`, failures.join(''));
const passed = [...tests.values()].filter(({ status }) => status === 'passed').length;
const failedOnes = failed().length + missing;
writeFileSync(`${folder}/counts`, `${passed} ${failedOnes}\n`);
// Without a test, or with a fault outside of every test, all of it has failed.
process.exitCode = failedOnes > 0 || passed === 0 || (first.status !== 0 && alone.length === 0) ? 1 : 0;
