import { createReadStream } from 'node:fs';
import { HistoryFileError, MAX_FILE_BYTES, tooLarge } from '@temporal-kms/histories/files';
import { codeOf } from '@temporal-kms/node-utils/error-details';
import { CliError } from '../cli/cli-error.ts';
import type { CliDeps } from '../cli/deps.ts';
import { openObject } from '../google/storage.ts';

/** Bytes, and the name that messages use for their source. */
export interface NamedBytes {
  readonly name: string;
  readonly bytes: Buffer;
}

/**
 * Reads a file, an object of Cloud Storage (`gs://BUCKET/OBJECT`), or standard input (`-` or no name).
 * @throws CliError if the file does not exist, or is larger than `MAX_FILE_BYTES`
 */
export async function readBytes(
  source: string | undefined,
  { stdin, isTerminal }: Pick<CliDeps, 'stdin' | 'isTerminal'>,
): Promise<NamedBytes> {
  if (source === undefined || source === '-') {
    if (source === undefined && isTerminal)
      throw new CliError('usage', 'No file was given, and standard input is a terminal', [
        'temporal-kms inspect history.json',
      ]);
    return { name: 'standard input', bytes: await collect('standard input', stdin()) };
  }
  const name = source;
  if (source.startsWith('gs://')) return { name, bytes: await collect(name, await openObject(source)) };
  return { name, bytes: await collect(name, createReadStream(source)) };
}

async function collect(name: string, chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of chunks) {
      size += chunk.length;
      if (size > MAX_FILE_BYTES) throw tooLarge(size);
      all.push(chunk);
    }
  } catch (error) {
    throw readError(name, error);
  }
  return Buffer.concat(all);
}

function readError(name: string, error: unknown): CliError {
  if (error instanceof CliError) return error;
  if (error instanceof HistoryFileError)
    return new CliError('data', `${name} exceeds the limit of ${MAX_FILE_BYTES / 2 ** 20} MiB`);
  const code = codeOf(error);
  if (code === 'ENOENT') return new CliError('notFound', `${name} does not exist`);
  return new CliError(
    'configuration',
    `${name} cannot be read: ${code ?? 'an error without a code'}`,
    [],
    error,
  );
}
