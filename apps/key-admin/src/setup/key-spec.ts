import type { Grant } from './grants.ts';

/** What `setup` creates. */
export interface KeySpec {
  readonly project: string;
  readonly location: string;
  readonly ring: string;
  readonly id: string;
  /** Undefined: SOFTWARE for a new key, any level for an existing key. */
  readonly protectionLevel: 'SOFTWARE' | 'HSM' | undefined;
  /** Days; undefined: 90 for a key without a rotation. */
  readonly rotationDays: number | undefined;
  readonly grants: readonly Grant[];
  readonly auditLogs: boolean;
}

export const ringName = ({ project, location, ring }: KeySpec): string =>
  `projects/${project}/locations/${location}/keyRings/${ring}`;

export const keyName = (spec: KeySpec): string => `${ringName(spec)}/cryptoKeys/${spec.id}`;
