import { invalidArgument } from './errors.ts';

/** The pattern of resource ids (service.proto, `CreateKeyRingRequest.key_ring_id`). */
const ID = '[a-zA-Z0-9_-]{1,63}';
const LOCATION = 'projects/([^/]+)/locations/([^/]+)';

const patterns = {
  location: new RegExp(`^${LOCATION}$`),
  keyRing: new RegExp(`^(${LOCATION})/keyRings/(${ID})$`),
  cryptoKey: new RegExp(`^(${LOCATION}/keyRings/${ID})/cryptoKeys/(${ID})$`),
  version: new RegExp(`^(${LOCATION}/keyRings/${ID}/cryptoKeys/${ID})/cryptoKeyVersions/([1-9][0-9]{0,8})$`),
};

const idPattern = new RegExp(`^${ID}$`);

/** A parsed resource name. `parent` is the name of the enclosing resource. */
export interface ResourceName {
  readonly name: string;
  readonly project: string;
  readonly location: string;
  readonly parent: string;
  readonly id: string;
}

export interface VersionName extends ResourceName {
  /** The number of the version, from 1. */
  readonly number: number;
}

function parse(pattern: RegExp, name: string): ResourceName | undefined {
  const match = pattern.exec(name);
  if (match === null) return undefined;
  const [, parent = '', project = '', location = '', id = ''] = match;
  return { name, project, location, parent, id };
}

/** Parses the name of a location. @throws KmsError INVALID_ARGUMENT, as for every malformed name */
export function parseLocation(name: string): { name: string; project: string; location: string } {
  const match = patterns.location.exec(name);
  if (match === null) throw malformed(name, 'projects/*/locations/*');
  const [, project = '', location = ''] = match;
  return { name, project, location };
}

export function parseKeyRing(name: string): ResourceName {
  const parsed = parse(patterns.keyRing, name);
  if (parsed === undefined) throw malformed(name, 'projects/*/locations/*/keyRings/*');
  return parsed;
}

export function parseCryptoKey(name: string): ResourceName {
  const parsed = tryCryptoKey(name);
  if (parsed === undefined) throw malformed(name, 'projects/*/locations/*/keyRings/*/cryptoKeys/*');
  return parsed;
}

export const tryKeyRing = (name: string): ResourceName | undefined => parse(patterns.keyRing, name);

export const tryCryptoKey = (name: string): ResourceName | undefined => parse(patterns.cryptoKey, name);

export function tryVersion(name: string): VersionName | undefined {
  const parsed = parse(patterns.version, name);
  return parsed === undefined ? undefined : { ...parsed, number: Number(parsed.id) };
}

export function parseVersion(name: string): VersionName {
  const parsed = tryVersion(name);
  if (parsed === undefined) {
    throw malformed(name, 'projects/*/locations/*/keyRings/*/cryptoKeys/*/cryptoKeyVersions/*');
  }
  return parsed;
}

export function checkId(field: string, id: string): void {
  if (!idPattern.test(id)) {
    throw invalidArgument(`The value '${id}' of field ${field} must match the pattern ${ID}.`);
  }
}

export const keyRingName = (location: string, id: string): string => `${location}/keyRings/${id}`;
export const cryptoKeyName = (keyRing: string, id: string): string => `${keyRing}/cryptoKeys/${id}`;
export const versionName = (cryptoKey: string, number: number): string =>
  `${cryptoKey}/cryptoKeyVersions/${number}`;

function malformed(name: string, pattern: string) {
  return invalidArgument(`Resource name '${name}' does not match the pattern '${pattern}'.`);
}
