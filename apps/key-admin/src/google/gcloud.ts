import { parseKeyName } from '../cli/environment.ts';
import { quote } from '../cli/quote.ts';

/** Returns a `gcloud` command line. @param command the first words, which need no quotes: `kms keys create` */
export const gcloud = (command: string, ...words: readonly string[]): string =>
  [`gcloud ${command}`, ...words.map(quote)].join(' ');

/** Returns the `gcloud` options that name a crypto key's key ring, location and project. */
export function ringOptions(key: string): string[] {
  const { project, location, ring } = parseKeyName(key);
  return [`--keyring=${ring}`, `--location=${location}`, `--project=${project}`];
}

/**
 * Returns the command that restores a version whose destruction is scheduled, or enables a version. Cloud KMS
 * restores versions as disabled, so a restored version must also be enabled.
 */
export const versionLine = (change: 'restore' | 'enable', key: string, version: number): string =>
  gcloud(
    `kms keys versions ${change}`,
    String(version),
    `--key=${parseKeyName(key).id}`,
    ...ringOptions(key),
  );

/** Returns the command that grants a role on a crypto key. */
export const grantLine = (key: string, member: string, role: string): string =>
  gcloud(
    'kms keys add-iam-policy-binding',
    parseKeyName(key).id,
    ...ringOptions(key),
    `--member=${member}`,
    `--role=${role}`,
  );

/** Stands for the person or service account that runs the command, in the commands to type. */
export const YOU = 'user:YOUR-ADDRESS';
