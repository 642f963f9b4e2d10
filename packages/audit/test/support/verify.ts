/*
 * Verifies the files that the arguments name, and prints the result. To keep the heap small, it imports only
 * the verifier.
 */
import { verifyAudit } from '../../src/verify.ts';

const { ok, problems, files } = await verifyAudit({
  files: process.argv.slice(2),
  mixed: false,
  expected: [],
  after: [],
});
const ofFiles = files.flatMap((file) => file.problems.map(({ problem }) => problem));
process.stdout.write(JSON.stringify({ ok, problems, ofFiles }));
