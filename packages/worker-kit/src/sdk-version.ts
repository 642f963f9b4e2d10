import { createRequire } from 'node:module';
import { KmsConfigurationError } from '@temporal-kms/kms-codec';
import { propertyOf } from '@temporal-kms/node-utils/error-details';

/**
 * The versions of `@temporalio/worker` that this package was tested with. It reads and replaces internals of the SDK,
 * which another minor version may change without notice.
 */
export const testedSdkVersions = ['1.24'] as const;

/** @throws KmsConfigurationError for a version that was not tested */
export function requireTestedSdk(version = installedVersion()): void {
  const minor = version.split('.', 2).join('.');
  if (testedSdkVersions.some((tested) => tested === minor)) return;
  throw new KmsConfigurationError(
    `@temporal-kms/worker-kit was not tested with @temporalio/worker ${version}, whose internals may differ. Install ` +
      `version ${testedSdkVersions.join(' or ')}, or a worker-kit that supports ${minor}.`,
  );
}

/** @returns the version of the SDK next to this package, or to the application if that is bundled into one file */
function installedVersion(): string {
  // esbuild leaves no `url` in a CommonJS file that it makes of ES modules.
  const url: string | undefined = import.meta.url;
  const manifest: unknown = createRequire(url ?? process.argv[1] ?? process.cwd())(
    '@temporalio/worker/package.json',
  );
  return String(propertyOf(manifest, 'version'));
}
