import { KeyManagementServiceClient } from '@google-cloud/kms';
import { startEmulator, type Emulator } from '../../src/index.ts';
import { connect, connectRest, withoutRetries } from './client.ts';

/** A Cloud KMS service against which the conformance suite runs. */
export interface Service {
  readonly client: KeyManagementServiceClient;
  /** The location where the suite creates its key ring, as `projects/p/locations/l`. */
  readonly location: string;
  /** The maximum time for changes to reach Encrypt and Decrypt, in milliseconds. */
  readonly propagationMs: number;
  close(): Promise<void>;
}

export interface Target {
  readonly name: string;
  open(): Promise<Service>;
}

const emulator = (api: string, connectTo: (running: Emulator) => KeyManagementServiceClient): Target => ({
  name: `the emulator over ${api}`,
  open: async () => {
    const running = await startEmulator();
    const client = connectTo(running);
    return {
      client,
      location: 'projects/conformance/locations/us-east1',
      propagationMs: 0,
      close: async () => {
        await client.close();
        await running.close();
      },
    };
  },
});

const emulators = [
  emulator('gRPC', ({ address }) => connect(address)),
  emulator('REST', ({ url }) => connectRest(url)),
];

const cloud = (project: string, location: string): Target => ({
  name: `Cloud KMS, project ${project}, ${location}`,
  open: () => {
    const client = withoutRetries(new KeyManagementServiceClient());
    return Promise.resolve({
      client,
      location: `projects/${project}/locations/${location}`,
      propagationMs: 5 * 60_000,
      close: () => client.close(),
    });
  },
});

/** Returns the emulator over gRPC and REST, and the real service if a project is named. */
export function conformanceTargets(env: Readonly<Record<string, string | undefined>>): Target[] {
  const project = env['KMS_CONFORMANCE_PROJECT'];
  if (project === undefined || project === '') {
    process.stderr.write(
      'Conformance: the emulator only. Set KMS_CONFORMANCE_PROJECT (and KMS_CONFORMANCE_LOCATION, default us-east1) to run the same suite against Cloud KMS.\n',
    );
    return emulators;
  }
  return [...emulators, cloud(project, env['KMS_CONFORMANCE_LOCATION'] ?? 'us-east1')];
}
