import type { Field, Type } from 'protobufjs';
import protojson from 'protobufjs/ext/protojson.js';
import { invalidArgument } from '../../model/errors.ts';
import { decoding } from '../protos.ts';

export type JsonObject = Record<string, unknown>;

/** Returns a field by its name in camelCase (proto3 JSON) or snake_case (the proto). */
export function fieldOf(type: Type, name: string): Field | undefined {
  const camel = camelCase(name);
  return Object.hasOwn(type.fields, camel) ? type.fields[camel]?.resolve() : undefined;
}

export const camelCase = (name: string): string =>
  name.replaceAll(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());

/**
 * Decodes a request in proto3 JSON. The result has the same form as a request that the gRPC server decoded.
 *
 * @throws KmsError INVALID_ARGUMENT if a field is unknown or a value has the wrong type
 */
export function readMessage(type: Type, json: JsonObject): object {
  try {
    return type.toObject(protojson.fromJson(type, json), decoding);
  } catch (error) {
    throw invalidArgument(`Invalid JSON payload received. ${error instanceof Error ? error.message : ''}`);
  }
}

/** Returns a response in proto3 JSON, without fields that have default values, like Google's services. */
export const writeMessage = (type: Type, response: object): JsonObject =>
  protojson.toJson(type, type.fromObject({ ...response }));
