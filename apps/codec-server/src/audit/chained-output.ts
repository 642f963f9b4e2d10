import { chain, NOTHING } from './chain.ts';
import type { AuditFile, AuditFileOptions } from './audit-file.ts';
import { openedLine } from './file-marks.ts';
import type { Append } from './line-queue.ts';

/** Lines on standard output, where others write as well: one chain for each process, which begins with its first line. */
export async function chainedOutput(
  output: Append,
  { instance, digestKey }: Pick<AuditFileOptions, 'instance' | 'digestKey'>,
): Promise<Pick<AuditFile, 'append' | 'head'>> {
  let head = NOTHING;
  const append: AuditFile['append'] = async (lines) => {
    const chained = chain(instance, head, lines);
    // Before they are written: a write that fails may have written some of them.
    head = chained.head;
    await output(chained.bytes.toString('utf8'));
  };
  await append([openedLine(instance, { digestKey })]);
  return { append, head: () => head };
}
