import { homedir } from 'node:os';
import { join } from 'node:path';

/** The root folder of the checkout. */
export const projectRoot = join(import.meta.dirname, '..', '..');

/** The folder for files that git ignores: databases, key files, compiled modules. */
export const devDir = join(projectRoot, '.dev');

/**
 * The folder for programs that we install or build. The folder is outside the checkout, so that every clone
 * of the repository can use the programs.
 */
export const toolsDir = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'temporal-kms');
