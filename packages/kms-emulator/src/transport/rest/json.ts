import type { Field, Type } from 'protobufjs';
import protojson from 'protobufjs/ext/protojson.js';
import { invalidArgument } from '../../model/errors.ts';
import { decoding } from '../protos.ts';

/** An object in JSON. */
export type JsonObject = Record<string, unknown>;

/** Whether a JSON value is an object. */
export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Returns the field of a name in camelCase (proto3 JSON) or in snake_case (the proto), as both are accepted. */
export function fieldOf(type: Type, name: string): Field | undefined {
  const camel = camelCase(name);
  return Object.hasOwn(type.fields, camel) ? type.fields[camel]?.resolve() : undefined;
}

/** Returns `camelCase` for `camel_case`. */
export const camelCase = (name: string): string =>
  name.replaceAll(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());

/**
 * Returns the request in proto3 JSON, in the form in which the gRPC server decodes it.
 *
 * @throws KmsError INVALID_ARGUMENT for an unknown field or a value of another type
 */
export function readMessage(type: Type, json: JsonObject): object {
  try {
    return type.toObject(protojson.fromJson(type, json), decoding);
  } catch (error) {
    throw invalidArgument(`Invalid JSON payload received. ${error instanceof Error ? error.message : ''}`);
  }
}

/** Returns a response in proto3 JSON: without fields that have their default value, as Google's services answer. */
export const writeMessage = (type: Type, response: object): JsonObject =>
  protojson.toJson(type, type.fromObject({ ...response }));
