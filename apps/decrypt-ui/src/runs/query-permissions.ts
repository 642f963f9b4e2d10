import type { Permission } from '@temporal-kms/codec-api';

/** The permissions that a query of a run needs. */
export const queryPermissions: readonly Permission[] = ['query', 'decode'];
