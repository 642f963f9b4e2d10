import { isRecord } from '@temporal-kms/node-utils/is-record';
import { Enum, Type, type Field } from 'protobufjs';
import { invalidArgument } from '../../model/errors.ts';
import { camelCase, fieldOf, readMessage, type JsonObject } from './json.ts';
import type { RestRoute } from './rules.ts';

/** The parameters of all Google APIs (cloud.google.com/apis/docs/system-parameters), except `alt`. */
const systemParameters = new Set([
  'access_token',
  'callback',
  'fields',
  'key',
  'oauth_token',
  'prettyPrint',
  'quotaUser',
  'upload_protocol',
  'uploadType',
  'userProject',
]);

/** The parts of an HTTP request that contain a message. */
export interface HttpParts {
  /** The values of the variables in the path. */
  readonly captured: readonly string[];
  readonly query: URLSearchParams;
  /** The body. An empty string represents an empty message. */
  readonly body: string;
}

/**
 * Returns the request message of an HTTP request. According to the method's HTTP rule, the message comes from
 * the path, the query and the body.
 *
 * @throws KmsError INVALID_ARGUMENT if the request has a parameter or field that the message does not have
 */
export function readRequest({ variables, body, request }: RestRoute, parts: HttpParts): object {
  const sent = body === undefined ? {} : parseBody(parts.body);
  const message = body === undefined || body === '*' ? sent : { [camelCase(body)]: sent };
  for (const [name, values] of queryOf(parts.query)) {
    const known = body === '*' ? undefined : fieldAt(request, name);
    if (known === undefined) {
      throw invalidArgument(
        `Invalid JSON payload received. Unknown name "${name}": Cannot bind query parameter. ` +
          `Field '${name}' could not be found in request message.`,
      );
    }
    const converted = values.map((value) => parameter(known, value));
    setAt(request, message, name, known.repeated ? converted : converted.at(-1));
  }
  for (const [index, name] of variables.entries()) setAt(request, message, name, parts.captured[index] ?? '');
  return readMessage(request, message);
}

/**
 * Refuses formats other than JSON. Ignores `;enum-encoding=int`, because every client can also read enum
 * names.
 */
export function requireJson(query: URLSearchParams): void {
  const alt = query.get('$alt') ?? query.get('alt') ?? 'json';
  if (!/^json(;|$)/.test(alt)) throw invalidArgument(`The emulator has no format ${alt}, only json.`);
}

function parseBody(body: string): JsonObject {
  if (body.trim() === '') return {};
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch {
    throw invalidArgument('Invalid JSON payload received. The body is not JSON.');
  }
  // For an empty message, Google's client for Node.js sends an empty string.
  if (json === '' || json === null) return {};
  if (!isRecord(json)) throw invalidArgument('Invalid JSON payload received. The body is not an object.');
  return json;
}

function queryOf(query: URLSearchParams): [name: string, values: string[]][] {
  const names = [...new Set(query.keys())].filter(
    (name) => !name.startsWith('$') && name !== 'alt' && !systemParameters.has(name),
  );
  return names.map((name) => [name, query.getAll(name)]);
}

/**
 * Returns the JSON value of a parameter. Converts the names in field masks, because proto3 JSON does not
 * permit snake_case.
 */
function parameter({ type, resolvedType }: Field, value: string): unknown {
  if (type === 'bool') return value === 'true';
  if (resolvedType instanceof Enum && /^\d+$/.test(value)) return Number(value);
  return resolvedType?.name === 'FieldMask' ? camelCase(value) : value;
}

/** Returns the field at a path such as `options.requestedPolicyVersion`. */
function fieldAt(type: Type, path: string): Field | undefined {
  const [first = '', ...rest] = path.split('.');
  const field = fieldOf(type, first);
  if (field === undefined || rest.length === 0) return field;
  return field.resolvedType instanceof Type ? fieldAt(field.resolvedType, rest.join('.')) : undefined;
}

/** Sets a value at a path such as `options.requestedPolicyVersion`. The field must exist. */
function setAt(type: Type, message: JsonObject, path: string, value: unknown): void {
  const [first = '', ...rest] = path.split('.');
  const field = fieldOf(type, first);
  const name = field?.name ?? first;
  if (rest.length === 0 || !(field?.resolvedType instanceof Type)) {
    message[name] = value;
    return;
  }
  const inner = message[name] === undefined ? {} : message[name];
  if (!isRecord(inner)) throw invalidArgument(`Invalid value at '${name}'. Expected an object.`);
  message[name] = inner;
  setAt(field.resolvedType, inner, rest.join('.'), value);
}
