import { randomBytes } from 'node:crypto';
import { writeSync } from 'node:fs';
import { openAuditFile } from '@temporal-kms/audit/file';
import { propertyOf } from '@temporal-kms/node-utils/error-details';
import { pino } from 'pino';

// This process appends lines to the file that its command line names, prints the confirmed lines, and exits
// at the first error.
const [path = ''] = process.argv.slice(2);
const file = await openAuditFile(path, {
  instance: randomBytes(8).toString('hex'),
  log: pino({ level: 'silent' }),
});

/** Prints synchronously. Retries while the pipe is full, which happens if the parent is busy. */
function print(text: string): void {
  for (let printed = 0; printed < text.length;) {
    try {
      printed += writeSync(1, text.slice(printed));
    } catch (error) {
      if (propertyOf(error, 'code') !== 'EAGAIN') throw error;
    }
  }
}

for (let n = 0; ; n += 1) {
  const values = Array.from({ length: 3 }, (_, m) => `${process.pid}-${n}-${m}`);
  try {
    await file.append(values.map((value) => `${JSON.stringify({ value, filler: 'x'.repeat(200) })}\n`));
  } catch {
    print('refused\n');
    process.exit(0);
  }
  print(`${values.join('\n')}\n`);
}
