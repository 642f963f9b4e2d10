import type { ScanReport } from '@temporal-kms/codec-api';
import { messageOf } from '@temporal-kms/node-utils/error-details';
import { CliError } from '../cli/cli-error.ts';
import type { DefineCommand } from '../cli/deps.ts';
import { addCommonOptions, addKeyOption } from '../cli/options.ts';
import { createOutput } from '../cli/output.ts';
import { writePrivateFile } from '../cli/private-file.ts';
import { lostLines, lostVersions } from '../scan/lost-versions.ts';
import { gapLines, reportLines } from '../scan/report-text.ts';
import { addScanOptions, scan, type ScanOptions } from '../scan/scan-options.ts';

const examples = `
Examples:
  $ temporal-kms scan --env-file worker.env
  $ temporal-kms scan --namespace payments --namespace orders --rps 20 --out report.json
  $ temporal-kms scan --namespace payments --exports gs://exports/temporal-workflow-history/payments
  $ temporal-kms scan --json | jq '.namespaces[].keys[] | {key, version, places}'

Decrypts nothing. Needs permission to read the namespaces in Temporal (Read in Temporal Cloud) and, for the states of
key versions, roles/cloudkms.viewer on each key. Exits with 1 if the scan could not see everything,
or if histories need a version that is destroyed or whose destruction is scheduled.`;

interface ScanCommandOptions extends ScanOptions {
  readonly out?: string;
}

/** `scan`: determines which key versions the histories of namespaces need. */
export const define: DefineCommand = (command, deps, exit) => {
  command
    .option('--out <file>', 'write the report to a file, as JSON, readable only by its owner')
    .addHelpText('after', examples);
  addScanOptions(addKeyOption(addCommonOptions(command))).action(async (options: ScanCommandOptions) => {
    const output = createOutput(deps, options.json === true);
    const report = await scan(options, deps, output);
    if (options.out !== undefined) await writeReport(options.out, report);
    const lost = lostVersions(report);
    const lines = lost.flatMap(lostLines);
    // Prints gaps and lost versions on standard error too, because readers of a JSON report easily overlook them.
    if (options.json === true) for (const line of [...gapLines(report), ...lines]) output.progress(line);
    output.result(report, () => [...reportLines(report), ...lines]);
    if (!report.complete || lost.length > 0) exit('failed');
  });
};

async function writeReport(file: string, report: ScanReport): Promise<void> {
  try {
    await writePrivateFile(file, `${JSON.stringify(report, undefined, 2)}\n`);
  } catch (error) {
    const reason = messageOf(error);
    throw new CliError('configuration', `The report cannot be written: ${reason}`, [], error);
  }
}
