import { join } from 'node:path';

/** The checkout's root. */
export const projectRoot = join(import.meta.dirname, '..', '..');

/** Where development keeps what is not in git: the installed Temporal CLI, databases, key files. */
export const devDir = join(projectRoot, '.dev');
