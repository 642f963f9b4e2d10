/* Verifies the files of its arguments, and prints the result. Imports only what the verifier needs, for a small heap. */
import { verifyAudit } from '../../src/verify.ts';

const { ok, problems, files } = await verifyAudit({
  files: process.argv.slice(2),
  mixed: false,
  expected: [],
  after: [],
});
const ofFiles = files.flatMap((file) => file.problems.map(({ problem }) => problem));
process.stdout.write(JSON.stringify({ ok, problems, ofFiles }));
