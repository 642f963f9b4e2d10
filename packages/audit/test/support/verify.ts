/*
 * Verifies the files in the arguments, and prints the result. Imports only the verifier, to keep the heap
 * small.
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
