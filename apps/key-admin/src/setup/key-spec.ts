import type { Grant } from './grants.ts';

/** The key that `setup` creates. */
export interface KeySpec {
  readonly project: string;
  readonly location: string;
  readonly ring: string;
  readonly id: string;
  /** The required level; if undefined, a new key gets the level SOFTWARE, and an existing key may have any level. */
  readonly protectionLevel: 'SOFTWARE' | 'HSM' | undefined;
  /** Days between rotations; if undefined, a key without a rotation gets 90 days. */
  readonly rotationDays: number | undefined;
  readonly grants: readonly Grant[];
  readonly auditLogs: boolean;
}

export const ringName = ({ project, location, ring }: KeySpec): string =>
  `projects/${project}/locations/${location}/keyRings/${ring}`;

export const keyName = (spec: KeySpec): string => `${ringName(spec)}/cryptoKeys/${spec.id}`;
