import { createRequire } from 'node:module';
import { KmsConfigurationError } from '@temporal-kms/kms-codec';
import { propertyOf } from '@temporal-kms/node-utils/error-details';

/**
 * The versions of `@temporalio/worker` with which this package was tested. The package reads and replaces
 * internals of the SDK, which any other minor version may change without notice.
 */
export const testedSdkVersions = ['1.24'] as const;

/** @throws KmsConfigurationError if this package was not tested with the version */
export function requireTestedSdk(version = installedVersion()): void {
  const minor = version.split('.', 2).join('.');
  if (testedSdkVersions.some((tested) => tested === minor)) return;
  throw new KmsConfigurationError(
    `@temporal-kms/worker-kit was not tested with @temporalio/worker ${version}, whose internals may differ. Install ` +
      `version ${testedSdkVersions.join(' or ')}, or a worker-kit that supports ${minor}.`,
  );
}

/**
 * Returns the version of the SDK that is installed next to this package or, if the application is bundled
 * into one file, next to the application.
 */
function installedVersion(): string {
  // `url` is undefined if esbuild bundled the application as CommonJS.
  const url: string | undefined = import.meta.url;
  const manifest: unknown = createRequire(url ?? process.argv[1] ?? process.cwd())(
    '@temporalio/worker/package.json',
  );
  return String(propertyOf(manifest, 'version'));
}
