import { parseKeyName } from '../cli/environment.ts';
import { quote } from '../cli/quote.ts';

/** Returns a `gcloud` command line. @param command the words that need no quotes, as in `kms keys create` */
export const gcloud = (command: string, ...words: readonly string[]): string =>
  [`gcloud ${command}`, ...words.map(quote)].join(' ');

/** Returns the options that name a crypto key's ring. */
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

/** Placeholder, in commands to type, for the person or service account that runs the command. */
export const YOU = 'user:YOUR-ADDRESS';
