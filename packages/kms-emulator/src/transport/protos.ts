import * as protoLoader from '@grpc/proto-loader';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import protobuf, { type Service } from 'protobufjs';

// Loads the protos that Google's client `@google-cloud/kms` contains. IAM and status messages are in
// `google-gax`, on which this client depends, so `google-gax` is resolved from the client's package.
const require = createRequire(import.meta.url);
const kmsEntry = require.resolve('@google-cloud/kms');
const kmsProtos = join(dirname(kmsEntry), '..', 'protos');
const gaxProtos = join(dirname(createRequire(kmsEntry).resolve('google-gax')), '..', 'protos');

/**
 * Options for decoding messages. 64-bit numbers and enums become strings, and absent fields get their default
 * values.
 */
export const decoding = { longs: String, enums: String, defaults: true };

const load = (file: string): protoLoader.PackageDefinition =>
  protoLoader.fromJSON(JSON.parse(readFileSync(file, 'utf8')), decoding);

export interface Protos {
  readonly keyManagement: protoLoader.ServiceDefinition;
  readonly iamPolicy: protoLoader.ServiceDefinition;
  readonly locations: protoLoader.ServiceDefinition;
  /** The policy methods of Resource Manager's `Projects`, which use the messages of `iamPolicy`. */
  readonly projects: protoLoader.ServiceDefinition;
  /** Encodes a `google.rpc` message, such as `Status` or `ErrorInfo`. */
  encodeRpc(name: string, message: object): Buffer;
}

/** Loads the protos of the installed client. @throws Error if the client does not contain them */
export function loadProtos(): Protos {
  const rpc = load(join(gaxProtos, 'status.json'));
  // The file iam_service.json of google-gax is not used, because it lacks audit configurations.
  const iam = protoLoader.loadSync('google/iam/v1/iam_policy.proto', {
    ...decoding,
    includeDirs: [gaxProtos],
  });
  const iamPolicy = service(iam, 'google.iam.v1.IAMPolicy');
  return {
    keyManagement: service(load(join(kmsProtos, 'protos.json')), 'google.cloud.kms.v1.KeyManagementService'),
    iamPolicy,
    locations: service(load(join(gaxProtos, 'locations.json')), 'google.cloud.location.Locations'),
    projects: renamed(iamPolicy, 'google.cloud.resourcemanager.v3.Projects'),
    encodeRpc: (name, message) => messageType(rpc, `google.rpc.${name}`).serialize(message),
  };
}

function service(definitions: protoLoader.PackageDefinition, name: string): protoLoader.ServiceDefinition {
  const found = definitions[name];
  if (found === undefined || !isService(found))
    throw new Error(`The installed protos have no service ${name}.`);
  return found;
}

/** Returns a service's methods under the name of another service. */
const renamed = (definition: protoLoader.ServiceDefinition, name: string): protoLoader.ServiceDefinition =>
  Object.fromEntries(
    Object.entries(definition).map(([method, one]) => [method, { ...one, path: `/${name}/${method}` }]),
  );

function messageType(definitions: protoLoader.PackageDefinition, name: string) {
  const found = definitions[name];
  if (found === undefined || !isMessage(found))
    throw new Error(`The installed protos have no message ${name}.`);
  return found;
}

const isMessage = (
  definition: protoLoader.AnyDefinition,
): definition is protoLoader.MessageTypeDefinition<object, object> => 'serialize' in definition;

const isService = (definition: protoLoader.AnyDefinition): definition is protoLoader.ServiceDefinition =>
  !('format' in definition);

/** The services with their HTTP annotations, which REST needs. */
export interface RestServices {
  readonly keyManagement: Service;
  readonly iamPolicy: Service;
  readonly locations: Service;
}

let restServices: RestServices | undefined;

/**
 * Returns the installed client's services with their annotations and types.
 * @throws Error if the client does not contain them
 */
export const loadRestServices = (): RestServices => (restServices ??= parseRestServices());

function parseRestServices(): RestServices {
  const root = new protobuf.Root();
  root.resolvePath = (_, target) =>
    [kmsProtos, gaxProtos].map((folder) => join(folder, target)).find((file) => existsSync(file)) ?? target;
  root
    .loadSync([
      'google/cloud/kms/v1/service.proto',
      'google/iam/v1/iam_policy.proto',
      'google/cloud/location/locations.proto',
    ])
    .resolveAll();
  return {
    keyManagement: root.lookupService('google.cloud.kms.v1.KeyManagementService'),
    iamPolicy: root.lookupService('google.iam.v1.IAMPolicy'),
    locations: root.lookupService('google.cloud.location.Locations'),
  };
}
