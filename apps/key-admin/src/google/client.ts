import { KeyManagementServiceClient } from '@google-cloud/kms';
import { ProjectsClient } from '@google-cloud/resource-manager';
import { emulatorOptions } from '@temporal-kms/kms-codec/emulator-options';
import pRetry from 'p-retry';
import type { Output } from '../cli/output.ts';
import { CliError } from '../cli/cli-error.ts';
import { type CallPurpose, googleError, grpcCode, signInLines } from './errors.ts';

/** Google's clients for the administration of keys. */
export interface GoogleClients {
  readonly kms: KeyManagementServiceClient;
  readonly projects: ProjectsClient;
  /** Makes a call that is safe to retry. @throws CliError that contains the commands to type */
  readonly read: Call;
  /**
   * Makes a call that changes a resource. Never retries the call, because the outcome is unknown if the
   * response is lost.
   * @throws CliError
   */
  readonly change: Call;
  /** Returns the e-mail address of the calling service account, if the credentials contain it. */
  readonly identity: () => Promise<string | undefined>;
  close(): Promise<void>;
}

/** Google's client must not retry: after its last retry, it reports DEADLINE_EXCEEDED and hides the cause. */
const callOptions = { timeout: 10_000, retry: null };
type CallOptions = typeof callOptions;
type Call = <T>(purpose: CallPurpose, call: (options: CallOptions) => Promise<T>) => Promise<T>;

const DEADLINE_EXCEEDED = 4;
const RESOURCE_EXHAUSTED = 8;
const UNAVAILABLE = 14;
const repeatable: ReadonlySet<number | undefined> = new Set([
  DEADLINE_EXCEEDED,
  RESOURCE_EXHAUSTED,
  UNAVAILABLE,
]);

/** Options of `p-retry`: three more attempts, after random waits of 0.5 to 1 s, 1 to 2 s and 2 to 4 s. */
export const retries = { retries: 3, minTimeout: 500, factor: 2, randomize: true };

/**
 * Connects Google's clients, to the emulator if one is configured.
 * @throws CliError if there are no credentials
 */
export async function connectGoogle(
  emulatorHost: string | undefined,
  { progress }: Pick<Output, 'progress'>,
): Promise<GoogleClients> {
  const options = emulatorHost === undefined ? {} : emulatorOptions(emulatorHost);
  const kms = new KeyManagementServiceClient(options);
  const projects = new ProjectsClient(options);
  try {
    await Promise.all([kms.initialize(), projects.initialize()]);
  } catch (cause) {
    throw new CliError('notPermitted', "Google's credentials are not available", signInLines, cause);
  }
  return {
    kms,
    projects,
    read: async (purpose, call) => {
      try {
        return await pRetry(() => call(callOptions), {
          ...retries,
          shouldRetry: ({ error }) => repeatable.has(grpcCode(error)),
          onFailedAttempt: ({ error, retriesLeft }) => {
            if (retriesLeft > 0 && repeatable.has(grpcCode(error)))
              progress('Google did not answer; trying again');
          },
        });
      } catch (error) {
        throw googleError(error, purpose);
      }
    },
    change: async (purpose, call) => {
      try {
        return await call(callOptions);
      } catch (error) {
        throw googleError(error, purpose);
      }
    },
    identity: async () => {
      if (emulatorHost !== undefined) return undefined;
      try {
        return (await kms.auth.getCredentials()).client_email;
      } catch {
        // A person's credentials contain no e-mail address.
        return undefined;
      }
    },
    close: async () => {
      await Promise.all([kms.close(), projects.close()]);
    },
  };
}
