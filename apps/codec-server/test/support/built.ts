import { builtOncePerRun } from '@temporal-kms/scripts/once-per-run';

/** The folder with the server's bundle. Tests must not change it. */
export const built = await builtOncePerRun('codec-server');
