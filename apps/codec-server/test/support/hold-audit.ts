import { randomBytes } from 'node:crypto';
import { writeSync } from 'node:fs';
import { openAuditFile } from '@temporal-kms/audit/file';
import { pino } from 'pino';

// This process opens the audit file that its command line names, prints `held`, and closes the file when its
// standard input ends. If the process cannot open the file, it prints the reason.
const [path = ''] = process.argv.slice(2);
try {
  const file = await openAuditFile(path, {
    instance: randomBytes(8).toString('hex'),
    log: pino({ level: 'silent' }),
  });
  writeSync(1, 'held\n');
  process.stdin.resume().on('end', () => void file.close());
} catch (error) {
  writeSync(1, `${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(78);
}
