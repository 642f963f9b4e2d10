import {
  codecServerEnvironment,
  type CodecServerConfig,
  ConfigError,
  loadTemporalConfig,
  parseConfig,
  type TemporalConfig,
  unknownVariables,
  type Values,
  workerEnvironment,
} from '@temporal-kms/config';
import type { KmsSettings } from '@temporal-kms/kms-codec';
import { messageOf } from '@temporal-kms/node-utils/error-details';
import { fixOf } from '../cli/environment.ts';
import { type Finding, findings } from '../cli/finding.ts';

export const apps = ['worker', 'codec-server'] as const;
export type AppName = (typeof apps)[number];

/** The parts of an application's configuration that the checks need. */
export interface AppConfig {
  readonly app: AppName;
  readonly kms: KmsSettings;
  readonly temporal: TemporalConfig;
  /** The settings that only the codec server has; absent for the worker. */
  readonly codecServer?: CodecServerConfig;
}

const { ok, warning, failed } = findings('variables');

/**
 * Reads the configuration as the application does. If the configuration is invalid, the findings contain
 * every mistake.
 */
export function checkVariables(
  app: AppName,
  values: Values,
): { readonly config?: AppConfig; readonly found: readonly Finding[] } {
  const mistakes: Finding[] = [];
  const attempt = <T>(load: () => T): T | undefined => {
    try {
      return load();
    } catch (error) {
      if (error instanceof ConfigError) {
        for (const mistake of error.mistakes) {
          mistakes.push(failed(`${mistake.variable} ${mistake.problem}`, ...fixOf(mistake, values)));
        }
      } else {
        mistakes.push(failed(messageOf(error)));
      }
      return undefined;
    }
  };
  const temporal = attempt(() => loadTemporalConfig(values));
  const codecServer =
    app === 'codec-server' ? attempt(() => parseConfig(codecServerEnvironment, values)) : undefined;
  const kms =
    app === 'worker' ? attempt(() => parseConfig(workerEnvironment, values))?.kms : codecServer?.kms;
  if (temporal === undefined || kms === undefined) return { found: mistakes };
  return {
    config: { app, kms, temporal, ...(codecServer && { codecServer }) },
    found: [ok(`the variables of ${app} are valid`), ...misspelt(app, values)],
  };
}

function misspelt(app: AppName, values: Values): Finding[] {
  const environment = app === 'worker' ? workerEnvironment : codecServerEnvironment;
  return unknownVariables(environment, values).map(({ name, similar }) =>
    warning(
      `${name} is set, but ${app} has no such variable${similar === undefined ? '' : `; ${similar} is similar`}`,
      `unset ${name}`,
    ),
  );
}
