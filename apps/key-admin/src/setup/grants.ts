import { CliError } from '../cli/cli-error.ts';

/** A role on the crypto key for a program. */
export interface Grant {
  readonly who: string;
  readonly member: string;
  readonly role: string;
}

export interface Programs {
  readonly worker?: readonly string[];
  readonly starter?: readonly string[];
  readonly codecServer?: readonly string[];
  /** Whether the codec server shows the states of key versions. */
  readonly keyStates: boolean;
  /** Whether the codec server serves `/encode`. */
  readonly encode: boolean;
}

/** Returns the minimal roles that the programs need (docs/gcp-kms.md). */
export function grantsFor({
  worker = [],
  starter = [],
  codecServer = [],
  keyStates,
  encode,
}: Programs): Grant[] {
  const both = 'roles/cloudkms.cryptoKeyEncrypterDecrypter';
  return [
    ...grants('worker', worker, both),
    ...grants('starter', starter, 'roles/cloudkms.cryptoKeyEncrypter'),
    ...grants(
      'codec server',
      codecServer,
      encode ? both : 'roles/cloudkms.cryptoKeyDecrypter',
      ...(keyStates ? ['roles/cloudkms.viewer'] : []),
    ),
  ];
}

const grants = (who: string, members: readonly string[], ...roles: string[]): Grant[] =>
  members.flatMap((member) => roles.map((role) => ({ who, member: toMember(member), role })));

/** Returns an option's value as a policy member. A service account's address needs no prefix. @throws CliError */
function toMember(text: string): string {
  if (/^(user|group|serviceAccount|domain|principal|principalSet):\S+$/.test(text)) return text;
  if (/^[^\s:@]+@[^\s:@]+\.gserviceaccount\.com$/.test(text)) return `serviceAccount:${text}`;
  throw new CliError(
    'usage',
    `${text} is not a member: write whether it is a service account, user or group`,
    [`serviceAccount:${text}`, `user:${text}`, `group:${text}`],
  );
}
