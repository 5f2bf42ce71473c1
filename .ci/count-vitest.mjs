// Prints `<passed> <failed>` of a vitest JSON report: node .ci/count-vitest.mjs <report> <exit status of vitest>
// A file that failed to load counts as a failure, as does a run without tests and one that failed for no test's sake.
import { existsSync, readFileSync } from 'node:fs';

const [, , path, status] = process.argv;
let passed = 0;
let failed = 0;
if (existsSync(path)) {
  const report = JSON.parse(readFileSync(path, 'utf8'));
  passed = report.numPassedTests;
  failed = report.numFailedTests;
  for (const file of report.testResults) {
    if (file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed')) failed++;
  }
}
if (failed === 0 && (passed === 0 || status !== '0')) failed = 1;
console.log(`${passed} ${failed}`);
