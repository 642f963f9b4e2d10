import { join } from 'node:path';

/** The root folder of the checkout. */
export const projectRoot = join(import.meta.dirname, '..', '..');

/** The folder for files that git ignores: the installed Temporal CLI, databases, key files. */
export const devDir = join(projectRoot, '.dev');
