import * as protoLoader from '@grpc/proto-loader';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

// The protos that Google's client `@google-cloud/kms` ships. Its IAM and status messages come from the version of
// `google-gax` that it depends on, hence the second resolution from there.
const require = createRequire(import.meta.url);
const kmsEntry = require.resolve('@google-cloud/kms');
const gaxProtos = join(dirname(createRequire(kmsEntry).resolve('google-gax')), '..', 'protos');

const options = { longs: String, enums: String, defaults: true };

const load = (file: string): protoLoader.PackageDefinition =>
  protoLoader.fromJSON(JSON.parse(readFileSync(file, 'utf8')), options);

export interface Protos {
  readonly keyManagement: protoLoader.ServiceDefinition;
  readonly iamPolicy: protoLoader.ServiceDefinition;
  readonly locations: protoLoader.ServiceDefinition;
  /** The part of Resource Manager's `Projects` that concerns policies, whose messages are those of `iamPolicy`. */
  readonly projects: protoLoader.ServiceDefinition;
  /** Encodes a message of `google.rpc`, such as `Status` or `ErrorInfo`. */
  encodeRpc(name: string, message: object): Buffer;
}

/** Loads the protos of the installed client. @throws Error if it ships no such protos */
export function loadProtos(): Protos {
  const rpc = load(join(gaxProtos, 'status.json'));
  // The file iam_service.json next to it lacks audit configurations.
  const iam = protoLoader.loadSync('google/iam/v1/iam_policy.proto', {
    ...options,
    includeDirs: [gaxProtos],
  });
  const iamPolicy = service(iam, 'google.iam.v1.IAMPolicy');
  return {
    keyManagement: service(
      load(join(dirname(kmsEntry), '..', 'protos', 'protos.json')),
      'google.cloud.kms.v1.KeyManagementService',
    ),
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

/** Returns the same methods under the name of another service. */
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
