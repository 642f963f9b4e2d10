import { resolve } from 'node:path';
import { reasonEntries, reasons } from '@temporal-kms/codec-api';
import type { ObjectStorage } from '@temporal-kms/payload-storage';
import { Option } from 'commander';
import { CliError } from '../cli/cli-error.ts';
import type { CliDeps, DefineCommand } from '../cli/deps.ts';
import { withEnvFile } from '../cli/environment.ts';
import { addCommonOptions, type CommonOptions } from '../cli/options.ts';
import { createOutput, type Output } from '../cli/output.ts';
import { createOutputFile } from '../cli/output-file.ts';
import { decryptInput, type OutputForm, outputForms } from '../decrypt/decrypt-input.ts';
import type { DecryptCounts } from '../decrypt/decryptor.ts';
import { decryptionFrom, type OpenDecryption, withDecryption } from '../decrypt/with-decryption.ts';
import { type InputFormat, inputFormats, parseInput } from '../payload-files/parse-input.ts';
import { readBytes } from '../payload-files/read-bytes.ts';
import { EXTERNAL_STORAGE, withStorage } from '../storage/open-storage.ts';

const examples = `
Examples:
  $ temporal-kms decrypt history.json --namespace payments-prod --justification 'ticket 4711' --audit decryptions.jsonl --out plain.json
  $ temporal workflow show -w order-1 -o json | temporal-kms decrypt --namespace payments-prod --justification 'ticket 4711' --as decoded
  $ temporal-kms decrypt payload.json --namespace payments-prod --env-file codec-server.env --audit decryptions.jsonl --justification 'ticket 4711'

Needs roles/cloudkms.cryptoKeyDecrypter on each key, and an application's variables. Prints plaintext. The audit
(--audit or AUDIT_FILE) has an intent before anything is decrypted, and an outcome before anything is printed. Exits with 1
if a payload cannot be decrypted: its reason code is in its place.`;

interface DecryptOptions extends CommonOptions {
  readonly format: InputFormat;
  readonly as: OutputForm;
  readonly namespace?: string;
  readonly workflowId?: string;
  readonly out?: string;
  readonly audit?: string;
  readonly justification?: string;
  readonly externalStorage?: string;
}

/**
 * `decrypt`: decrypts payloads and exported histories with an application's keys, and records each decryption in an
 * audit.
 */
export const define: DefineCommand = (command, deps, exit) => {
  command
    .argument('[file]', 'file, gs://BUCKET/OBJECT, or - for standard input (default)')
    .addOption(new Option('--format <form>', 'what the input contains').choices(inputFormats).default('auto'))
    .addOption(
      new Option('--as <form>', 'JSON for people, payloads that SDKs replay, or the bytes of one payload')
        .choices(outputForms)
        .default('readable'),
    )
    .option('--namespace <name>', "the payloads' namespace (default: TEMPORAL_NAMESPACE)")
    .option('--workflow-id <id>', "the payloads' workflow (default: the history's)")
    .option('--out <file>', 'write to this file, readable only by its owner; it must not exist')
    .option('--audit <file>', 'append the audit to this file (default: AUDIT_FILE)')
    .option(EXTERNAL_STORAGE, 'read payloads in the external storage that this file names')
    .option('--justification <text>', 'why you decrypt; required, and recorded in the audit')
    .addHelpText('after', examples);
  addCommonOptions(command).action(async (file: string | undefined, options: DecryptOptions) => {
    const output = createOutput(deps, options.json === true);
    const counts = await decrypt(file, options, deps, output);
    const unreadable = reasonEntries(counts.unreadable);
    const failed = unreadable.reduce((sum, [, count]) => sum + count, 0);
    const text = `${counts.payloads - failed} of ${counts.payloads} payloads are readable`;
    if (options.out === undefined) output.progress(text);
    else output.result({ out: options.out, ...counts }, () => [`${options.out}: ${text}`]);
    for (const [code, count] of unreadable)
      output.progress(`${code} (${count}): ${reasons[code].meaning} ${reasons[code].remedy}`);
    if (failed > 0) exit('failed');
  });
};

async function decrypt(
  file: string | undefined,
  options: DecryptOptions,
  deps: CliDeps,
  output: Output,
): Promise<DecryptCounts> {
  const decryption = decryptionFrom(options, withEnvFile(deps.env, options.envFile));
  const { auditFile, namespace, justification } = decryption;
  const { name, bytes } = await readBytes(file, deps);
  const input = parseInput({ name, bytes }, options.format);
  if (options.as === 'raw' && (input.kind !== 'payloads' || input.payloads.length !== 1))
    throw new CliError('usage', `${name} is not a single payload, as --as raw requires`);
  if (options.as === 'raw' && options.out === undefined && deps.showsOutput)
    throw new CliError('usage', '--as raw writes bytes, which a terminal would not show unchanged', [
      'temporal-kms decrypt … --as raw --out FILE',
    ]);
  if (options.out !== undefined && auditFile.file && resolve(options.out) === resolve(auditFile.file))
    throw new CliError('usage', '--out and --audit name the same file');
  if (input.kind === 'payloads' && options.workflowId === undefined)
    output.progress('Without --workflow-id, the command does not check which workflow a message is bound to');
  const sink =
    options.out === undefined
      ? { write: deps.writeContent, end: () => undefined }
      : createOutputFile(options.out);
  let isComplete = false;
  try {
    const decrypting = async (
      { codec, audit, caller }: OpenDecryption,
      storage: ObjectStorage | undefined,
    ) => {
      const { workflowId } = options;
      const intent = { caller, namespace, justification, workflowId, source: 'file' } as const;
      const counts = await decryptInput({
        name,
        input,
        form: options.as,
        codec,
        audit,
        storage,
        intent,
        write: sink.write,
      });
      isComplete = true;
      return counts;
    };
    return await withStorage(options.externalStorage, (storage) =>
      withDecryption(decryption, output, (opened) => decrypting(opened, storage)),
    );
  } finally {
    sink.end(isComplete);
  }
}
