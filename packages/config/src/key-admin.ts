import { kmsEnvironment, type KmsSettings } from '@temporal-kms/kms-codec';
import type { Environment } from './environment.ts';
import { kmsVariables } from './shared-variables.ts';

export interface KeyAdminConfig {
  readonly kms: KmsSettings;
}

/** The environment of the command-line tool `temporal-kms`: which crypto keys there are, as the applications read it. */
export const keyAdminEnvironment: Environment<KeyAdminConfig> = {
  variables: kmsVariables,
  schema: kmsEnvironment.transform((kms) => ({ kms })),
};
