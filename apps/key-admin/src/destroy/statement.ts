import { existsSync } from 'node:fs';
import { hasVisibleText } from '@temporal-kms/codec-api';
import { readStrictYaml, StrictYamlError } from '@temporal-kms/kms-codec/strict-yaml';
import { z } from 'zod';
import { CliError } from '../cli/cli-error.ts';
import { timestamp } from '../cli/output.ts';
import { gcloud } from '../google/gcloud.ts';
import type { TemporalServer } from '../temporal/server.ts';

/*
 * An operator's statement about data that no scan sees. Without a statement, may-destroy answers no.
 * docs/cli.md describes the fields.
 */

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?Z$/;

/** Whether text is a time such as `2030-01-31T12:00:00Z`. JavaScript would read 30 February as 2 March. */
export function isTime(text: string): boolean {
  const time = new Date(text);
  return TIME.test(text) && !Number.isNaN(time.getTime()) && time.toISOString().startsWith(text.slice(0, 16));
}

const text = z.string().min(1, 'must not be empty');

/** A field with a single permitted value, which a person must write on purpose. */
const only = <const T extends string>(value: T) => z.literal(value, { error: `must be ${value}` });

const cluster = z.strictObject({
  address: text,
  id: text.optional(),
  /** The namespaces of the server for which the key is used; by default, all the server's namespaces. */
  namespaces: z.array(text).min(1, 'must not be empty').optional(),
  /** File with the server's TEMPORAL_* variables; by default, the command's own variables apply. */
  environment: text.optional(),
});

const statement = z.strictObject({
  name: z.string().max(200).refine(hasVisibleText, 'must name the person who states this'),
  time: z.string().refine(isTime, 'must be a time in UTC, for example 2030-01-31T12:00:00Z'),
  key: text,
  clusters: z
    .array(cluster)
    .min(1, 'must name a Temporal server')
    .refine(
      (clusters) => new Set(clusters.map(({ address, id }) => `${address} ${id}`)).size === clusters.length,
      'names a Temporal server twice',
    ),
  archives: z.enum(['none', 'scanned'], { error: 'must be none or scanned' }),
  exports: z.union([z.literal('none'), z.array(text).min(1, 'must not be empty')], {
    error: 'must be none or a list of the locations that were scanned',
  }),
  otherUses: only('none'),
  copies: only('accepted'),
  primaryAgain: only('never'),
});
export type Statement = z.infer<typeof statement>;

/** Reads the file of `--statement`. @throws CliError that lists every mistake */
export function readStatement(file: string): Statement {
  if (!existsSync(file)) throw new CliError('notFound', `The statement ${file} does not exist`);
  try {
    return readStrictYaml(file).check(statement);
  } catch (error) {
    if (!(error instanceof StrictYamlError)) throw error;
    throw new CliError('data', error.message.split('\n'), [], error);
  }
}

export interface TemplateFields {
  readonly key: string;
  readonly servers: readonly TemporalServer[];
  /** The namespaces for which the configuration uses the key; empty for all namespaces. */
  readonly namespaces: readonly string[];
  readonly now: Date;
}

/** Returns the lines of a statement for a person to fill in. The command refuses an unchanged template. */
export function statementTemplate({ key, servers, namespaces, now }: TemplateFields): string[] {
  return [
    '# A statement about data that no scan sees. Fill in the empty fields, write it to a file, and repeat the command with --statement FILE.',
    "name: '' # who states this",
    `time: ${quoted(timestamp(now))}`,
    `key: ${quoted(key)}`,
    'clusters: # every Temporal server that has or had messages under the key; for a server other than that of the',
    '  # command, add environment: FILE with its TEMPORAL_* variables',
    ...servers.flatMap(({ address, clusterId, isListed, namespaces: known }) => [
      `  - address: ${quoted(address)}`,
      ...(clusterId === undefined ? [] : [`    id: ${quoted(clusterId)}`]),
      ...(isListed && namespaces.length === 0
        ? []
        : [
            `    namespaces: [${known
              .filter(({ name }) => isListed && namespaces.includes(name))
              .map(({ name }) => quoted(name))
              .join(', ')}] # every namespace of this server that the key serves`,
          ]),
    ]),
    "archives: '' # none, or scanned: Temporal's archives, including disabled ones",
    "exports: '' # none, or a list of the locations that --exports named: Workflow History Export and other files",
    "otherUses: '' # none: no other configuration, program or data uses the key, and no message is inside another message",
    "copies: '' # accepted: backups and copies under the version become unreadable",
    "primaryAgain: '' # never: the version was not made primary again after another version replaced it. See",
    `  # ${auditLogLine(key)}`,
    '...',
  ];
}

const quoted = (value: string): string => `'${value.replaceAll("'", "''")}'`;

/** Returns the command that lists every change of the primary version, with its time. */
function auditLogLine(key: string): string {
  const filter = `protoPayload.methodName="UpdateCryptoKeyPrimaryVersion" AND protoPayload.resourceName="${key}"`;
  return gcloud('logging read', filter, `--project=${key.split('/')[1] ?? ''}`, '--freshness=400d');
}
