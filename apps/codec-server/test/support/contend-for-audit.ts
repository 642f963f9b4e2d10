import { randomBytes } from 'node:crypto';
import { closeSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { openAuditFile } from '@temporal-kms/audit/file';
import { pino } from 'pino';

// For some milliseconds, and at least once, this process opens, writes and closes the audit file that its
// command line names. While the audit file is open, the process creates a second file, which only one process
// at a time can create. The process prints how many times it opened the audit file, and fails if it could not
// create the second file.
const [path = '', milliseconds = ''] = process.argv.slice(2);
const marker = `${path}.only-one`;
const end = performance.now() + Number(milliseconds);
let opened = 0;
while (performance.now() < end || opened === 0) {
  const file = await openAuditFile(path, {
    instance: randomBytes(8).toString('hex'),
    log: pino({ level: 'silent' }),
  }).catch(() => undefined);
  if (file === undefined) {
    await delay(Math.random() * 5);
    continue;
  }
  closeSync(openSync(marker, 'wx'));
  opened += 1;
  await file.append([`${JSON.stringify({ value: `${process.pid}-${opened}` })}\n`]);
  await delay(Math.random() * 5);
  unlinkSync(marker);
  await file.close();
}
writeSync(1, `${opened}\n`);
