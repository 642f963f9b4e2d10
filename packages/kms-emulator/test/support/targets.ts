import { KeyManagementServiceClient } from '@google-cloud/kms';
import { startEmulator } from '../../src/index.ts';
import { connect } from './client.ts';

/** A Cloud KMS to run the conformance suite against. */
export interface Service {
  readonly client: KeyManagementServiceClient;
  /** `projects/p/locations/l`, where the suite's key ring is made. */
  readonly location: string;
  /** How long changes may take to reach Encrypt and Decrypt, in milliseconds. */
  readonly patience: number;
  close(): Promise<void>;
}

export interface Target {
  readonly name: string;
  open(): Promise<Service>;
}

const emulator: Target = {
  name: 'the emulator',
  open: async () => {
    const running = await startEmulator();
    const client = connect(running.address);
    return {
      client,
      location: 'projects/conformance/locations/us-east1',
      patience: 0,
      close: async () => {
        await client.close();
        await running.close();
      },
    };
  },
};

const cloud = (project: string, location: string): Target => ({
  name: `Cloud KMS, project ${project}, ${location}`,
  open: () => {
    const client = new KeyManagementServiceClient();
    return Promise.resolve({
      client,
      location: `projects/${project}/locations/${location}`,
      patience: 5 * 60_000,
      close: () => client.close(),
    });
  },
});

/** The emulator, and the real service where a project of it is named. Says so where none is. */
export function conformanceTargets(env: Readonly<Record<string, string | undefined>>): Target[] {
  const project = env['KMS_CONFORMANCE_PROJECT'];
  if (project === undefined || project === '') {
    process.stderr.write(
      'Conformance: the emulator only. Set KMS_CONFORMANCE_PROJECT (and KMS_CONFORMANCE_LOCATION, default us-east1) to run the same suite against Cloud KMS.\n',
    );
    return [emulator];
  }
  return [emulator, cloud(project, env['KMS_CONFORMANCE_LOCATION'] ?? 'us-east1')];
}
