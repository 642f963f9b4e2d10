import { scanReport, type ScanReport } from '@temporal-kms/codec-api';
import { codeOf } from '@temporal-kms/node-utils/error-details';
import { readTrustedFile } from '@temporal-kms/node-utils/trusted-files';
import { CliError } from '../cli/cli-error.ts';

/** Maximum size of a report in bytes. */
const MAX_REPORT_BYTES = 64 * 1024 * 1024;

/** Reads a report that `scan` wrote. @throws CliError */
export function readReport(file: string): ScanReport {
  let content: unknown;
  try {
    content = JSON.parse(readTrustedFile(file, MAX_REPORT_BYTES).toString('utf8'));
  } catch (error) {
    const fix = [`temporal-kms scan --out ${file}`];
    if (codeOf(error) === 'ENOENT')
      throw new CliError('notFound', `The report ${file} does not exist`, fix, error);
    // The message does not contain Node's JSON errors, which quote the report.
    const reason =
      error instanceof SyntaxError || !(error instanceof Error) ? 'it is not JSON' : error.message;
    throw new CliError('data', `The report ${file} cannot be read: ${reason}`, fix, error);
  }
  const report = scanReport.safeParse(content);
  if (report.success) return report.data;
  throw new CliError('data', `${file} is not a report from this version of scan`, [
    `temporal-kms scan --out ${file}`,
  ]);
}
